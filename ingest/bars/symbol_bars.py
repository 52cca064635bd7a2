"""All bars of one symbol: minutes, the larger bars folded from them, and the day's."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from ingest.bars.bar_changes import (
    BarChange,
    Change,
    FillNeed,
    MinutesNeed,
    Need,
    Reload,
    TradesNeed,
)
from ingest.bars.bar_counts import BarCounts
from ingest.bars.day_bar import DayBar
from ingest.bars.day_snapshot import DaySnapshot
from ingest.bars.folded_bars import FoldedBars
from ingest.bars.minute_bars import KEPT_NS, MinuteBars
from ingest.bars.shown_bars import ShownBars
from ingest.bars.timeframes import (
    DAY,
    FOLDED,
    MINUTE,
    MINUTE_NS,
    Timeframe,
    minute_of,
)
from ingest.market.adjusted_closes import are_rescaled
from ingest.market.bars import Bar
from ingest.market.clock_lead import AHEAD_NS
from ingest.market.market_hours import MarketHours
from ingest.market.prints import Trade
from ingest.market.trading_day import STOCK_DAYS, TradingDays

MINUTES_SHOWN = 32
"""The minute bars of which a revision gets the right number."""


RESTORED_NS = 60 * MINUTE_NS
"""How old an earlier leader's newest minute may be for the later ones to be events."""


class Filled(NamedTuple):
    """The rows of a history to store. ``replaces``: the stored ones have another scale.

    Then the caller deletes those of earlier days first.
    """

    rows: list[BarChange]
    replaces: bool


class Stored(NamedTuple):
    """A version of an ended bar, as an earlier leader stored it."""

    bar: Bar
    revision: int
    final: bool


class SymbolBars:
    """Times are unix nanoseconds. ``minutes`` takes the prints.

    Only the changes of ``timeframes`` are returned.
    """

    __slots__ = ("_day", "_days", "_folded", "_needs", "_out", "_symbol", "minutes", "timeframes")

    def __init__(self, symbol: str, counts: BarCounts, days: TradingDays = STOCK_DAYS) -> None:
        self._symbol: Final = symbol
        self._days: Final = days
        self.minutes = MinuteBars(symbol, counts, days)
        self.timeframes: frozenset[Timeframe] = frozenset()
        self._folded: dict[Timeframe, FoldedBars] = {}
        self._day: DayBar | None = None
        self._out: list[Change] = []
        self._needs: list[Need] = []

    def watch(self, timeframes: frozenset[Timeframe], now_ns: int) -> None:
        """Make these timeframes' bars and no others."""
        new = timeframes - self.timeframes
        self.timeframes = timeframes
        minutes = self.minutes
        if MINUTE not in timeframes:
            minutes.shown = None
        elif minutes.shown is None:
            minutes.shown = ShownBars(MINUTE, MINUTES_SHOWN, minute_of(now_ns))
        self._folded = {
            each: self._folded.get(each) or FoldedBars(each, now_ns)
            for each in FOLDED
            if each in timeframes
        }
        if DAY not in timeframes:
            self._day = minutes.day_prints = None
        elif self._day is None:
            self._day = DayBar(self._symbol, self._days.day_of(now_ns), self._days)
            minutes.day_prints = self._day.prints
        spans = [FOLDED[each] for each in self._folded]
        minutes.is_folded = bool(spans)
        minutes.kept_ns = KEPT_NS + 2 * max(spans, default=0)
        for each in sorted(new):
            self._needs.append(FillNeed(self._symbol, each))
            if each in self._folded:
                minutes.observed.require(self._folded[each].shown.live_from_ns)

    def on_subscribed(self, now_ns: int, *, trades: bool, bars: bool) -> None:
        """Take what the stream brings of this symbol from now on."""
        minutes = self.minutes
        if bars:
            minutes.observed.begin(now_ns)
        else:
            minutes.observed.lose(now_ns)
        if trades == (minutes.trades_from_ns is not None):
            return
        if not trades:
            minutes.trades_from_ns = None
            if self._day is not None:
                self._day.lose(now_ns, asks=False)
            for minute in minutes.minutes.values():
                minute.is_partial |= minute.end_ns > now_ns
            return
        minutes.trades_from_ns = now_ns
        start = minute_of(now_ns)
        if now_ns > start:
            self._needs.append(TradesNeed(self._symbol, start, now_ns))
        if self._day is not None:
            # Those between the vendor's bar and now did not come.
            self._day.lose(now_ns, asks=True)

    def on_missed(self, since_ns: int, now_ns: int) -> None:
        """Take that the stream, which lives, may have lost prints and bars since a moment."""
        minutes = self.minutes
        minutes.observed.miss(since_ns, now_ns)
        for minute in minutes.minutes.values():
            minute.is_partial |= minute.vendor is None and minute.end_ns > since_ns
        if self._day is not None:
            self._day.lose(now_ns, asks=True)

    def on_vendor_bar(self, bar: Bar, now_ns: int) -> None:
        """Apply a minute's bar, or its revision, of the stream.

        Raises:
            ValueError: its time is no minute's start, or in the future.
        """
        if bar.at_ns % MINUTE_NS or bar.at_ns > now_ns + AHEAD_NS:
            raise ValueError(f"{bar.at_ns} ns is no start of a minute that has begun")
        self._out += self.minutes.set_vendor(bar, now_ns, now_ns)

    def on_day_bar(self, bar: Bar, received_ns: int) -> None:
        """Apply the stream's bar of the day: it has the trades that came before it."""
        self._on_day_bar(bar, self._days.day_of(bar.at_ns), received_ns, None)

    def on_rest_day_bar(self, snapshot: DaySnapshot) -> None:
        """Apply a snapshot's bar of the day.

        Before a day's first trade it is an earlier day's: then today has none yet.
        """
        bar, today = snapshot.bar, self._days.day_of(snapshot.asked_ns)
        if bar is None or self._days.day_of(bar.at_ns) < today:
            snapshot = snapshot._replace(bar=None, latest_ns=-1)
        day_number = today if snapshot.bar is None else self._days.day_of(snapshot.bar.at_ns)
        self._on_day_bar(snapshot.bar, day_number, snapshot.asked_ns, snapshot)

    def on_missed_trades(self, need: TradesNeed, trades: Sequence[Trade], now_ns: int) -> None:
        """Apply the trades that REST has of a part of a minute."""
        self.minutes.on_missed_trades(trades, need.begin_ns, now_ns)

    def repair(self, need: MinutesNeed, bars: Iterable[Bar], now_ns: int) -> None:
        """Apply REST's minute bars: the span is known then."""
        minutes = self.minutes
        for bar in sorted(bars, key=_start):
            known = minutes.minutes.get(bar.at_ns)
            if (
                not need.begin_ns <= bar.at_ns < need.end_ns
                # REST's bar of a minute that was running is one of a part of it.
                or bar.at_ns % MINUTE_NS
                or bar.at_ns + MINUTE_NS > need.asked_ns
                # The stream's bar, which came meanwhile, is newer.
                or (known is not None and known.reported_ns > need.asked_ns)
            ):
                continue
            self._out += minutes.set_vendor(bar, now_ns, need.asked_ns, is_history=True)
        self._end_need(need, given_up=False)

    def give_up(self, need: MinutesNeed) -> None:
        """Note that REST cannot give the bars of a span: what is known stands."""
        self._end_need(need, given_up=True)

    def fill(
        self, timeframe: Timeframe, bars: Iterable[Bar], now_ns: int, hours: MarketHours
    ) -> Filled:
        """Take a history of REST's; return the rows to store, oldest first.

        Those are the bars that have ended, that no event brings, and that are not stored in their
        final form.
        """
        shown = self._shown(timeframe)
        if shown is None:
            return Filled([], replaces=False)
        rows = sorted(bars, key=_start)
        today_ns = self._days.start_of(self._days.day_of(now_ns))
        replaces = are_rescaled(
            (before.bar.close, bar.close)
            for bar in rows
            if bar.at_ns < today_ns and (before := shown.ended(bar.at_ns)) is not None
        )
        if replaces:
            self._forget_history(timeframe, today_ns)
        found: list[BarChange] = []
        for bar in rows:
            before = shown.ended(bar.at_ns)
            if before is not None and not before.final:
                change = shown.end(bar, final=True)
                self._out += [] if change is None else [change]
            elif before is None and self._is_history(timeframe, bar.at_ns, now_ns, hours):
                shown.restore(bar, 0, final=True)
                found.append(BarChange(timeframe, bar, final=True))
        return Filled(found, replaces)

    def restore(self, timeframe: Timeframe, stored: Iterable[Stored], now_ns: int) -> None:
        """Take over the versions that an earlier leader stored.

        The bars that have ended since are events.
        """
        shown, minutes = self._shown(timeframe), self.minutes
        if shown is None:
            return
        recent_ns = now_ns - (RESTORED_NS if timeframe == MINUTE else minutes.kept_ns)
        for bar, revision, final in sorted(stored, key=_stored_start):
            folded = self._folded.get(timeframe)
            if folded is not None:
                folded.restore(bar, revision, final=final)
            else:
                shown.restore(bar, revision, final=final)
            if timeframe != DAY and bar.at_ns >= recent_ns:
                # Its last minute may have been revised since.
                again_ns = bar.at_ns - (MINUTE_NS if timeframe == MINUTE else 0)
                oldest = again_ns if not final else max(again_ns, shown.newest_ns)
                shown.live_from_ns = min(shown.live_from_ns, oldest)
                minutes.observed.require(shown.live_from_ns)

    def on_split(self, at_ns: int) -> None:
        """Take that a split takes effect at a moment, the start of a day: older bars are invalid.

        Prints and bars of the stream are in the new shares from then on.
        """
        self.minutes.forget_before(at_ns)
        day = self._day
        if day is not None and self._days.start_of(day.day) < at_ns:
            day.shown.drop_running()  # REST's bar of that day has the new scale
            self._begin_day(day, self._days.day_of(at_ns))
        for timeframe in sorted(self.timeframes):
            self._forget_history(timeframe, at_ns)
            self._needs.append(FillNeed(self._symbol, timeframe))

    def ended(self, timeframe: Timeframe) -> list[BarChange]:
        """Return the newest versions of the ended bars that are kept, in no order."""
        shown = self._shown(timeframe)
        return [] if shown is None else shown.versions

    def repeat_running(self) -> None:
        """Show the running bars again: Redis has lost them, and a quiet symbol's change seldom."""
        for timeframe in sorted(self.timeframes):
            shown = self._shown(timeframe)
            if shown is not None and shown.running is not None:
                self._out.append(shown.running)

    def changes(self, now_ns: int, hours: MarketHours) -> list[Change]:
        """Return the versions to show now, in order; none of them is returned twice."""
        minutes, day = self.minutes, self._day
        if self.is_idle:
            changes, self._out = self._out, []
            return changes
        for minute in minutes.changed:
            for folded in self._folded.values():
                folded.note(minute.start_ns)
            if day is not None and minute.day > day.day:
                self._begin_day(day, minute.day)
        self._out += minutes.changes(now_ns)
        for folded in self._folded.values():
            self._out += folded.changes(minutes.minutes, minutes.observed, now_ns)
        if day is not None:
            change = day.change(hours, now_ns)
            self._out += [] if change is None else [change]
        changes, self._out = self._out, []
        return changes

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing beyond the vendor's minutes, which are shown as they come."""
        return self.minutes.is_idle and not self._folded and self._day is None

    def needs(self, now_ns: int) -> list[Need]:
        """Return the questions for REST, each once."""
        needs, self._needs = self._needs, []
        if self._day is not None:
            needs += self._day.take_needs()
        spans = [
            *self.minutes.observed.take_holes(),
            *((each, each + MINUTE_NS) for each in self.minutes.take_asked(now_ns)),
        ]
        return [*needs, *(MinutesNeed(self._symbol, *span, now_ns) for span in spans)]

    def due_ns(self, hours: MarketHours) -> int | None:
        """Return when time alone next changes a bar; None if it does not."""
        if self.is_idle:
            return None
        due = [self.minutes.due_ns, *(each.due_ns for each in self._folded.values())]
        day = self._day
        if day is not None and day.shown.running_ns >= 0:
            due.append(day.due_ns(hours))
        return min((each for each in due if each is not None), default=None)

    def _on_day_bar(
        self, bar: Bar | None, day_number: int, as_of_ns: int, snapshot: DaySnapshot | None
    ) -> None:
        day = self._day
        if day is None:
            return
        if day_number > day.day:
            self._begin_day(day, day_number)
        if day_number < day.day:
            # Yesterday's, if it was shown.
            if bar is not None and day.shown.ended(bar.at_ns) is not None:
                change = day.shown.end(bar, final=True)
                self._out += [] if change is None else [change]
        elif day.on_vendor(bar, as_of_ns, snapshot):
            self.minutes.on_day_bar()

    def _begin_day(self, day: DayBar, number: int) -> None:
        last = day.last_change()
        self._out += [] if last is None else [last]
        from_ns = self.minutes.trades_from_ns
        day.begin(
            number, is_observed=from_ns is not None and from_ns <= self._days.start_of(number)
        )

    def _end_need(self, need: MinutesNeed, *, given_up: bool) -> None:
        begin_ns, end_ns = need.begin_ns, need.end_ns
        self.minutes.observed.close(begin_ns, end_ns, given_up=given_up)
        self._out += self.minutes.confirm(begin_ns, end_ns, is_answered=not given_up)
        for folded in self._folded.values():
            folded.note_span(begin_ns, end_ns)

    def _is_history(
        self, timeframe: Timeframe, start_ns: int, now_ns: int, hours: MarketHours
    ) -> bool:
        """Return whether a bar has ended and is brought by no event."""
        if timeframe == DAY:
            day = self._day
            return start_ns < self._days.start_of(self._days.day_of(now_ns)) or (
                day is not None and now_ns >= day.due_ns(hours)
            )
        shown = self._shown(timeframe)
        return shown is not None and start_ns < shown.live_from_ns

    def _forget_history(self, timeframe: Timeframe, before_ns: int) -> None:
        """Forget the stored bars of another scale, and have clients read them again."""
        shown = self._shown(timeframe)
        if timeframe in self._folded:
            self._folded[timeframe].forget_before(before_ns)
        elif shown is not None:
            shown.forget_before(before_ns)
        self._out.append(Reload(self._symbol, timeframe, "split", before_ns))

    def _shown(self, timeframe: Timeframe) -> ShownBars | None:
        """Return the bars that were shown of a timeframe; None if it is not watched."""
        if timeframe == MINUTE:
            return self.minutes.shown
        if timeframe == DAY:
            return None if self._day is None else self._day.shown
        folded = self._folded.get(timeframe)
        return None if folded is None else folded.shown


def _start(bar: Bar) -> int:
    return bar.at_ns


def _stored_start(stored: Stored) -> int:
    return stored.bar.at_ns
