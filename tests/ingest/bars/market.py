"""A market by the minute before and after the full hour, its stream with faults, and its REST.

Everything that reaches the table is noted, so that ``rules`` can build the bars again at the end.
"""

from collections.abc import Iterator
from typing import NamedTuple

from ingest.bars.bar_changes import DayNeed, MinutesNeed, TradesNeed
from ingest.bars.day_snapshot import DaySnapshot
from ingest.market.bars import Bar
from ingest.market.prints import Cancel, Correction, Trade
from ingest.market.trading_day import day_of, start_of
from tests.ingest.bars.rules import bar_of, folded, rule_of
from tests.ingest.bars.streamed import ALL, MINUTE, SECOND, Streamed
from tests.ingest.trades import NOON, cancel_of, correction_of, trade

START = NOON + 57 * MINUTE
"""Three minutes before larger bars of all spans end together."""

LAST_ACT = NOON + 61 * MINUTE
SPANS = {"5Min": 5 * MINUTE, "15Min": 15 * MINUTE, "1Hour": 60 * MINUTE}


class Print(NamedTuple):
    """Values of a print that a test draws."""

    price: float
    size: int
    conditions: str
    tape: str


class Vendor(NamedTuple):
    """The bar that the vendor has of a minute, and when it said so or was asked."""

    bar: Bar
    said_ns: int
    streamed: bool


class Market:
    """The clock starts ``offset`` seconds after ``START``."""

    def __init__(self, offset: float) -> None:
        self.stream = Streamed(*ALL, now=START + round(offset * SECOND), trades=False, bars=False)
        self.live_from = self.stream.now - self.stream.now % MINUTE
        self.is_lost = False
        self.prints: list[Trade] = []
        """All prints in their newest form, by number."""
        self.originals: list[Trade] = []
        self.arrived: list[int] = []
        self.received: dict[int, int] = {}
        self.overtaken: list[int] = []
        self.withdrawn: set[int] = set()
        self.corrected: set[int] = set()
        self.vendor: dict[int, Vendor] = {}
        self.streamed_bars: set[int] = set()
        self.day: Bar | None = None
        self.day_as_of = -1
        self.day_close_ns = -1
        self.day_snapshot: DaySnapshot | None = None
        self.in_day: set[int] = set()
        """The prints that the vendor's bar of the day contains."""
        self.day_shown: Bar | None = None
        self.is_day_standing = False
        """Whether the day's bar stands until the vendor says how it is."""
        self.stream.subscribe()

    @property
    def now(self) -> int:
        """The time."""
        return self.stream.now

    def settle(self) -> None:
        """Take what the table shows now."""
        self.stream.take()
        if self.day_as_of >= 0 and not self.is_day_standing:
            self.day_shown = self._day()

    def wait(self, seconds: float) -> None:
        """Let time pass, in one step."""
        self.stream.now += min(round(seconds * SECOND), max(0, LAST_ACT - self.now))
        self.settle()

    def trade(self, age: float, drawn: Print, *, overtaken: bool = False) -> None:
        """Make a print that is so many seconds old; a lost stream does not bring it.

        ``overtaken``: its reports come before it.
        """
        number = len(self.prints)
        at = self.now - round(age * SECOND) + number
        made = trade(at, drawn.price, drawn.conditions, tape=drawn.tape, size=drawn.size,
                     number=number)  # fmt: skip
        self.prints.append(made)
        self.originals.append(made)
        if overtaken and not self.is_lost:
            self.overtaken.append(number)
        elif not self.is_lost:
            self._arrive(number)

    def deliver(self) -> None:
        """Bring the prints whose reports came before them."""
        if not self.is_lost:
            for number in self.overtaken:
                self._arrive(number)
        self.overtaken = []

    def cancel(self, which: int) -> None:
        """Cancel a print in its newest form, once."""
        if not self.prints or self.is_lost:
            return
        number = which % len(self.prints)
        if number not in self.withdrawn:
            self._note_withdrawal(number)
            self.withdrawn.add(number)
            report = cancel_of(self.prints[number], self.now)
            assert isinstance(report, Cancel)
            self.stream.table.on_cancel(report)
            self.settle()

    def correct(self, which: int, drawn: Print) -> None:
        """Correct a print, once."""
        if not self.prints or self.is_lost:
            return
        number = which % len(self.prints)
        if number in self.withdrawn or number in self.corrected:
            return
        self._note_withdrawal(number)
        self.corrected.add(number)
        wrong = self.prints[number]
        report = correction_of(wrong, drawn.price, number=10_000 + number, size=drawn.size,
                               conditions=drawn.conditions, at=self.now)  # fmt: skip
        assert isinstance(report, Correction)
        self.prints[number] = trade(wrong.at_ns, drawn.price, drawn.conditions, tape=wrong.tape,
                                    size=drawn.size, number=10_000 + number)  # fmt: skip
        self.stream.table.on_correction(report)
        self.settle()

    def bar(self, minutes_ago: int, close: float, volume: int) -> None:
        """Bring the vendor's bar of a minute that has ended, perhaps for the second time."""
        if self.is_lost:
            return
        start = self.now - self.now % MINUTE - minutes_ago * MINUTE
        made = self._bar(start, close, volume)
        self.stream.table.on_bar(made, self.now)
        self.vendor[start] = Vendor(made, self.now, streamed=True)
        self.streamed_bars.add(start)
        self.settle()

    def day_bar(self, close: float, volume: int) -> None:
        """Bring the vendor's bar of the day so far."""
        if not self.is_lost:
            made = self._bar(start_of(day_of(self.now)), close, volume)
            self.stream.table.on_day_bar(made, self.now)
            self._note_day(made, self.now, None)
            self.settle()

    def lose(self) -> None:
        """Lose the connection; prints on their way are lost too."""
        if not self.is_lost:
            self.is_lost, self.overtaken = True, []
            self.is_day_standing = True
            self.stream.lose()
            self.settle()

    def reconnect(self) -> None:
        """Subscribe again."""
        if self.is_lost:
            self.is_lost = False
            self.stream.subscribe()
            self.settle()

    def answer(self, rows: list[tuple[int, float, int]] | None) -> None:
        """Answer REST's oldest question.

        ``rows``: the bars that it has, by minute, close and volume; None: it is unavailable.
        """
        if not self.stream.needs:
            return
        need = self.stream.needs.pop(0)
        table, now = self.stream.table, self.now
        if isinstance(need, MinutesNeed):
            if rows is None:
                table.give_up(need)
            else:
                table.repair(need, list(self._rows(need, rows)), now)
        elif isinstance(need, TradesNeed) and rows is not None:
            numbers = [
                number
                for number, made in enumerate(self.originals)
                if need.begin_ns <= made.at_ns < need.end_ns
            ]
            table.complete(need, [self.originals[number] for number in numbers], now)
            new = [number for number in numbers if number not in self.arrived]
            self.arrived += new
            self.received |= dict.fromkeys(new, now)
            self.in_day.update(new)
        elif isinstance(need, DayNeed) and rows is not None:
            made = None
            if rows:
                made = self._bar(start_of(day_of(now)), rows[0][1], rows[0][2])
            latest = now - rows[0][0] * SECOND if rows else -1
            snapshot = DaySnapshot(made, latest, now)
            table.on_rest_day_bar("SPY", snapshot)
            self._note_day(made, now, snapshot)
        self.settle()

    def end(self) -> None:
        """Reconnect, answer all questions, and let time pass until everything is final."""
        self.reconnect()
        self.deliver()
        while self.stream.needs:
            self.answer([])
        until = LAST_ACT + 2 * MINUTE
        while self.now < until:
            self.stream.now += 3 * SECOND
            self.settle()
            while self.stream.needs:
                self.answer([])

    def minutes(self) -> dict[int, Bar]:
        """Return the minutes by brute force."""
        own: dict[int, list[Trade]] = {}
        for each in self._valid():
            own.setdefault(each.at_ns - each.at_ns % MINUTE, []).append(each)
        found = {start: bar for start in own if (bar := bar_of(own[start], start))}
        return found | {start: vendor.bar for start, vendor in self.vendor.items()}

    def expected(self) -> dict[tuple[str, int], Bar]:
        """Return the newest bars of all timeframes by brute force."""
        minutes = self.minutes()
        found = {
            ("1Min", start): bar
            for start, bar in minutes.items()
            if start >= self.live_from or start in self.streamed_bars
        }
        for timeframe, span in SPANS.items():
            first = self.live_from - MINUTE
            for start in range(first - first % span, self.now, span):
                inside = [bar for each, bar in minutes.items() if start <= each < start + span]
                if (bar := folded(inside, start)) is not None:
                    found[timeframe, start] = bar
        if self.day_shown is not None:
            found["1Day", start_of(day_of(self.now))] = self.day_shown
        return found

    def _day(self) -> Bar | None:
        since = (
            self.prints[each]
            for each in self.arrived
            if each not in self.withdrawn and each not in self.in_day
        )
        start, close_ns = start_of(day_of(self.now)), self.day_close_ns
        return bar_of(since, start, is_day=True, base=self.day, base_close_ns=close_ns)

    def _note_withdrawal(self, number: int) -> None:
        self.is_day_standing |= number not in self.arrived or number in self.in_day

    def _valid(self) -> Iterator[Trade]:
        return (self.prints[each] for each in self.arrived if each not in self.withdrawn)

    def _arrive(self, number: int) -> None:
        if number not in self.arrived:
            self.arrived.append(number)
            self.received[number] = self.now
            print_ = self.prints[number]
            if self.day_snapshot and self.day_snapshot.may_contain(print_, print_.at_ns):
                self.in_day.add(number)
        made = self.originals[number]
        self.stream.table.on_trade(made, made.at_ns, self.now)
        self.settle()

    def _rows(self, need: MinutesNeed, rows: list[tuple[int, float, int]]) -> Iterator[Bar]:
        span = (need.end_ns - need.begin_ns) // MINUTE
        for number, close, volume in {row[0] % span: row for row in rows}.values():
            start = need.begin_ns + number % span * MINUTE
            made = self._bar(start, close, volume)
            yield made
            known = self.vendor.get(start)
            if known is None or known.said_ns <= need.asked_ns:
                self.vendor[start] = Vendor(made, need.asked_ns, streamed=False)

    def _note_day(self, made: Bar | None, as_of: int, snapshot: DaySnapshot | None) -> None:
        # An older bar is no answer, one that repeats the bar before proves nothing, and that there
        # is none says nothing if one was there.
        # After a loss it says that the lost time had no trade.
        if self.day_as_of >= 0 and made == self.day:
            self.is_day_standing = False
            return
        if self.day_as_of >= 0 and (made is None or as_of < self.day_as_of):
            return
        self.is_day_standing = False
        self.day, self.day_as_of, self.day_snapshot = made, as_of, snapshot
        if snapshot is None:
            self.day_close_ns = max([self.day_close_ns, *self._close_times()])
            self.in_day.update(self.arrived)
        else:
            self.day_close_ns = snapshot.latest_ns
            self.in_day |= {
                number
                for number in self.arrived
                if snapshot.contains(
                    self.prints[number], self.prints[number].at_ns, self.received[number]
                )
            }

    def _close_times(self) -> list[int]:
        """Return the times of the prints that may be the close of the vendor's next bar."""
        return [
            self.prints[each].at_ns
            for each in self.arrived
            if each not in self.withdrawn
            and each not in self.in_day
            and self.prints[each].at_ns >= self.day_close_ns
            and rule_of(self.prints[each], is_day=True).last == "yes"
        ]

    @staticmethod
    def _bar(start: int, close: float, volume: int) -> Bar:
        return Bar("SPY", start, close - 1, close + 2, close - 3, close, volume, 4, close - 0.5)
