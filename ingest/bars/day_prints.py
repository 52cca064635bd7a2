"""The prints of the newest day that the vendor's bar of it does not contain, and their sums."""

from typing import TypeAlias

from ingest.bars.bar_conditions import Effect, day_effect
from ingest.bars.bar_sums import BarSums
from ingest.bars.day_snapshot import DaySnapshot
from ingest.market.prints import StreamedPrint, print_of
from ingest.market.withdrawal import PrintIdentity, Withdrawn

PRINTS_KEPT = 10_000
"""REST's next bar may contain a part of them. Before the opening the vendor sends no bar of the day
for hours, and a busy symbol has more prints: of the older ones the sums alone are kept."""

_NEITHER_OPEN_NOR_CLOSE = int(Effect.HIGH_LOW | Effect.VOLUME)


_Print: TypeAlias = tuple[StreamedPrint, int, int]
"""A print, its time, and when it was received."""


class DayPrints:
    """Times are unix nanoseconds, days by ``day_of``.

    ``sums`` are by the day's rules (``day_effect``). For the owner, which clears both:
    ``is_changed``: the sums have changed; ``is_outdated``: they and the vendor's bar do not make
    the bar of the day, as one of them has a print that was withdrawn, or lacks some.
    """

    __slots__ = (
        "_day",
        "_floor_ns",
        "_forgotten",
        "_newer",
        "_prints",
        "_snapshot",
        "is_changed",
        "is_outdated",
        "sums",
    )

    def __init__(self, day: int) -> None:
        self._day = day
        self._prints: list[_Print] = []
        """In order of arrival."""
        self._forgotten = BarSums()
        """The sums of the older prints that are not kept."""
        self.sums = BarSums()
        self._newer: list[tuple[_Print, int]] = []
        """Prints of days that have not begun here yet, and their days."""
        self._snapshot: DaySnapshot | None = None
        """The vendor's bar of the day, if it is REST's."""
        self._floor_ns = -1
        """The time of the vendor's close: an older print is no close of the day."""
        self.is_changed = False
        self.is_outdated = False

    def add(self, trade: StreamedPrint, at_ns: int, received_ns: int, day: int) -> None:
        """Add a print that counts (``counts``), unless the vendor's bar has it already."""
        each = (trade, at_ns, received_ns)
        if day == self._day:
            self._add(each)
        elif day > self._day:
            self._newer.append((each, day))

    def find(self, withdrawn: Withdrawn) -> tuple[StreamedPrint, int] | None:
        """Return the newest print that a report means, and its time; None if it is not kept."""
        for trade, at_ns, _ in reversed(self._prints):
            if trade.id == withdrawn.key.id and withdrawn.names(
                PrintIdentity.of(print_of(trade, at_ns))
            ):
                return trade, at_ns
        return None

    def replace(self, before: StreamedPrint, trade: StreamedPrint | None, day: int) -> None:
        """Put another print in the place of one, at the same time; None removes it."""
        if day > self._day:
            self._replace_newer(before, trade)
        if day != self._day:
            return
        for index, (each, at_ns, received_ns) in enumerate(self._prints):
            if each is before:
                new = [] if trade is None else [(trade, at_ns, received_ns)]
                self._prints[index : index + 1] = new
                self._sum_again()
                return
        self.is_outdated = True

    def begin_after(self, snapshot: DaySnapshot | None) -> None:
        """Take a new bar of the vendor's: leave out the prints that it contains.

        ``snapshot`` is REST's; None: the stream's bar, which has all prints that came before it.
        """
        self._snapshot = snapshot
        if snapshot is None:
            self._floor_ns = max(self._floor_ns, self.sums.close_ns)
            self._prints = []
        else:
            self._floor_ns = snapshot.latest_ns
            self._prints = [each for each in self._prints if not snapshot.contains(*each)]
            # So many prints in the time that REST needed: the sums do not say which are older.
            self.is_outdated |= self._forgotten.close_ns > snapshot.latest_ns
        self._forgotten = BarSums()
        self._sum_again()

    def begin_day(self, day: int) -> None:
        """Begin a newer day, with the prints of it that have come."""
        newer, self._newer = self._newer, []
        self._day, self._snapshot, self._floor_ns = day, None, -1
        self._prints, self._forgotten = [], BarSums()
        self.is_outdated = False
        self._sum_again()
        for each, its_day in newer:
            self.add(*each, its_day)

    def _add(self, each: _Print) -> None:
        trade, at_ns, _ = each
        if self._snapshot is not None and self._snapshot.may_contain(trade, at_ns):
            return
        self._prints.append(each)
        self._add_to(self.sums, trade, at_ns)
        self.is_changed = True
        if len(self._prints) > PRINTS_KEPT:
            self._forget_older()

    def _replace_newer(self, before: StreamedPrint, trade: StreamedPrint | None) -> None:
        for index, ((each, *times), day) in enumerate(self._newer):
            if each is before:
                new = [] if trade is None else [((trade, times[0], times[1]), day)]
                self._newer[index : index + 1] = new
                return

    def _forget_older(self) -> None:
        older = PRINTS_KEPT // 2
        for trade, at_ns, _ in self._prints[:older]:
            self._add_to(self._forgotten, trade, at_ns)
        del self._prints[:older]

    def _sum_again(self) -> None:
        self.sums = self._forgotten.copy()
        for trade, at_ns, _ in self._prints:
            self._add_to(self.sums, trade, at_ns)
        self.is_changed = True

    def _add_to(self, sums: BarSums, trade: StreamedPrint, at_ns: int) -> None:
        effect = day_effect(trade.tape, trade.conditions)
        if at_ns < self._floor_ns:
            effect &= _NEITHER_OPEN_NOR_CLOSE
        sums.add_trade(trade.price, trade.size or 0, at_ns, effect)
