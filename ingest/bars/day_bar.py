"""The bar of the day: the vendor's so far, and the trades since then.

Alpaca makes daily bars of trades, never of minutes: other trades count for them (``day_effect``).
Prices are those of regular hours, volume is all of the day's. ``dailyBars`` sends the day so far
after each minute mark, with "all trades until the time they were emitted", unchanged for hours
after the close; when it stops is not documented.
(https://docs.alpaca.markets/docs/real-time-stock-pricing-data)
"""

from ingest.bars.bar_changes import BarChange, DayNeed
from ingest.bars.bar_sums import BarSums
from ingest.bars.day_prints import DayPrints
from ingest.bars.day_snapshot import DaySnapshot
from ingest.bars.shown_bars import ShownBars
from ingest.bars.timeframes import DAY, FINAL_AFTER_NS
from ingest.market.bars import Bar
from ingest.market.market_hours import MarketHours
from ingest.market.trading_day import STOCK_DAYS, TradingDays

KEPT = 4
"""The days of which a revision gets the right number."""


class DayBar:
    """One symbol's bar of the newest day. Times are unix nanoseconds, days by ``days``.

    ``prints`` are those since the vendor's bar.
    """

    __slots__ = (
        "_as_of_ns",
        "_base",
        "_cached_due",
        "_days",
        "_is_changed",
        "_is_known",
        "_is_needed",
        "_lost_ns",
        "_symbol",
        "day",
        "prints",
        "shown",
    )

    def __init__(self, symbol: str, day: int, days: TradingDays = STOCK_DAYS) -> None:
        self._days = days
        self.shown = ShownBars(DAY, KEPT)
        self.prints = DayPrints(day)
        self._symbol = symbol
        self.day = day
        self._as_of_ns = self._days.start_of(day)
        """When the vendor's bar was sent, or asked for."""
        self._base: Bar | None = None
        self._is_known = False
        """Whether all of the day was known: by the vendor's bar or from its first trade on."""
        self._is_needed = True
        """Whether REST has to be asked for the vendor's bar."""
        self._lost_ns: int | None = None
        """Since when own sums lack a trade, or the vendor's bar has one that was withdrawn."""
        self._is_changed = False
        self._cached_due: tuple[MarketHours, int, int] | None = None

    @property
    def is_standing(self) -> bool:
        """Whether what is shown stands until the vendor's next bar."""
        return self._lost_ns is not None

    def take_needs(self) -> list[DayNeed]:
        """Return the question for the vendor's bar, if REST has to be asked now, once."""
        is_needed, self._is_needed = self._is_needed, False
        return [DayNeed(self._symbol)] if is_needed else []

    def lose(self, now_ns: int, *, asks: bool) -> None:
        """Take that own sums are wrong: what is shown stands until the vendor's next bar.

        The stream has not brought some trades, or a trade was withdrawn that the vendor's bar has:
        they would make a bar that the day never had. ``asks``: REST is asked for the next bar.
        """
        self._lost_ns, self._is_changed = now_ns, False
        self._is_needed |= asks

    def on_vendor(self, bar: Bar | None, as_of_ns: int, snapshot: DaySnapshot | None) -> bool:
        """Take the vendor's bar of this day so far, None if it has none; return if it is new.

        ``snapshot`` is REST's; None: the stream sent it. A bar that repeats the one before proves
        nothing about the trades since, and an older one is no answer.
        """
        # REST's bar is an answer to a question from before the report of a withdrawal.
        self._review(as_of_ns if snapshot is None else as_of_ns + 1)
        if self._is_known and bar == self._base:
            # After a loss it says that the lost time had no trade.
            self._end_loss(as_of_ns)
            return False
        if self._is_known and (bar is None or as_of_ns < self._as_of_ns):
            return False
        self._base, self._as_of_ns = bar, as_of_ns
        self.prints.begin_after(snapshot)
        self._is_known = self._is_changed = True
        self._end_loss(as_of_ns)
        return True

    def begin(self, day: int, *, is_observed: bool) -> None:
        """Begin a newer day. ``is_observed``: the stream brings its trades from its start."""
        self.day, self._as_of_ns = day, self._days.start_of(day)
        self._base = None
        self.prints.begin_day(day)
        self._is_known, self._lost_ns, self._is_changed = is_observed, None, True
        self._is_needed = True

    def change(self, hours: MarketHours, now_ns: int) -> BarChange | None:
        """Return the version to show now, if it is new."""
        self._review(now_ns)
        self._note_prints()
        is_over = now_ns >= self.due_ns(hours)
        is_due = (
            is_over
            and not self.is_standing
            and self.shown.running_ns == self._days.start_of(self.day)
        )
        if not self._is_known or not (self._is_changed or is_due):
            return None
        self._is_changed = False
        bar = self._bar()
        if bar is None:
            return None
        if not is_over:
            return self.shown.run(bar, partial=False)
        return self.shown.end(bar, final=True)

    def last_change(self) -> BarChange | None:
        """Return the final version of a day before a newer one begins, if it was shown running."""
        if self.shown.running_ns != self._days.start_of(self.day):
            return None
        running = self.shown.running
        bar = running.bar if running and self.is_standing else self._bar()
        return None if bar is None else self.shown.end(bar, final=True)

    def due_ns(self, hours: MarketHours) -> int:
        """Return when the day's bar is final: no trade and no revision is expected any more.

        That is after the last session of the day, at the end of the day if the hours are unknown.
        """
        cached = self._cached_due
        if cached is not None and cached[0] is hours and cached[1] == self.day:
            return cached[2]
        end_ns = self._days.start_of(self.day + 1)
        last = hours.last_close(self._days.start_of(self.day), end_ns)
        due_ns = (end_ns if last is None else last) + FINAL_AFTER_NS
        self._cached_due = hours, self.day, due_ns
        return due_ns

    def _review(self, now_ns: int) -> None:
        """Note a withdrawal that the prints cannot follow."""
        if self.prints.is_outdated:
            self.prints.is_outdated = False
            self.lose(now_ns, asks=True)

    def _end_loss(self, as_of_ns: int) -> None:
        """End a loss, unless the vendor's bar may be from before it."""
        if self._lost_ns is not None and as_of_ns >= self._lost_ns:
            self._lost_ns, self._is_changed = None, True

    def _note_prints(self) -> None:
        # Once the day is over, a print that is reported late reaches its bar by the vendor's.
        if not self.is_standing and self.shown.ended(self._days.start_of(self.day)) is None:
            self._is_changed |= self.prints.is_changed
        self.prints.is_changed = False

    def _bar(self) -> Bar | None:
        if self.is_standing:
            return self._base
        sums = BarSums()
        if self._base is not None:
            sums.add_bar(self._base)
        sums.add(self.prints.sums)
        return sums.bar(self._symbol, self._days.start_of(self.day))
