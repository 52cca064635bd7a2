"""A table of bars that is fed by hand, with a clock that only moves forward."""

from collections.abc import Iterable, Sequence
from typing import Any

from ingest.bars.bar_changes import BarChange, Change, Need, Reload
from ingest.bars.bar_table import BarTable
from ingest.bars.symbol_bars import Filled, Stored
from ingest.bars.timeframes import Timeframe
from ingest.market.bars import Bar
from ingest.market.market_hours import MarketHours
from ingest.market.prints import Trade
from tests.ingest.bars.chart import Topic
from tests.ingest.trades import NOON, trade, two_days

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
ALL: tuple[Timeframe, ...] = ("1Min", "5Min", "15Min", "1Hour", "1Day")


def bar(start: int, close: float = 100.5, volume: float = 300, **values: Any) -> Bar:
    """Return a minute's bar of SPY; ``start`` is unix ns."""
    parts: dict[str, Any] = {
        "symbol": "SPY",
        "open": close,
        "high": close,
        "low": close,
        "trade_count": 3,
        "vwap": close,
        **values,
    }
    return Bar(at_ns=start, close=close, volume=volume, **parts)


class Streamed:
    """A table that charts SPY. It keeps all changes by timeframe, and the questions for REST."""

    def __init__(
        self,
        *timeframes: Timeframe,
        now: int = NOON,
        hours: MarketHours | None = None,
        trades: bool = True,
        bars: bool = True,
    ) -> None:
        self.now = now
        self.topics: dict[str, Topic] = {}
        self.reloads: list[Reload] = []
        self.needs: list[Need] = []
        self.table = BarTable(lambda: hours or two_days())
        self.table.watch("SPY", timeframes or ("1Min",), now)
        if trades or bars:
            self.subscribe(trades=trades, bars=bars)

    def subscribe(self, *, trades: bool = True, bars: bool = True) -> None:
        """Acknowledge the symbol's channels."""
        some, none = frozenset({"SPY"}), frozenset[str]()
        self.table.on_subscribed(some if trades else none, some if bars else none, self.now)
        self.take()

    def lose(self) -> None:
        """Lose the connection."""
        self.table.on_stream_lost(self.now)
        self.take()

    def at(self, offset: float, start: int = NOON) -> "Streamed":
        """Let the time pass until so many seconds after a moment, second by second."""
        until = start + round(offset * SECOND)
        while self.now < until:
            self.now = min(until, self.now + SECOND)
            self.take()
        return self

    def trade(self, *args: Any, **named: Any) -> Trade:
        """Bring a print of the stream, made as by ``tests.ingest.trades.trade``."""
        print_ = trade(*args, **named)
        self.table.on_trade(print_, print_.at_ns, self.now)
        self.take()
        return print_

    def bar(self, *args: Any, **named: Any) -> Bar:
        """Bring a minute's bar of the stream, made as by ``bar``."""
        vendor = bar(*args, **named)
        self.table.on_bar(vendor, self.now)
        self.take()
        return vendor

    def restore(self, timeframe: Timeframe, stored: Sequence[Stored]) -> None:
        """Read the versions that an earlier leader stored."""
        revisions = {each.bar.at_ns: each.revision for each in stored}
        self.topics.setdefault(timeframe, Topic()).stored |= revisions
        self.table.restore("SPY", timeframe, stored, self.now)

    def fill(self, timeframe: Timeframe, rows: Iterable[Bar]) -> Filled:
        """Read a history of REST's, and store the rows to store."""
        filled = self.table.fill("SPY", timeframe, rows, self.now)
        revisions = {each.bar.at_ns: each.revision for each in filled.rows}
        self.topics.setdefault(timeframe, Topic()).stored |= revisions
        return filled

    def take(self) -> list[Change]:
        """Take the changes and the questions."""
        changes = self.table.changes(self.now)
        for change in changes:
            if isinstance(change, Reload):
                self.reloads.append(change)
                self.topics[change.timeframe] = Topic()
            else:
                self.topics.setdefault(change.timeframe, Topic()).publish(change)
        self.needs += self.table.needs(self.now)
        return changes

    def taken(self, kind: type[Need]) -> list[Any]:
        """Return the questions of a kind that were asked, and forget them."""
        found = [need for need in self.needs if isinstance(need, kind)]
        self.needs = [need for need in self.needs if not isinstance(need, kind)]
        return found

    def events(self, timeframe: Timeframe = "1Min") -> list[BarChange]:
        """Return all versions of a topic in order."""
        topic = self.topics.get(timeframe)
        return [] if topic is None else topic.events

    def ended(self, timeframe: Timeframe = "1Min") -> list[BarChange]:
        """Return the versions of ended bars."""
        return [each for each in self.events(timeframe) if not each.running]

    def newest(self, timeframe: Timeframe = "1Min") -> BarChange:
        """Return the newest version of a topic."""
        return self.events(timeframe)[-1]

    def final(self, timeframe: Timeframe = "1Min") -> dict[int, BarChange]:
        """Return the newest version of each bar by start."""
        return {each.bar.at_ns: each for each in self.events(timeframe)}


def closes(changes: Iterable[BarChange]) -> Sequence[float]:
    """Return the closes of versions."""
    return [change.bar.close for change in changes]
