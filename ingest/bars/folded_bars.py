"""Larger bars, folded from minute bars as Alpaca folds its own.

Source: "Other than minute and daily are aggregated from the minute and daily bars"
(https://docs.alpaca.markets/us/docs/market-data-faq): the first open, the highest high, the lowest
low, the last close, sums of volume and trades, and the mean of the averages by volume. The minutes
of all sessions count.
"""

from collections.abc import Iterable, Mapping

from ingest.bars.bar_changes import BarChange
from ingest.bars.bar_sums import BarSums
from ingest.bars.minute import Minute
from ingest.bars.observed_minutes import ObservedMinutes
from ingest.bars.shown_bars import ShownBars
from ingest.bars.timeframes import (
    BAR_WAIT_NS,
    FINAL_AFTER_NS,
    FOLDED,
    MINUTE_NS,
    Timeframe,
    minute_of,
)
from ingest.market.bars import Bar

KEPT = 16
"""The bars of which a late minute makes a revision with the right number."""


def fold(minutes: Iterable[Bar], start_ns: int) -> Bar | None:
    """Return the bar that minute bars, oldest first, make together; None if there are none."""
    sums, symbol = BarSums(), ""
    for minute in minutes:
        symbol = minute.symbol
        sums.add_bar(minute)
    return sums.bar(symbol, start_ns)


class FoldedBars:
    """One symbol's bars of one timeframe. Times are unix nanoseconds."""

    __slots__ = ("_changed", "_due", "_prefix", "_span_ns", "shown")

    def __init__(self, timeframe: Timeframe, now_ns: int) -> None:
        self._span_ns = FOLDED[timeframe]
        # The bar before may still be revised, and the stream brings none of its minutes.
        self.shown = ShownBars(timeframe, KEPT, self.start_of(now_ns - MINUTE_NS))
        self._changed: set[int] = set()
        self._due: dict[int, int] = {}
        """The bars that are not final, and when time alone changes their state."""
        self._prefix: _Prefix | None = None

    def start_of(self, at_ns: int) -> int:
        """Return the start of the bar that a moment belongs to."""
        return at_ns - at_ns % self._span_ns

    def note(self, minute_ns: int) -> None:
        """Note that a minute has changed."""
        if self._prefix is not None and minute_ns < self._prefix.end_ns:
            self._prefix = None
        self._changed.add(minute_ns - minute_ns % self._span_ns)

    def note_span(self, begin_ns: int, end_ns: int) -> None:
        """Note that the minutes of a span have become known."""
        self._prefix = None
        for start in range(self.start_of(begin_ns), end_ns, self._span_ns):
            self._changed.add(start)

    @property
    def due_ns(self) -> int | None:
        """When time alone next changes the state of a bar; None if it does not."""
        return min(self._due.values(), default=None)

    def changes(
        self, minutes: Mapping[int, Minute], observed: ObservedMinutes, now_ns: int
    ) -> list[BarChange]:
        """Return the versions to show now, oldest bar first.

        ``minutes`` are the symbol's by start; those of bars that may still change are among them.
        """
        starts = self._changed | {start for start, due in self._due.items() if due <= now_ns}
        if not starts:
            return []
        self._changed = set()
        # A newer bar must not be shown before the one that runs has ended.
        if 0 <= self.shown.running_ns < max(starts):
            starts.add(self.shown.running_ns)
        newest_ns = max(starts)
        found: list[BarChange] = []
        for start in sorted(starts):
            change = self._change(start, newest_ns, minutes, observed, now_ns)
            if change is not None:
                found.append(change)
        return found

    def forget_before(self, start_ns: int) -> None:
        """Forget the bars that start before a moment."""
        self._prefix = None
        self.shown.forget_before(start_ns)
        self._changed = {start for start in self._changed if start >= start_ns}
        self._due = {start: due for start, due in self._due.items() if start >= start_ns}

    def restore(self, bar: Bar, revision: int, *, final: bool) -> None:
        """Take over a stored version; if it is not final, it becomes so once its time is over."""
        if self.shown.restore(bar, revision, final=final) and not final:
            self._due[bar.at_ns] = bar.at_ns + self._span_ns + FINAL_AFTER_NS

    def _change(
        self,
        start: int,
        newest_ns: int,
        minutes: Mapping[int, Minute],
        observed: ObservedMinutes,
        now_ns: int,
    ) -> BarChange | None:
        end_ns, shown = start + self._span_ns, self.shown
        self._due.pop(start, None)
        if not shown.brings(start):
            return None
        known_ns = end_ns if now_ns >= end_ns else minute_of(now_ns)
        # ``note_span`` comes when it is known.
        if not observed.is_known(start, max(known_ns, start)):
            return None
        if 0 <= shown.running_ns < start:
            self._changed.add(start)
            return None
        bar, is_partial = self._folded(start, minutes, now_ns)
        before, final = shown.ended(start), now_ns >= end_ns + FINAL_AFTER_NS
        if bar is None:
            # An earlier leader's bar, of which REST has no minute.
            if before is not None and final:
                return shown.end(before.bar, final=True, partial=before.partial)
            return None
        is_given_up = observed.is_given_up(start, end_ns)
        if now_ns < end_ns and start >= max(newest_ns, shown.newest_ns):
            self._due[start] = end_ns + BAR_WAIT_NS
            return shown.run(bar, partial=is_partial or is_given_up)
        if not final:
            last = minutes.get(end_ns - MINUTE_NS)
            is_settled = (last is not None and last.vendor is not None) or (
                now_ns >= end_ns + BAR_WAIT_NS
            )
            self._due[start] = end_ns + (FINAL_AFTER_NS if is_settled else BAR_WAIT_NS)
            # A chart that shows it as running needs its end before it shows a newer one.
            is_overtaken = start == shown.running_ns and start < newest_ns
            if not is_settled and not is_overtaken:
                return None
        if before is not None and is_given_up and before.bar.volume > bar.volume:
            # An earlier leader knew minutes that REST cannot give.
            bar = before.bar
        return shown.end(bar, final=final, partial=is_partial or is_given_up)

    def _folded(
        self, start: int, minutes: Mapping[int, Minute], now_ns: int
    ) -> tuple[Bar | None, bool]:
        """Return the bar, and whether one of its minutes is partial."""
        prefix = self._prefix
        running_ns = minute_of(now_ns)
        if prefix is None or prefix.start_ns != start or prefix.end_ns > running_ns:
            prefix = _Prefix(start)
        end_ns = start + self._span_ns
        if running_ns >= end_ns:
            prefix.extend(minutes, end_ns)
            return prefix.sums.bar(prefix.symbol, start), prefix.is_partial
        prefix.extend(minutes, running_ns)
        self._prefix = prefix
        # If no prints come, no minute runs. A later minute has a clock ahead of this machine's.
        if running_ns not in minutes and running_ns + MINUTE_NS not in minutes:
            return prefix.sums.bar(prefix.symbol, start), prefix.is_partial
        rest = prefix.copy()
        rest.extend(minutes, end_ns)
        return rest.sums.bar(rest.symbol, start), rest.is_partial


class _Prefix:
    """The sums of a bar's first minutes, which seldom change while it runs."""

    __slots__ = ("end_ns", "is_partial", "start_ns", "sums", "symbol")

    def __init__(self, start_ns: int) -> None:
        self.start_ns = self.end_ns = start_ns
        self.sums = BarSums()
        self.symbol = ""
        self.is_partial = False

    def copy(self) -> "_Prefix":
        """Return one that can be extended independently."""
        other = _Prefix(self.start_ns)
        other.end_ns, other.symbol, other.is_partial = self.end_ns, self.symbol, self.is_partial
        other.sums = self.sums.copy()
        return other

    def extend(self, minutes: Mapping[int, Minute], end_ns: int) -> None:
        """Add the minutes up to a moment."""
        for start in range(self.end_ns, end_ns, MINUTE_NS):
            minute = minutes.get(start)
            if minute is None or (bar := minute.bar) is None:
                continue
            self.symbol = minute.symbol
            self.sums.add_bar(bar)
            self.is_partial |= minute.is_partial and minute.vendor is None
        self.end_ns = max(self.end_ns, end_ns)
