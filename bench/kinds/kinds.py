"""Every kind of message that is measured, each with the topics that clients watch."""

from collections.abc import Sequence

from bench.bars.vendor_bars import symbols_of
from bench.kinds import rows
from bench.kinds.bars import DayBars, MinuteBars, UpdatedBars
from bench.kinds.books import Books
from bench.kinds.kind import Kind, watched
from bench.kinds.parts import NewsPart
from bench.kinds.rows import FIRST_ID, Row, endless, numbered
from bench.kinds.ticks import Statuses, Ticks, Withdrawals, corrections
from ingest.sentiment.headline_scorer import HeadlineScorer
from shared.markets import CRYPTO, OPTIONS, STOCKS, Market
from shared.news import Sentiment
from shared.topics import IMBALANCE, LULD, NEWS, PRICE, QUOTE, TRADE
from shared.trade import CANCEL, CORRECTION
from simulator.crypto.book_tape import BITFINEX, GEMINI
from simulator.crypto.venue import FIRST_ID as FIRST_PAIR_ID

SYMBOLS: Sequence[str] = symbols_of(100)
"""The symbols of the kinds that no recording has."""

TRADE_KIND = "stock trade"
"""The kind that all others are compared with: its price and its tape are watched."""

PACES = (1, 50)
"""How often the time of a recording of books passes in the same time."""

FIRST_ARTICLE = 24_918_784


class Silent(HeadlineScorer):
    """Scores no headline, so that the rest of an article's cost shows."""

    def score(self, headline: str) -> Sentiment | None:  # noqa: ARG002 - it looks at none
        """Abstain."""
        return None


def all_kinds() -> list[Kind]:
    """Return every kind; the first is the one that the others are compared with."""
    return [*_stocks(), *_reports(), *_pairs(), *_options(), *_news()]


def _stocks() -> list[Kind]:
    return [
        _trades(TRADE_KIND, STOCKS, rows.trades()),
        _trades("stock trade, price alone", STOCKS, rows.regular_trades(), watched_tape=False),
        _quotes("stock quote", STOCKS, rows.quotes()),
        MinuteBars(SYMBOLS),
        UpdatedBars(SYMBOLS),
        DayBars(SYMBOLS),
    ]


def _reports() -> list[Kind]:
    def report(name: str, kind: str, found: Sequence[Row]) -> Ticks:
        return Ticks(name, kind, watched(STOCKS, SYMBOLS, kind), endless(found))

    return [
        Statuses(SYMBOLS),
        report("price bands", LULD, rows.price_bands(SYMBOLS)),
        report("imbalance", IMBALANCE, rows.imbalances(SYMBOLS)),
        corrections("correction", CORRECTION, len(SYMBOLS)),
        Withdrawals("cancel", CANCEL, len(SYMBOLS), rows.cancel_of),
    ]


def _pairs() -> list[Kind]:
    recordings = {"Gemini": GEMINI, "Bitfinex": BITFINEX}
    return [
        _trades("pair trade", CRYPTO, rows.pair_trades(), first_id=FIRST_PAIR_ID),
        _quotes("pair quote", CRYPTO, rows.pair_quotes()),
        *(
            Books(market, recording, pace)
            for market, recording in recordings.items()
            for pace in (*PACES, None)
        ),
    ]


def _options() -> list[Kind]:
    return [
        _trades("option trade", OPTIONS, rows.option_trades(), first_id=None),
        _quotes("option quote", OPTIONS, rows.option_quotes()),
    ]


def _news() -> list[Kind]:
    found = rows.articles()
    names = {"article": HeadlineScorer.load(), "article, not scored": Silent.load()}
    return [
        Ticks(
            name,
            NEWS,
            NewsPart(scorer),
            numbered(found, key="id", first=FIRST_ARTICLE),
            is_judged=False,
        )
        for name, scorer in names.items()
    ]


def _trades(
    name: str,
    market: Market,
    found: Sequence[Row],
    *,
    first_id: int | None = FIRST_ID,
    watched_tape: bool = True,
) -> Ticks:
    """Return trades; ``first_id`` None: they have no ids."""
    given = endless(found) if first_id is None else numbered(found, first=first_id)
    kinds = (PRICE, TRADE) if watched_tape else (PRICE,)
    part = watched(market, _symbols(found), *kinds)
    return Ticks(name, kinds[-1], part, given)


def _quotes(name: str, market: Market, found: Sequence[Row]) -> Ticks:
    return Ticks(name, QUOTE, watched(market, _symbols(found), QUOTE), endless(found))


def _symbols(found: Sequence[Row]) -> set[str]:
    return {row["S"] for row in found}
