"""The bar of the day: the vendor's so far, and the trades since then.

Alpaca makes daily bars of trades, never of minutes: other trades count for them (``day_effect``).
Prices are those of regular hours, volume is all of the day's. ``dailyBars`` sends the day so far
after each minute mark, unchanged for hours after the close; when it stops is not documented.
"""

from collections.abc import Mapping

from ingest.bars.bar_changes import BarChange
from ingest.bars.bar_sums import BarSums
from ingest.bars.minute import Minute
from ingest.bars.shown_bars import ShownBars
from ingest.bars.timeframes import DAY, FINAL_AFTER_NS, MINUTE_NS
from ingest.market.bars import Bar
from ingest.market.market_hours import MarketHours
from ingest.market.trading_day import start_of

KEPT = 4
"""The days of which a revision gets the right number."""


class DayBar:
    """One symbol's bar of the newest day. Times are unix nanoseconds, days by ``day_of``.

    ``through_ns``: the vendor's bar has the trades before this moment, and own sums those from it.
    """

    __slots__ = (
        "_base",
        "_cached_due",
        "_earlier",
        "_is_changed",
        "_is_known",
        "_is_lost",
        "_symbol",
        "day",
        "shown",
        "through_ns",
    )

    def __init__(self, symbol: str, day: int) -> None:
        self.shown = ShownBars(DAY, KEPT)
        self._symbol = symbol
        self.day = day
        self.through_ns = start_of(day)
        self._base: Bar | None = None
        self._earlier = BarSums()
        """The trades since then whose minutes are forgotten."""
        self._is_known = False
        """Whether all of the day was known: by the vendor's bar or from its first trade on."""
        self._is_lost = False
        """Whether trades since then are missing."""
        self._is_changed = False
        self._cached_due: tuple[MarketHours, int, int] | None = None

    def note(self) -> None:
        """Note that a minute has changed."""
        # Once the day is over, a print that is reported late reaches its bar by the vendor's.
        if self.shown.ended(start_of(self.day)) is None:
            self._is_changed = True

    def lose(self) -> None:
        """Note that the stream has lost trades: what is shown stands until the vendor's next bar.

        Own sums would lack them: a bar that the day never had.
        """
        self._is_lost = True

    def forget(self, minute: Minute) -> None:
        """Keep the day's part of a minute that is forgotten."""
        if minute.day == self.day and minute.end_ns > self.through_ns and minute.day_sums:
            self._earlier.add(minute.day_sums)

    def on_vendor(self, bar: Bar | None, through_ns: int) -> bool:
        """Take the vendor's bar of this day so far, None if it has none.

        It has the trades before ``through_ns``: if it is new, which is returned, the caller leaves
        them out of the minutes' sums. A bar that repeats the one before proves nothing about the
        trades since, and an older one is no answer.
        """
        if self._is_known and bar == self._base:
            # After a loss it says that the lost time had no trade.
            self._is_changed |= self._is_lost
            self._is_lost = False
            return False
        if self._is_known and (bar is None or through_ns < self.through_ns):
            return False
        self._base, self.through_ns = bar, max(through_ns, start_of(self.day))
        self._earlier = BarSums()
        self._is_known, self._is_lost, self._is_changed = True, False, True
        return True

    def begin(self, day: int, *, is_observed: bool) -> None:
        """Begin a newer day. ``is_observed``: the stream brings its trades from its start."""
        self.day, self.through_ns = day, start_of(day)
        self._base, self._earlier = None, BarSums()
        self._is_known, self._is_lost, self._is_changed = is_observed, False, True

    def change(
        self, minutes: Mapping[int, Minute], hours: MarketHours, now_ns: int
    ) -> BarChange | None:
        """Return the version to show now, if it is new."""
        is_over = now_ns >= self.due_ns(hours)
        start_ns = start_of(self.day)
        if (
            not self._is_known
            or self._is_lost
            or not (self._is_changed or (is_over and self.shown.running_ns == start_ns))
        ):
            return None
        self._is_changed = False
        bar = self._bar(minutes, start_ns)
        if bar is None:
            return None
        if not is_over:
            return self.shown.run(bar, partial=False)
        return self.shown.end(bar, final=True)

    def last_change(self, minutes: Mapping[int, Minute]) -> BarChange | None:
        """Return the final version of a day before a newer one begins, if it was shown running."""
        start_ns = start_of(self.day)
        if self.shown.running_ns != start_ns:
            return None
        bar = self._bar(minutes, start_ns)
        return None if bar is None else self.shown.end(bar, final=True)

    def due_ns(self, hours: MarketHours) -> int:
        """Return when the day's bar is final: no trade and no revision is expected any more.

        That is after the last session of the day, at the end of the day if the hours are unknown.
        """
        cached = self._cached_due
        if cached is not None and cached[0] is hours and cached[1] == self.day:
            return cached[2]
        end_ns = start_of(self.day + 1)
        last = hours.last_close(start_of(self.day), end_ns)
        due_ns = (end_ns if last is None else last) + FINAL_AFTER_NS
        self._cached_due = hours, self.day, due_ns
        return due_ns

    def _bar(self, minutes: Mapping[int, Minute], start_ns: int) -> Bar | None:
        sums = BarSums()
        if self._base is not None:
            sums.add_bar(self._base)
        sums.add(self._earlier)
        from_ns = self.through_ns - MINUTE_NS
        for start in sorted([start for start in minutes if start > from_ns]):
            minute = minutes[start]
            if minute.day_sums is not None and minute.day == self.day:
                sums.add(minute.day_sums)
        return sums.bar(self._symbol, start_ns)
