"""The decoders under test, each with the parts that apply what it decodes.

A target makes its inputs and applies them. Only an error of the connection may leave: Alpaca's own
error messages, and frames that are none. A good message after each input must still count.
"""

import json
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from typing import Any

import msgpack

from ingest.alpaca.account_rows import read_account, read_positions
from ingest.alpaca.messages import Error, OrderBook, Subscribed, decode
from ingest.alpaca.unreadable import BadFrameError, Malformed
from ingest.bars.bar_changes import BarChange
from ingest.bars.bar_events import bar_event
from ingest.bars.bar_table import BarTable
from ingest.bus.announcer import Announcer
from ingest.bus.outbox import Outbox
from ingest.demand.lookups import Reason
from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand
from ingest.market.adjusted_closes import adjusted_closes
from ingest.market.lag import Lag
from ingest.market.last_price import LastPrices
from ingest.market.order_books import OrderBooks
from ingest.market.symbol_states import SymbolStates
from ingest.market.withheld_trades import WithheldTrades
from ingest.portfolio.broker_report import BrokerReport
from ingest.portfolio.order_log import OrderLog
from ingest.portfolio.portfolio import Portfolio
from ingest.sentiment.headline_scorer import HeadlineScorer
from ingest.upstream import account_translation, order_translation, translation
from ingest.upstream.account_handler import AccountHandler
from ingest.upstream.blocking_calls import REST_FAILURES, RestError
from ingest.upstream.frame import FrameReader
from ingest.upstream.hours_refresh import hours_of, pause_seconds
from ingest.upstream.malformed_data import MalformedData
from ingest.upstream.news_handler import NewsHandler
from ingest.upstream.rest_prices import RestPrices
from ingest.upstream.rest_text import readable
from ingest.upstream.upstream_error import UpstreamError
from shared import bar
from shared.bar import KINDS
from shared.price import Price
from tests.fuzz import seeds
from tests.fuzz.mutations import mutated_bytes, mutated_object
from tests.ingest.portfolio.rows import AS_OF
from tests.ingest.trades import NOON, two_days

NOW_US = NOON // 1000 + 25_000
GOOD, GOOD_PRICE = "GOOD", 50.0


class Target(ABC):
    """A decoder with the parts behind it; made again for each few inputs."""

    @abstractmethod
    def run(self, rng: random.Random) -> bytes:
        """Make one input and apply it; return it.

        Raises:
            AssertionError: an error escaped, or a good message beside the input did not count.
        """

    def _check(self, malformed: MalformedData, given: bytes) -> None:
        assert malformed.escaped is None, f"{malformed.escaped}: {given[:2000]!r}"


class Frames(Target):
    """The stock stream: msgpack frames, whole or with a good trade behind them."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.demand = Demand(lambda: 0.0)
        kinds = ("trade", "quote", "luld", "imbalance")
        self.demand.update({f"{kind}:{s}": 1 for kind in kinds for s in ("SPY", GOOD)})
        self.subscription = Subscription(None)
        self.prices = LastPrices(two_days())
        self.states = SymbolStates("iex", self.prices.has_price, self.prices.traded_at)
        self.bars = BarTable(lambda: self.prices.hours)
        self.bars.watch("SPY", KINDS, NOON)
        self.reader = FrameReader(
            self.prices,
            self.states,
            Lag(),
            self.demand,
            self.subscription,
            Announcer(self.outbox),
            self.bars,
        )
        self.good = 0

    def run(self, rng: random.Random) -> bytes:
        self.subscription.on_acknowledged({"trades": ["SPY", GOOD]})
        if rng.random() < 0.5:
            frame = mutated_bytes(rng, _STOCK_FRAMES)
            self._apply(frame)
        else:
            odd = mutated_object(rng, seeds.MESSAGES, seeds.ODD_MSGPACK)
            frame = _packed([odd, self._good_trade()])
            if self._apply(frame):
                assert self._has_good(), f"the good trade is lost: {frame[:2000]!r}"
        self._check(self.reader.malformed, frame)
        for change in self.bars.changes(NOON):
            if isinstance(change, BarChange):
                bar.encode(bar_event(change))
        self.bars.needs(NOON)
        self.outbox.take(1000)
        return frame

    def _apply(self, frame: bytes) -> bool:
        """Apply a frame; return whether nothing in it ended the connection or the subscription."""
        try:
            messages = decode(frame)
            self.reader.apply(messages, NOW_US, 0.0)
        except (BadFrameError, UpstreamError):
            return False
        ending = (Error, Subscribed)
        return not any(
            isinstance(each, ending) or (isinstance(each, Malformed) and each.kind == "error")
            for each in messages
        )

    def _good_trade(self) -> dict[str, Any]:
        self.good += 1
        fields = {"S": GOOD, "i": self.good, "p": self._good_price, "c": ["@"]}
        return {**seeds.TRADE, **fields, "t": msgpack.Timestamp.from_unix_nano(NOON + self.good)}

    @property
    def _good_price(self) -> float:
        return GOOD_PRICE + self.good / 1000

    def _has_good(self) -> bool:
        last: Price | None = self.prices.last_price(GOOD)
        return last is not None and last.price == self._good_price


class Books(Target):
    """Order books: msgpack frames, whole or with a good whole book behind them."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.announcer = Announcer(self.outbox)
        self.books = OrderBooks(most_levels=50)
        self.books.follow(["BTC/USD", GOOD], 0.0)
        self.books.on_subscribed(["BTC/USD", GOOD], 0.0)
        self.now = 0.0
        self.good = 0

    def run(self, rng: random.Random) -> bytes:
        self.now += 0.2
        if rng.random() < 0.5:
            frame = mutated_bytes(rng, _BOOK_FRAMES)
            self._apply(frame)
        else:
            odd = mutated_object(rng, seeds.BOOKS, seeds.ODD_MSGPACK)
            self.good += 1
            levels = [{"p": GOOD_PRICE, "s": self.good}]
            good = {**seeds.BOOK, "S": GOOD, "r": True, "b": levels, "a": None}
            frame = _packed([odd, good])
            self.outbox.take(1000)
            self._apply(frame)
            shown = [json.loads(each.body) for each in self.outbox.take(1000)]
            bids = [each["bids"] for each in shown if each["symbol"] == GOOD]
            assert bids == [[[GOOD_PRICE, self.good]]], f"the good book is lost: {frame[:2000]!r}"
        self.books.take_renewals(self.now)
        self.outbox.take(1000)
        return frame

    def _apply(self, frame: bytes) -> None:
        try:
            messages = decode(frame)
        except BadFrameError:
            self.books.on_unreadable("", self.now)
            messages = []
        for each in messages:
            if isinstance(each, OrderBook):
                self._on_book(each)
            elif isinstance(each, Malformed) and each.kind in ("o", ""):
                self.books.on_unreadable(each.symbol, self.now)
        for event in self.books.take_due(self.now):
            assert event.valid or not event.bids + event.asks
            assert not (event.bids and event.asks) or event.bids[0][0] < event.asks[0][0]
            self.announcer.book(event)

    def _on_book(self, message: OrderBook) -> None:
        try:
            at_ns = translation.order_book_time(message)
        except ValueError:
            self.books.on_unreadable(message.symbol, self.now)
        else:
            self.books.on_message(message, at_ns, NOW_US, self.now)


class News(Target):
    """The news stream: msgpack frames, whole or with a good article behind them."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        demand = Demand(lambda: 0.0)
        demand.update({"news:*": 1, "news:SPY": 1})
        self.handler = NewsHandler(
            demand, Announcer(self.outbox), HeadlineScorer.load(), lambda: 0.0
        )
        self.good = 0

    def run(self, rng: random.Random) -> bytes:
        if rng.random() < 0.5:
            frame = mutated_bytes(rng, _NEWS_FRAMES)
            self._apply(frame)
        else:
            odd = mutated_object(rng, seeds.NEWS, seeds.ODD_MSGPACK)
            self.good += 1
            good = {**seeds.ARTICLE, "id": -self.good - 10**12, "symbols": []}
            frame = _packed([odd, good])
            self.outbox.take(1000)
            if self._apply(frame):
                bodies = [json.loads(each.body)["id"] for each in self.outbox.take(1000)]
                assert bodies[-1] == str(good["id"]), f"the good article is lost: {frame!r}"
        self._check(self.handler.malformed, frame)
        self.outbox.take(1000)
        return frame

    def _apply(self, frame: bytes) -> bool:
        try:
            self.handler.apply(self.handler.decode(frame), NOW_US)
        except (BadFrameError, UpstreamError):
            return False
        return True


class TradeUpdates(Target):
    """The account's stream: JSON frames, then a good update, then the account's figures."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.now = 0.0
        self.portfolio = Portfolio(lambda _: None, lambda: self.now)
        announcer = Announcer(self.outbox)
        self.handler = AccountHandler(
            self.portfolio,
            OrderLog(0),
            announcer,
            monotonic=lambda: self.now,
            clock_ns=lambda: NOON,
        )
        self.account = account_translation.account(read_account(seeds.ACCOUNT))
        rows, _ = read_positions([seeds.POSITION, seeds.OPTION])
        self.holdings = [account_translation.holding(row, AS_OF) for row in rows]
        self.good = 0

    def run(self, rng: random.Random) -> bytes:
        # Long after the last execution, so that the report is believed as a whole.
        self.now += 100.0
        report = BrokerReport(self.holdings, self.account, self.now, AS_OF)
        self.portfolio.on_report(report, None)
        if rng.random() < 0.5:
            frame = mutated_bytes(rng, _TRADE_UPDATE_FRAMES)
        else:
            odd = mutated_object(rng, _TRADE_UPDATES, seeds.ODD_JSON)
            frame = _json(odd)
        self._apply(frame)
        self.outbox.take(1000)
        self.good += 1
        order = {**seeds.ORDER, "id": f"good-{self.good}", "symbol": GOOD}
        good = {**seeds.UPDATE, "event": "new", "order": order}
        self._apply(_json({"stream": "trade_updates", "data": good}))
        ids = [json.loads(each.body)["order"]["id"] for each in self.outbox.take(1000)]
        assert ids == [order["id"]], f"the good update is lost: {frame[:2000]!r}"
        _figures(self.portfolio)
        self._check(self.handler.malformed, frame)
        return frame

    def _apply(self, frame: bytes) -> None:
        with suppress(BadFrameError, UpstreamError):
            self.handler.apply(self.handler.decode(frame), NOW_US)


class AccountRest(Target):
    """The account's answers: positions, account and orders, then the account's figures."""

    def __init__(self) -> None:
        self.now = 0.0
        self.portfolio = Portfolio(lambda _: None, lambda: self.now)
        self.orders = OrderLog(0)

    def run(self, rng: random.Random) -> bytes:
        self.now += 100.0
        body = _rest_body(rng, _ACCOUNT_ANSWERS)
        answer = _parsed(body)
        self._report(answer if isinstance(answer, list) else [], seeds.ACCOUNT)
        self._report([seeds.POSITION], answer if isinstance(answer, dict) else {})
        if isinstance(answer, list):
            rows = order_translation.orders(answer, lambda _: None)
            for update in self.orders.on_orders(rows, NOON, 0):
                Announcer(Outbox()).order(update)
        return body

    def _report(self, rows: Sequence[Any], account: Any) -> None:
        read, unreadable = read_positions([*rows, {**seeds.POSITION, "symbol": GOOD}])
        assert read[-1].symbol == GOOD
        try:
            reported = account_translation.account(read_account(account))
        except ValueError:
            return
        holdings = [account_translation.holding(row, AS_OF) for row in read]
        self.portfolio.on_report(
            BrokerReport(holdings, reported, self.now, AS_OF, unreadable), None
        )
        self.now += 100.0
        _figures(self.portfolio)


class MarketRest(Target):
    """Market data's answers: snapshots, trades, bars, calendar and clock."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        demand = Demand(lambda: 0.0)
        demand.update({f"{kind}:SPY": 1 for kind in ("price", "trade", "quote", "bar.1Day")})
        self.prices = LastPrices(two_days())
        self.rest_prices = RestPrices(
            self.prices,
            SymbolStates("iex", self.prices.has_price, self.prices.traded_at),
            WithheldTrades(
                streamed_ns=self.prices.streamed_ns_of,
                known_ns=self.prices.timestamp_of,
                newest_streamed_ns=self.prices.newest_streamed_ns,
            ),
            demand,
            Announcer(self.outbox),
            clock=lambda: NOON,
            monotonic=lambda: 0.0,
        )

    def run(self, rng: random.Random) -> bytes:
        body = _rest_body(rng, _MARKET_ANSWERS)
        answer = _parsed(body)
        self._on_snapshot(answer)
        for row in answer if isinstance(answer, list) else [answer]:
            self._on_print(row)
        bars = translation.closes({"SPY": answer if isinstance(answer, list) else [answer]})
        closes = adjusted_closes(bars, _TODAY)
        self.rest_prices.on_snapshot(
            "SPY", translation.snapshot("SPY", seeds.SNAPSHOT), closes.get("SPY"), Reason.NEW, 0.0
        )
        self._on_hours(answer)
        self.outbox.take(1000)
        return body

    def _on_snapshot(self, answer: Any) -> None:
        with suppress(ValueError):
            translation.newest_trade_ns(answer)
        try:
            snapshot = translation.snapshot("SPY", answer)
        except ValueError:
            return
        for reason in (Reason.NEW, Reason.DOUBTFUL):
            self.rest_prices.on_snapshot("SPY", snapshot, None, reason, 0.0)

    def _on_print(self, row: Any) -> None:
        try:
            found = translation.print_of_row("SPY", row)
        except ValueError:
            return
        if found is not None:
            self.rest_prices.on_missed_prints("SPY", [found], NOON)

    def _on_hours(self, answer: Any) -> None:
        days = answer if isinstance(answer, list) else [answer]
        for rows, clock in ((days, seeds.CLOCK), ([seeds.DAY], answer)):
            try:
                hours = hours_of(rows, clock)
            except RestError:
                continue
            pause_seconds(hours, NOON)
            self.prices.hours = hours


TARGETS: dict[str, type[Target]] = {
    "frames": Frames,
    "news": News,
    "books": Books,
    "trade_updates": TradeUpdates,
    "account_rest": AccountRest,
    "market_rest": MarketRest,
}

_STOCK_FRAMES, _NEWS_FRAMES = seeds.stock_frames(), seeds.news_frames()
_BOOK_FRAMES = seeds.book_frames()
_TRADE_UPDATE_FRAMES, _TRADE_UPDATES = seeds.trade_update_frames(), seeds.trade_updates()
_ACCOUNT_ANSWERS: Sequence[Any] = [
    [seeds.POSITION, seeds.OPTION],
    seeds.BROKE_POSITIONS,
    seeds.ACCOUNT,
    seeds.BROKE_ACCOUNT,
    [seeds.ORDER, {**seeds.ORDER, "id": "o2", "legs": [seeds.ORDER]}],
]
_MARKET_ANSWERS: Sequence[Any] = [
    seeds.SNAPSHOT,
    [seeds.ROW, {**seeds.ROW, "u": None}],
    [seeds.BAR, seeds.BAR],
    [seeds.DAY],
    seeds.CLOCK,
]
_TODAY = date(2026, 11, 16)


def _packed(messages: Sequence[Any]) -> bytes:
    packed: bytes = msgpack.packb(list(messages), unicode_errors="surrogatepass")
    return packed


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _rest_body(rng: random.Random, answers: Sequence[Any]) -> bytes:
    if rng.random() < 0.3:
        return mutated_bytes(rng, [_json(each) for each in answers])
    return _json(mutated_object(rng, answers, seeds.ODD_JSON))


def _parsed(body: bytes) -> Any:
    """Return a body as alpaca-py parses it; an error that it raises is a failed request."""
    try:
        return json.loads(readable(body))
    except REST_FAILURES:
        return None


def _figures(portfolio: Portfolio) -> None:
    """Compute and encode the events of all positions and of the account."""
    portfolio.repeat_all()
    positions, account = portfolio.take_changes()
    announcer = Announcer(Outbox())
    for position in positions:
        announcer.position(position)
    assert account is not None
    announcer.account(account)
