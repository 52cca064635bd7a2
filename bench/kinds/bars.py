"""Bars of charted symbols: those of minutes, their revisions, and those of the day so far."""

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence

from bench.bars.vendor_bars import VendorMinutes
from bench.kinds.cost import Cost, Meter
from bench.kinds.kind import apply, checked, watched
from bench.kinds.rows import Row, frames
from ingest.bars.timeframes import MINUTE_NS, SECOND_NS
from ingest.market.trading_day import HOUR_NS, STOCK_DAYS
from shared.bar import RUNNING
from shared.markets import STOCKS
from shared.topics import DAY_BAR, MINUTE_BAR

OPENING_NS = 4 * HOUR_NS
"""From midnight to the first trades of the day."""

BAR_NS, REVISION_NS = 400_000_000, 29 * SECOND_NS
"""How long after the end of its minute a bar comes, and how long after that its revision."""


class Bars(ABC):
    """The bars of a minute come together and are announced together, as ``Charts`` does it.

    The symbols' trades are subscribed, too. The minutes are those of this morning, one after the
    other. ``kind`` is that of the topics, ``event`` the name of their events.
    """

    def __init__(self, name: str, kind: str, event: str, symbols: Sequence[str]) -> None:
        self.name, self.is_judged = name, True
        self._kind, self._event, self._symbols = kind, event, symbols

    def measure(self, per_frame: int, messages: int) -> Cost:
        """Apply the bars of whole minutes."""
        midnight_ns = STOCK_DAYS.start_of(STOCK_DAYS.day_of(time.time_ns()))
        clock = _SetClock(midnight_ns + OPENING_NS)
        part = watched(STOCKS, self._symbols, self._kind, clock=clock)
        vendor, meter, events = VendorMinutes(self._symbols), Meter(), Counter[str]()
        minutes = max(1, messages // len(self._symbols))
        self._begin(midnight_ns)
        for number in range(minutes):
            start_ns = midnight_ns + OPENING_NS + number * MINUTE_NS
            clock.now_ns = start_ns + MINUTE_NS + BAR_NS
            before, bars = self._messages(vendor.bars(start_ns // SECOND_NS))
            if before:
                part.feed(frames(before, per_frame))
                part.charts.publish()
                part.take()
                clock.now_ns += REVISION_NS
            apply(part, frames(bars, per_frame), meter, part.charts.publish)
            events += part.count()
        return checked(self, meter, minutes * len(self._symbols), events, self._event, part)

    def _begin(self, midnight_ns: int) -> None:
        """Begin the day again."""
        del midnight_ns

    @abstractmethod
    def _messages(self, bars: Sequence[Row]) -> tuple[Sequence[Row], Sequence[Row]]:
        """Return the messages that come before, and those to measure, for a minute's bars."""


class MinuteBars(Bars):
    """The bars of minutes (``bars``)."""

    def __init__(self, symbols: Sequence[str]) -> None:
        super().__init__("minute bar", MINUTE_BAR, MINUTE_BAR, symbols)

    def _messages(self, bars: Sequence[Row]) -> tuple[Sequence[Row], Sequence[Row]]:
        return (), bars


class UpdatedBars(Bars):
    """Their revisions half a minute later (``updatedBars``): each has one late trade more."""

    def __init__(self, symbols: Sequence[str]) -> None:
        super().__init__("updated minute bar", MINUTE_BAR, MINUTE_BAR, symbols)

    def _messages(self, bars: Sequence[Row]) -> tuple[Sequence[Row], Sequence[Row]]:
        return bars, [{**bar, "T": "u", "v": bar["v"] + 100, "n": bar["n"] + 1} for bar in bars]


class DayBars(Bars):
    """The day so far after each minute (``dailyBars``)."""

    def __init__(self, symbols: Sequence[str]) -> None:
        super().__init__("daily bar", DAY_BAR, RUNNING, symbols)
        self._days: dict[str, Row] = {}
        self._midnight_ns = 0

    def _begin(self, midnight_ns: int) -> None:
        self._midnight_ns = midnight_ns
        self._days.clear()

    def _messages(self, bars: Sequence[Row]) -> tuple[Sequence[Row], Sequence[Row]]:
        for bar in bars:
            day = self._days.get(bar["S"], {**bar, "v": 0, "n": 0})
            extremes = {"h": max(day["h"], bar["h"]), "l": min(day["l"], bar["l"])}
            sums = {"v": day["v"] + bar["v"], "n": day["n"] + bar["n"]}
            named = {"T": "d", "t": self._midnight_ns, "o": day["o"]}
            self._days[bar["S"]] = {**bar, **named, **extremes, **sums}
        return (), list(self._days.values())


class _SetClock:
    """A clock (unix ns) that is set."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns
