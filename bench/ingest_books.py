"""CPU per level of an order book beside that of a trade: ``python -m bench ingest --books``.

Both go through the same steps in this process, in turns: from a frame's bytes to the event in the
outbox. The trades are those of the shipped tape, the books those of two recorded crypto markets.
Books are measured at the pace of the recording and fifty times as fast, at which ten events a
second and pair stand for many changes. A whole book is counted apart from the changes after it: its
levels are sorted at once.
"""

import gzip
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import msgpack
import msgspec

from bench.tape_frames import tape_trades
from ingest.alpaca.messages import OrderBook, decode
from ingest.bars.bar_table import BarTable
from ingest.bus.announcer import Announcer
from ingest.bus.outbox import Outbox
from ingest.demand.channels import TRADES
from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand
from ingest.market.lag import Lag
from ingest.market.last_price import LastPrices
from ingest.market.market_hours import TRADES_IN, MarketHours
from ingest.market.order_books import OrderBooks
from ingest.market.symbol_states import SymbolStates
from ingest.upstream.frame import FrameReader
from ingest.upstream.translation import order_book_time
from shared import rfc3339
from shared.topics import price_topic
from simulator.tape.recording import SHIPPED

RECORDINGS = (
    "crypto_gemini_20210624_books_trades.jsonl.gz",
    "crypto_bitfinex_20210417_books.jsonl.gz",
)
FRAMES = (1, 100)
"""Messages to a frame."""

PACES = (1, 50)
"""How often the time of the recordings passes in the same time."""

TRADE = "trades"

TRADES_AT_ONCE = 10_000
BOOKS_AT_ONCE = 5
"""The recordings of one figure, each from the start."""

TAKEN_AT_ONCE = 500
"""Events that the publisher takes from the outbox together."""

_SECOND_NS = 1_000_000_000


class Frame(NamedTuple):
    """A frame's bytes, when it comes (s after the start of its recording), and its levels."""

    data: bytes
    at: float
    levels: int


class Cost(NamedTuple):
    """Seconds of CPU, the trades or levels that they were for, and the events that these made."""

    cpu: float
    items: int
    events: int

    @property
    def each(self) -> float:
        """µs for each trade or level."""
        return self.cpu / self.items * 1e6


class Scene(NamedTuple):
    """The messages to a frame, and the data: trades, or a market at a pace."""

    per_frame: int
    name: str


class Trades:
    """The part of an ingest that trades go through, with every price watched."""

    def __init__(self) -> None:
        self._trades = tape_trades()
        symbols = sorted({trade["S"] for trade in self._trades})
        self._outbox = Outbox()
        demand = Demand(time.monotonic)
        demand.update({price_topic(symbol): 1 for symbol in symbols})
        subscription = Subscription(None)
        subscription.on_acknowledged({TRADES: symbols})
        prices = LastPrices(MarketHours((), None, TRADES_IN["sip"]))
        self._reader = FrameReader(
            prices,
            SymbolStates("sip", prices.has_price, prices.traded_at),
            Lag(),
            demand,
            subscription,
            Announcer(self._outbox),
            BarTable(lambda: prices.hours),
        )
        self._ids = count(1 << 40)

    def measure(self, per_frame: int, number: int) -> Cost:
        """Apply some trades of the tape, with new ids and times."""
        frames = [
            msgpack.packb([self._stamped(trade) for trade in part])
            for part in _parts(self._trades[:number], per_frame)
        ]
        ticks, events = self._reader.ticks, 0
        started = time.process_time()
        for frame in frames:
            self._reader.apply(decode(frame), time.time_ns() // 1000, time.monotonic())
            if len(self._outbox) >= TAKEN_AT_ONCE:
                events += len(self._outbox.take(TAKEN_AT_ONCE))
        cpu = time.process_time() - started
        return Cost(cpu, self._reader.ticks - ticks, events)

    def _stamped(self, trade: dict[str, Any]) -> dict[str, Any]:
        at = msgpack.Timestamp.from_unix_nano(time.time_ns())
        return {**trade, "i": next(self._ids), "t": at}


class Books:
    """The part of an ingest that order books go through, with every pair of a recording watched."""

    def __init__(self, name: str) -> None:
        self._rows = recorded(name)
        self._pairs = sorted({row["S"] for row in self._rows})
        self._outbox = Outbox()

    def measure(self, per_frame: int, pace: float, times: int) -> tuple[Cost, Cost]:
        """Apply the recording some times; return the costs of whole books and of changes."""
        whole = list(_frames([row for row in self._rows if row.get("r")], 1, pace))
        changes = list(_frames([row for row in self._rows if not row.get("r")], per_frame, pace))
        totals = [self._apply(whole, changes) for _ in range(times)]
        first, second = (
            Cost(*(sum(each) for each in zip(*costs, strict=True)))
            for costs in zip(*totals, strict=True)
        )
        return first, second

    def _apply(self, whole: Sequence[Frame], changes: Sequence[Frame]) -> tuple[Cost, Cost]:
        books, announcer = OrderBooks(), Announcer(self._outbox)
        books.follow(self._pairs, 0.0)
        books.on_subscribed(self._pairs, 0.0)
        costs = self._cost(books, announcer, whole), self._cost(books, announcer, changes)
        last = books.take_due(1e9)
        wrong = [event.symbol for event in last if not event.valid]
        assert wrong == books.take_renewals(1e9) == [], f"{wrong} became invalid"
        return costs

    def _cost(self, books: OrderBooks, announcer: Announcer, frames: Sequence[Frame]) -> Cost:
        events = 0
        started = time.process_time()
        for frame in frames:
            now_us = time.time_ns() // 1000
            for message in decode(frame.data):
                assert type(message) is OrderBook
                books.on_message(message, order_book_time(message), now_us, frame.at)
            for event in books.take_due(frame.at):
                announcer.book(event)
                events += 1
            if len(self._outbox) >= TAKEN_AT_ONCE:
                self._outbox.take(TAKEN_AT_ONCE)
        cpu = time.process_time() - started
        return Cost(cpu, sum(frame.levels for frame in frames), events)


def recorded(name: str) -> list[dict[str, Any]]:
    """Return the messages about books of a recording, by their wire keys, in order."""
    lines = gzip.decompress((Path(SHIPPED).parent / name).read_bytes()).splitlines()
    return [row for row in map(msgspec.json.decode, lines) if row["T"] == "o"]


def compare(
    rounds: int, trades_at_once: int = TRADES_AT_ONCE, books_at_once: int = BOOKS_AT_ONCE
) -> str:
    """Measure trades and books in turns, and return a table of medians over the rounds."""
    trades, books = Trades(), {name.split("_")[1]: Books(name) for name in RECORDINGS}
    # The first round warms up the processor's caches and does not count.
    found = [dict(_round(trades, books, trades_at_once, books_at_once)) for _ in range(rounds + 1)][
        1:
    ]
    return table(found)


def _round(
    trades: Trades, books: Mapping[str, Books], trades_at_once: int, books_at_once: int
) -> Iterator[tuple[Scene, Cost]]:
    for per_frame in FRAMES:
        yield Scene(per_frame, TRADE), trades.measure(per_frame, trades_at_once)
        for market, each in books.items():
            for pace in PACES:
                whole, changes = each.measure(per_frame, pace, books_at_once)
                yield Scene(per_frame, f"{market}, {pace} x"), changes
            yield Scene(per_frame, f"{market}, whole"), whole


def table(rounds: Sequence[Mapping[Scene, Cost]]) -> str:
    """Return medians over rounds; ratios are of a level and a trade of one round and frame size."""
    titles = ("CPU µs each", "/ trade", "events each")
    python = f"Python {platform.python_version()}, {platform.machine()}"
    lines = [
        f"medians of {len(rounds)} rounds, for each trade and each level of a book ({python})",
        f"{'':<32}" + "".join(f"{title:>13}" for title in titles),
    ]
    for scene in rounds[0]:
        each = median(one[scene].each for one in rounds)
        trade = Scene(scene.per_frame, TRADE)
        ratio = median(one[scene].each / one[trade].each for one in rounds)
        events = median(one[scene].events / one[scene].items for one in rounds)
        lines.append(
            f"  {scene.per_frame:>3} a frame, {scene.name:<18}"
            f"{each:>13.2f}{ratio:>13.2f}{events:>13.2f}"
        )
    return "\n".join(lines)


def _parts(rows: Sequence[dict[str, Any]], size: int) -> Iterator[Sequence[dict[str, Any]]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _frames(rows: Sequence[dict[str, Any]], per_frame: int, pace: float) -> Iterator[Frame]:
    start = rfc3339.to_nanoseconds(rows[0]["t"])
    for part in _parts(rows, per_frame):
        times = [rfc3339.to_nanoseconds(row["t"]) for row in part]
        stamped = [
            {**row, "t": msgpack.Timestamp.from_unix_nano(at)}
            for row, at in zip(part, times, strict=True)
        ]
        levels = sum(len(row["b"]) + len(row["a"]) for row in part)
        # Whole books and changes are measured one after the other: the changes come later.
        yield Frame(msgpack.packb(stamped), 1 + (times[-1] - start) / _SECOND_NS / pace, levels)
