"""One symbol's minutes: from prints while they run, by the vendor's bars once those are there."""

from collections.abc import Sequence
from typing import Final

from ingest.bars.bar_changes import BarChange
from ingest.bars.bar_counts import BarCounts
from ingest.bars.bar_sums import counts
from ingest.bars.day_prints import DayPrints
from ingest.bars.minute import Minute
from ingest.bars.observed_minutes import ObservedMinutes
from ingest.bars.print_reports import PrintReports
from ingest.bars.shown_bars import ShownBars
from ingest.bars.timeframes import BAR_WAIT_NS, MINUTE_NS, minute_of
from ingest.market.bars import Bar
from ingest.market.clock_lead import AHEAD_NS
from ingest.market.prints import Cancel, Correction, StreamedPrint, Trade, print_of
from ingest.market.trading_day import STOCK_DAYS, TradingDays
from ingest.market.withdrawal import PrintIdentity, Withdrawal, Withdrawn, corrected

KEPT_NS = 10 * MINUTE_NS
"""The minutes that are kept in any case, before the newest one."""

PRINTS_KEPT_NS = 5 * MINUTE_NS
"""The minutes whose prints are kept although no bar of the vendor's replaces them."""


class MinuteBars:
    """Times are unix nanoseconds.

    ``minutes`` are those with prints or a bar, by start; ``changed`` those that have changed since
    ``changes`` was called. ``is_folded``: larger bars are made of them. ``shown`` is None if minute
    bars are not watched, ``day_prints`` if the bar of the day is not: it gets each print too.
    """

    __slots__ = (
        "_asked",
        "_counts",
        "_days",
        "_pending",
        "_reports",
        "_symbol",
        "changed",
        "current",
        "day_prints",
        "is_folded",
        "kept_ns",
        "minutes",
        "observed",
        "shown",
        "trades_from_ns",
    )

    def __init__(self, symbol: str, counts: BarCounts, days: TradingDays = STOCK_DAYS) -> None:
        self._days = days
        self._symbol: Final = symbol
        self._counts = counts
        self._reports = PrintReports()
        self._pending: set[int] = set()
        """The minutes with prints that the vendor has sent no bar for."""
        self._asked: set[int] = set()
        """Those of them that REST was asked for."""
        self.minutes: dict[int, Minute] = {}
        self.changed: list[Minute] = []
        self.current = Minute(symbol, -MINUTE_NS, is_partial=True, days=days)
        """The newest minute, which nearly all prints belong to; at first one of no print."""
        self.observed = ObservedMinutes()
        self.shown: ShownBars | None = None
        self.is_folded = False
        self.kept_ns = KEPT_NS
        self.day_prints: DayPrints | None = None
        self.trades_from_ns: int | None = None
        """Since when the stream brings each print; None if it does not."""

    def on_trade(self, trade: StreamedPrint, at_ns: int, now_ns: int) -> None:
        """Apply a print of the stream."""
        if not counts(trade):
            return
        minute = self.current
        if not minute.start_ns <= at_ns < minute.end_ns or trade.id in self._reports.ids:
            self._on_unusual_trade(trade, at_ns, now_ns)
            return
        self._add(minute, trade, at_ns, now_ns)

    def on_cancel(self, cancel: Cancel) -> None:
        """Withdraw a print."""
        self._withdraw(Withdrawal(Withdrawn.by_cancel(cancel), None, cancel.at_ns))

    def on_correction(self, correction: Correction) -> None:
        """Correct a print."""
        report = Withdrawal(Withdrawn.by_correction(correction), correction, correction.at_ns)
        self._withdraw(report)

    def on_missed_trades(self, trades: Sequence[Trade], begin_ns: int, now_ns: int) -> None:
        """Add the prints that REST has of the minute that starts at ``begin_ns``."""
        minute = self.minute_at(minute_of(begin_ns), now_ns)
        if minute is None:
            return
        valid = map(self._reports.as_reported, trades)
        minute.add_missed(
            each
            for each in valid
            if each is not None and minute.start_ns <= each.at_ns < minute.end_ns
        )
        # It is whole only if the stream has brought the rest.
        minute.is_partial = self.trades_from_ns is None
        self._await(minute)

    def set_vendor(
        self, bar: Bar, now_ns: int, reported_ns: int, *, is_history: bool = False
    ) -> list[BarChange]:
        """Put the vendor's bar in the place of a minute's; return the versions to show.

        ``reported_ns``: when the vendor sent it or REST was asked for it. ``is_history``: REST's,
        which is no event if clients read it as history.
        """
        start = bar.at_ns
        # Minutes are kept for prints and for larger bars. To most symbols' bars there is no more.
        minute = self.minute_at(start, now_ns) if self._keeps_bars(start) else None
        if minute is not None:
            if minute.vendor is None and not minute.is_partial:
                self._counts.compare(minute.bar, bar)
            minute.vendor, minute.reported_ns = bar, reported_ns
            self._pending.discard(start)
            self._asked.discard(start)
            self._note(minute)
            # Its prints are needed until the vendor's bar of the day has them.
            if self.day_prints is None:
                minute.forget_prints()
        if self.shown is None or (is_history and not self.shown.brings(start)):
            return []
        ended = self._end_running(start)
        change = self.shown.end(bar, final=True)
        return ended if change is None else [*ended, change]

    def confirm(self, begin_ns: int, end_ns: int, *, is_answered: bool) -> list[BarChange]:
        """Make the minutes of a span final that have no bar of the vendor's; return the versions.

        ``is_answered``: REST has answered that it has none; otherwise it is unavailable.
        """
        found: list[BarChange] = []
        shown = self.shown
        for start in sorted(each for each in self._pending if begin_ns <= each < end_ns):
            minute = self.minutes[start]
            bar = minute.bar
            self._pending.discard(start)
            self._asked.discard(start)
            self._counts.unexpected += is_answered and bar is not None
            if bar is None or shown is None or not shown.brings(start):
                continue
            found += self._end_running(start)
            if (change := shown.end(bar, final=True, partial=minute.is_partial)) is not None:
                found.append(change)
        if shown is None:
            return found
        # Those of an earlier leader that had prints and no bar of the vendor's.
        for start in shown.unfinished:
            before = shown.ended(start)
            if begin_ns <= start < end_ns and before is not None:
                change = shown.end(before.bar, final=True, partial=before.partial)
                found += [] if change is None else [change]
        return found

    def changes(self, now_ns: int) -> list[BarChange]:
        """Return the versions to show that own prints and the time make; clear ``changed``."""
        changed, self.changed = self.changed, []
        for minute in changed:
            minute.is_changed = False
        shown, found = self.shown, list[BarChange]()
        if shown is None:
            return found
        due = {start for start in self._pending if self._is_due(start, now_ns)}
        own = {each.start_ns for each in changed if each.vendor is None}
        for start in sorted(own | due):
            found += self._show_own(start, start in due, shown, now_ns)
        return found

    def take_asked(self, now_ns: int) -> list[int]:
        """Return the minutes that are over, have own prints, and have to be asked for at REST."""
        due = [each for each in sorted(self._pending - self._asked) if self._is_due(each, now_ns)]
        new = [start for start in due if self.minutes[start].bar is not None]
        self._asked.update(new)
        # Odd lots make no bar, so the vendor has none.
        self._pending.difference_update(due)
        self._pending.update(new)
        return new

    @property
    def due_ns(self) -> int | None:
        """When time alone next ends a minute that has no bar of the vendor's."""
        waiting = [
            start for start in self._pending - self._asked if not self.observed.is_awaited(start)
        ]
        return min(waiting) + MINUTE_NS + BAR_WAIT_NS if waiting else None

    def minute_at(self, at_ns: int, now_ns: int) -> Minute | None:
        """Return the minute of a moment; None if it is in the future or forgotten."""
        start = minute_of(at_ns)
        minute = self.minutes.get(start)
        if minute is not None:
            return minute
        newest = self.current
        if at_ns > now_ns + AHEAD_NS or start < newest.start_ns - self.kept_ns:
            return None
        from_ns = self.trades_from_ns
        is_partial = from_ns is None or from_ns > start
        minute = Minute(self._symbol, start, is_partial=is_partial, days=self._days)
        if self.shown is not None and (version := self.shown.ended(start)) and version.final:
            minute.vendor = version.bar
        self.minutes[start] = minute
        if start > newest.start_ns:
            self.current = minute
            self._forget()
        return minute

    @property
    def is_idle(self) -> bool:
        """Whether nothing has changed and time alone changes nothing."""
        return not self.changed and not self._pending

    def on_day_bar(self) -> None:
        """Forget the prints that no bar needs: the vendor's bars have them."""
        for minute in self.minutes.values():
            if minute.vendor is not None:
                minute.forget_prints()

    def forget_before(self, start_ns: int) -> None:
        """Forget the minutes that start before a moment."""
        for start in [start for start in self.minutes if start < start_ns]:
            self._drop(start)
        self.changed = [each for each in self.changed if each.start_ns >= start_ns]
        self.observed.forget_before(start_ns)
        if self.shown is not None:
            self.shown.forget_before(start_ns)

    def _on_unusual_trade(self, trade: StreamedPrint, at_ns: int, now_ns: int) -> None:
        minute = self.minute_at(at_ns, now_ns)
        if minute is None:
            return
        valid: StreamedPrint | None = trade
        if trade.id in self._reports.ids:
            valid = self._reports.as_reported(print_of(trade, at_ns))
        if valid is None:
            return
        if counts(valid):
            self._add(minute, valid, at_ns, now_ns)

    def _add(self, minute: Minute, trade: StreamedPrint, at_ns: int, now_ns: int) -> None:
        minute.add(trade, at_ns)
        if self.day_prints is not None:
            self.day_prints.add(trade, at_ns, now_ns, minute.day)
        if not minute.is_changed:
            self._await(minute)

    def _withdraw(self, report: Withdrawal) -> None:
        if self._reports.is_known(report):
            return
        report.withdrawn = self._reports.present_form(report.withdrawn)
        found, day_prints = self._find(report.withdrawn), self.day_prints
        if found is not None:
            minute, index, trade = found
            valid = self._valid_form(report, trade)
            before = minute.replace(index, valid)
            if day_prints is not None:
                day_prints.replace(before, valid, minute.day)
            self._await(minute)
        elif day_prints is not None:
            # It came after the vendor's bar of its minute, which has it.
            late = day_prints.find(report.withdrawn)
            if late is None:  # it is older than the prints that are kept, or comes yet
                day_prints.is_outdated = True
            else:
                before, at_ns = late
                valid = self._valid_form(report, print_of(before, at_ns))
                day_prints.replace(before, valid, self._days.day_of(at_ns))
        self._reports.add(report)

    def _valid_form(self, report: Withdrawal, trade: Trade) -> Trade | None:
        """Return the form of a withdrawn print that is valid now; None if none is."""
        report.print = PrintIdentity.of(trade)
        new = report.corrected
        # The corrected print may be cancelled already, or corrected again.
        valid = None if new is None else corrected(new, trade.at_ns)
        return valid and self._reports.as_reported(valid)

    def _find(self, withdrawn: Withdrawn) -> tuple[Minute, int, Trade] | None:
        """Return the place of the print that a report means; of several, the newest."""
        for start in sorted(self.minutes, reverse=True):
            minute = self.minutes[start]
            prints = minute.prints or ()
            named = [i for i in range(len(prints)) if prints[i].id == withdrawn.key.id]
            for index in sorted(named, key=lambda i: minute.times[i], reverse=True):
                trade = print_of(prints[index], minute.times[index])
                if withdrawn.names(PrintIdentity.of(trade)):
                    return minute, index, trade
        return None

    def _show_own(self, start: int, is_due: bool, shown: ShownBars, now_ns: int) -> list[BarChange]:
        minute = self.minutes[start]
        bar = minute.sums.bar(self._symbol, start)
        # A late print of a minute that clients read as history is in REST's bar of it.
        if bar is None or not shown.brings(start):
            return []
        partial = minute.is_partial
        if now_ns < minute.end_ns and start >= max(self.current.start_ns, shown.newest_ns):
            ended = self._end_running(start)
            change = shown.run(bar, partial=partial)
        # The vendor's bar is awaited until it is overdue.
        elif is_due:
            ended = self._end_running(start)
            change = shown.end(bar, final=False, partial=partial)
        else:
            return []
        return ended if change is None else [*ended, change]

    def _end_running(self, before_ns: int) -> list[BarChange]:
        """End the running bar, which a newer one follows; return its version.

        A client that connects after the newer one has come would never see it otherwise.
        """
        shown = self.shown
        if shown is None or not 0 <= shown.running_ns < before_ns:
            return []
        start = shown.running_ns
        minute = self.minutes.get(start)
        bar = None if minute is None else minute.bar
        if minute is None or bar is None:
            shown.drop_running()
            return []
        change = shown.end(bar, final=False, partial=minute.is_partial)
        return [] if change is None else [change]

    def _is_due(self, start: int, now_ns: int) -> bool:
        """Return whether the vendor's bar of a minute is overdue and the stream is there."""
        return now_ns >= start + MINUTE_NS + BAR_WAIT_NS and not self.observed.is_awaited(start)

    def _keeps_bars(self, start_ns: int) -> bool:
        """Return whether the bar of a minute matters beyond its being shown."""
        return (
            self.shown is None
            or self.is_folded
            or self.trades_from_ns is not None
            or self.day_prints is not None
            or start_ns in self.minutes
        )

    def _await(self, minute: Minute) -> None:
        """Note a change of a minute, which the vendor has to send a bar for."""
        if minute.vendor is None:
            self._pending.add(minute.start_ns)
        self._note(minute)

    def _note(self, minute: Minute) -> None:
        if not minute.is_changed:
            minute.is_changed = True
            self.changed.append(minute)

    def _forget(self) -> None:
        """Forget the oldest minutes, and the prints of those that are old."""
        newest_ns = self.current.start_ns
        # A minute that came late stands behind newer ones, and is forgotten with those.
        while (oldest := next(iter(self.minutes))) < newest_ns - self.kept_ns:
            self._drop(oldest)
        for start in [each for each in self._pending if each < newest_ns - PRINTS_KEPT_NS]:
            self.minutes[start].forget_prints()

    def _drop(self, start: int) -> None:
        minute = self.minutes.pop(start)
        if minute.is_changed:
            self.changed.remove(minute)
            minute.is_changed = False
        self._pending.discard(start)
        self._asked.discard(start)
