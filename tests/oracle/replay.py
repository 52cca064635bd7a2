"""The product reads a tape in Alpaca's own frames, and its events are compared with the truth."""

import random
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import msgpack
import msgspec

from ingest.alpaca.messages import decode
from ingest.bars.bar_table import BarTable
from ingest.bus.announcer import Announcer
from ingest.bus.outbox import Outbox, Publication
from ingest.demand.channels import TRADES
from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand
from ingest.market.lag import Lag
from ingest.market.last_price import LastPrices
from ingest.market.market_hours import MarketHours
from ingest.market.snapshot import Snapshot
from ingest.market.symbol_states import SymbolStates
from ingest.upstream.frame import FrameReader
from ingest.upstream.hours_translation import trading_day
from shared.topics import PRICE, TRADE, kind_of, topic
from tests.ingest.trades import closed_before
from tests.oracle.client_tape import ClientTape
from tests.oracle.mutation import Arrival
from tests.oracle.rules import day_at
from tests.oracle.truth import Event, Message, Truth

SHOWN_DIFFERENCES = 5


class _Events(Outbox):
    """Keeps every publication; the real one may replace a price by a newer one."""

    def __init__(self) -> None:
        super().__init__()
        self.offered: list[Publication] = []

    def offer(self, publication: Publication) -> None:
        self.offered.append(publication)

    def take_events(self) -> list[tuple[str, Event]]:
        """Return, once, the events, each with its name."""
        offered, self.offered = self.offered, []
        return [(e.event or kind_of(e.topic), msgspec.json.decode(e.body)) for e in offered]


class Difference(NamedTuple):
    """A frame after which the product shows something else than the truth."""

    frame: Sequence[Message]
    kind: str
    expected: object
    found: object

    def __str__(self) -> str:
        return f"{self.kind}: expected {self.expected}\n  found {self.found}\n  after {self.frame}"


class Comparison(NamedTuple):
    """The number of compared events, and the first differences."""

    prices: int
    prints: int
    differences: list[Difference]


class Product:
    """The ingest's reader of the stock stream, with all parts behind it up to the outbox."""

    def __init__(self, symbols: Collection[str], days: Iterable[str]) -> None:
        hours = MarketHours(
            [trading_day({"date": day, "open": "09:30", "close": "16:00"}) for day in days]
        )
        self.prices = LastPrices(hours)
        self.events = _Events()
        self.demand = Demand(lambda: 0.0)
        self.demand.update({topic(TRADE, symbol): 1 for symbol in symbols})
        subscription = Subscription(None)
        subscription.on_acknowledged({TRADES: symbols})
        self._reader = FrameReader(
            self.prices,
            SymbolStates("sip", self.prices.has_price, self.prices.traded_at),
            Lag(),
            self.demand,
            subscription,
            Announcer(self.events),
            BarTable(lambda: hours),
        )

    def learn(self, symbol: str, close: float, received_us: int) -> None:
        """Apply REST's answer at the start of a day: it knows the previous close and no trade."""
        adjusted = closed_before(received_us * 1000, close)
        self.prices.on_snapshot(symbol, Snapshot(), received_us, adjusted)

    def read(self, messages: Sequence[Message], received_us: int) -> list[tuple[str, Event]]:
        """Read one frame; return its events, each with its name."""
        frame = msgpack.packb([_stamped(message) for message in messages])
        self._reader.apply(decode(frame), received_us, received_us / 1e6)
        return self.events.take_events()


def compare(arrivals: Sequence[Arrival], seed: int = 0) -> Comparison:
    """Let the product read a tape in frames of one to ten messages, and compare every event."""
    dice = random.Random(seed)  # noqa: S311 - a test must be able to repeat it
    trades = [arrival.message for arrival in arrivals if arrival.message["T"] == "t"]
    symbols = sorted({message["S"] for message in trades})
    days = sorted({day_at(arrival.message["t"]) for arrival in arrivals})
    closes = {
        (symbol, day): round(next(m["p"] for m in trades if m["S"] == symbol) * 0.99, 2)
        for symbol in symbols
        for day in days
    }
    truth, product, tape = Truth(closes), Product(symbols, days), ClientTape()
    comparison = Comparison(0, 0, [])
    learnt: set[str] = set()
    position = 0
    while position < len(arrivals) and len(comparison.differences) < SHOWN_DIFFERENCES:
        frame = _frame(arrivals, position, dice.choice((1, 1, 1, 2, 3, 10)))
        position += len(frame)
        received_us = frame[-1].at // 1000
        day = day_at(frame[0].at)
        if day not in learnt:
            learnt.add(day)
            for symbol in symbols:
                product.learn(symbol, closes[symbol, day], received_us)
        comparison = _compare_frame(truth, product, tape, frame, received_us, comparison)
    for symbol in () if comparison.differences else symbols:
        expected, found = truth.standing(symbol), tape.standing(symbol)
        if expected != found:
            lacking, unexpected = set(expected) - set(found), set(found) - set(expected)
            difference = Difference((), f"standing {symbol}", lacking, unexpected)
            comparison.differences.append(difference)
    return comparison


def _frame(arrivals: Sequence[Arrival], start: int, count: int) -> list[Arrival]:
    """Return the next messages, of one day: REST gives the closes of a day before its first."""
    day = day_at(arrivals[start].at)
    return [each for each in arrivals[start : start + count] if day_at(each.at) == day]


def _compare_frame(
    truth: Truth,
    product: Product,
    tape: ClientTape,
    frame: Sequence[Arrival],
    received_us: int,
    so_far: Comparison,
) -> Comparison:
    messages = [arrival.message for arrival in frame]
    prices: list[Event] = []
    prints: list[Event] = []
    for message in messages:
        price, shown = truth.on(message, received_us)
        prices += price
        prints += shown
    found = product.read(messages, received_us)
    tape.apply(found)
    found_prices = [event for name, event in found if name == PRICE]
    found_prints = [event for name, event in found if name == TRADE]
    for kind, expected, events in (
        ("prices", prices, found_prices),
        ("prints", prints, found_prints),
    ):
        if expected != events:
            lacking, unexpected = _without(expected, events), _without(events, expected)
            so_far.differences.append(Difference(messages, kind, lacking, unexpected))
    return so_far._replace(prices=so_far.prices + len(prices), prints=so_far.prints + len(prints))


def _without(events: Sequence[Event], others: Sequence[Event]) -> list[Event]:
    left = list(events)
    for event in others:
        if event in left:
            left.remove(event)
    return left


def _stamped(message: Message) -> dict[str, Any]:
    return {**message, "t": msgpack.Timestamp.from_unix_nano(message["t"])}
