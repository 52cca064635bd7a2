"""Encoding each event that the ingest publishes, and putting it into the outbox."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from ingest.bus.outbox import Outbox, Publication
from ingest.market.newest_articles import NewestArticles
from ingest.market.newest_quotes import NewestQuotes
from ingest.market.recent_prints import RecentPrints
from shared import (
    account,
    bar,
    book,
    gap,
    imbalance,
    luld,
    news,
    order,
    position,
    price,
    quote,
    rfc3339,
    symbol_status,
    trade,
)
from shared.account import Account
from shared.bar import RELOAD, RUNNING, Bar, Reload, ReloadReason, Timeframe
from shared.book import Book
from shared.gap import GAP, Gap, GapReason
from shared.imbalance import Imbalance
from shared.luld import Luld
from shared.news import News
from shared.order import OrderUpdate
from shared.position import Position
from shared.price import Price
from shared.quote import Quote
from shared.symbol_status import SymbolStatus
from shared.topics import (
    ACCOUNT,
    BOOK,
    EVERYTHING,
    IMBALANCE,
    LULD,
    NEWS,
    ORDERS,
    POSITION,
    PRICE,
    QUOTE,
    STATUS,
    TRADE,
    topic,
)
from shared.trade import CANCEL, CORRECTION, Cancel, Trade, Withdrawal


class Announcer:
    """Knows the topic of each event. The outbox decides when it leaves, and whether it does.

    ``on_price`` is called with the symbol of each last price: positions are revalued by it.
    """

    def __init__(self, outbox: Outbox, on_price: Callable[[str], None] = lambda _: None) -> None:
        self.recent = RecentPrints()
        self.quotes = NewestQuotes()
        self.articles = NewestArticles()
        self._on_price = on_price
        self._outbox = outbox

    def price(self, last: Price, *, traded: bool) -> None:
        """Announce a last price. ``traded``: it happened just now."""
        self._outbox.offer(Publication(topic(PRICE, last.symbol), price.encode(last), traded))
        self._on_price(last.symbol)

    def quote(self, best: Quote) -> None:
        """Announce the stream's best bid and offer."""
        self.quotes.add(best)
        self._outbox.offer(Publication(topic(QUOTE, best.symbol), quote.encode(best)))

    def rest_quote(self, best: Quote, asked_us: int) -> None:
        """Announce the best bid and offer of REST's answer, unless the stream has a newer one.

        ``asked_us`` is the time of the request, unix µs.
        """
        if self.quotes.is_news(best, asked_us):
            self.quote(best)

    def luld(self, bands: Luld) -> None:
        """Announce the price bands of a stock."""
        self._outbox.offer(Publication(topic(LULD, bands.symbol), luld.encode(bands)))

    def book(self, top: Book) -> None:
        """Announce the best levels of a pair's order book, or that it is not valid."""
        self._outbox.offer(Publication(topic(BOOK, top.symbol), book.encode(top)))

    def imbalance(self, event: Imbalance) -> None:
        """Announce an imbalance of a stock's orders."""
        self._outbox.offer(Publication(topic(IMBALANCE, event.symbol), imbalance.encode(event)))

    def status(self, status: SymbolStatus) -> None:
        """Announce the state of a symbol."""
        body = symbol_status.encode(status)
        self._outbox.offer(Publication(topic(STATUS, status.symbol), body))

    def recall_tape(
        self,
        symbol: str,
        events: Sequence[Trade | Withdrawal],
        *,
        is_whole: bool,
        whole_since_ns: int | None = None,
    ) -> None:
        """Accept the events of a tape that an earlier leader has published, oldest first.

        ``is_whole`` and ``whole_since_ns``: see ``RecentPrints.recall``. Withdrawals of these
        prints that came before this are announced now.
        """
        recalled = self.recent.recall(
            symbol, events, is_whole=is_whole, whole_since_ns=whole_since_ns
        )
        for event in recalled:
            self._withdrawal(event)

    def trade(self, print_: Trade, corrected: bool = False) -> None:
        """Announce a print on the tape once: the stream and REST can both bring it.

        ``corrected``: REST shows it as the replacement of another one.
        """
        recent = self.recent
        if not recent.add(print_, corrected):
            return
        self._outbox.offer(Publication(topic(TRADE, print_.symbol), trade.encode(print_)))
        # A cancel can come before its print. After the print it is repeated, so that a client does
        # not have to remember cancels of unknown prints.
        if recent.early:
            for withdrawal in recent.take_early(print_):
                self._withdrawal(withdrawal)

    def withdrawal(self, event: Withdrawal) -> None:
        """Announce once that a print is void, or that another one replaces it."""
        news = self.recent.withdraw(event)
        if news is not None:
            self._withdrawal(news)

    def bar(self, timeframe: Timeframe, changed: Bar, *, running: bool) -> None:
        """Announce the newest version of a bar; ``running``: its span has not ended."""
        self._outbox.offer(
            Publication(
                topic(bar.KINDS[timeframe], changed.symbol),
                bar.encode(changed),
                event=RUNNING if running else None,
                start=_start_of(changed.timestamp),
            )
        )

    def reload(
        self, timeframe: Timeframe, symbol: str, reason: ReloadReason, timestamp: str
    ) -> None:
        """Ask the clients of a topic to read its bars again; ``timestamp`` is RFC 3339."""
        change = Reload(symbol=symbol, timeframe=timeframe, reason=reason, timestamp=timestamp)
        self._named(topic(bar.KINDS[timeframe], symbol), bar.encode(change), RELOAD)

    def news(self, article: News, keys: Iterable[str]) -> None:
        """Announce an article on the topics of these symbols, or of ``*``."""
        # An article can name many symbols, and each of them is a topic: encode it only once.
        body = news.encode(article)
        for key in keys:
            self._outbox.offer(Publication(topic(NEWS, key), body))

    def position(self, changed: Position) -> None:
        """Announce a position, both on the symbol's topic and on the topic of all positions."""
        # The stored value belongs to the symbol's topic. On the topic of all positions, the row
        # keeps the outbox from replacing one symbol's value by another's.
        body = position.encode(changed)
        self._outbox.offer(Publication(topic(POSITION, changed.symbol), body))
        self._outbox.offer(Publication(topic(POSITION, EVERYTHING), body, row=changed.symbol))

    def account(self, worth: Account) -> None:
        """Announce the value of the account."""
        self._outbox.offer(Publication(ACCOUNT, account.encode(worth)))

    def order(self, update: OrderUpdate) -> None:
        """Announce a change of an order."""
        self._outbox.offer(Publication(ORDERS, order.encode(update)))

    def gap(self, topics: Iterable[str], since: str, until: str, reason: GapReason) -> None:
        """Announce on each topic that events between two times (RFC 3339) are lost."""
        for each in topics:
            body = gap.encode(Gap(topics=[each], from_=since, to=until, reason=reason))
            self._named(each, body, GAP)

    def _withdrawal(self, event: Withdrawal) -> None:
        name = CANCEL if isinstance(event, Cancel) else CORRECTION
        self._named(topic(TRADE, event.symbol), trade.encode(event), name)

    def _named(self, where: str, body: bytes, event: str) -> None:
        self._outbox.offer(Publication(where, body, event=event))


@lru_cache(maxsize=1024)
def _start_of(timestamp: str) -> int:
    """Return the start of a bar in unix s; thousands of symbols have a bar of the same minute."""
    return rfc3339.to_nanoseconds(timestamp) // 1_000_000_000
