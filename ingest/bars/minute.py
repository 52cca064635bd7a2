"""One minute of a symbol: its prints, its bar made of them, and the vendor's bar."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Final

from ingest.bars.bar_conditions import Effect, day_effect, minute_effect
from ingest.bars.bar_sums import BarSums
from ingest.bars.day_snapshot import DaySnapshot
from ingest.bars.timeframes import MINUTE_NS
from ingest.market.bars import Bar
from ingest.market.conditions import may_lack_size
from ingest.market.prints import StreamedPrint, Trade, print_of
from ingest.market.trading_day import day_of
from ingest.market.withdrawal import PrintIdentity

_INFINITE = math.inf
_NEITHER_OPEN_NOR_CLOSE = int(Effect.HIGH_LOW | Effect.VOLUME)
_NO_SUMS = BarSums()
"""Of each minute that has the vendor's bar and no prints."""


class Minute:
    """Times are unix nanoseconds.

    ``with_day``: whether sums by the day's rules are kept too, of the prints that the vendor's bar
    of the day does not contain. Those older than ``day_floor_ns`` are no close of the day.
    """

    __slots__ = (
        "_day_prints",
        "_day_times",
        "day",
        "day_floor_ns",
        "day_sums",
        "end_ns",
        "is_changed",
        "is_partial",
        "prints",
        "reported_ns",
        "start_ns",
        "sums",
        "symbol",
        "times",
        "vendor",
    )

    def __init__(
        self,
        symbol: str,
        start_ns: int,
        *,
        with_day: bool,
        is_partial: bool,
        day_floor_ns: int = -1,
    ) -> None:
        self.symbol: Final = symbol
        self.start_ns: Final = start_ns
        self.end_ns: Final = start_ns + MINUTE_NS
        self.day: Final = day_of(start_ns)
        """The trading day, by ``day_of``."""
        self.prints: list[StreamedPrint] | None = []
        """The prints in order of arrival, ``times`` theirs; None once they are forgotten."""
        self.times: list[int] = []
        self.sums = BarSums()
        self.day_sums = BarSums() if with_day else None
        self.day_floor_ns = day_floor_ns
        self._day_prints: list[StreamedPrint] = []
        self._day_times: list[int] = []
        self.vendor: Bar | None = None
        self.reported_ns = -1
        """When the vendor's bar came."""
        self.is_partial = is_partial
        """Whether prints may be missing: the stream did not bring the minute from its start."""
        self.is_changed = False
        """For the owner: whether it is among the minutes whose changes have to be shown."""

    @property
    def bar(self) -> Bar | None:
        """The vendor's bar, or else the one made of prints; None if there is neither."""
        return self.vendor or self.sums.bar(self.symbol, self.start_ns)

    def add(self, trade: StreamedPrint, at_ns: int, *, in_day: bool = False) -> None:
        """Add a print of this minute, unless it has no price or no size that counts.

        ``in_day``: the vendor's bar of the day contains it.
        """
        price, size = trade.price, trade.size
        if not 0 < price < _INFINITE:
            return
        if not (size and 0 < size < _INFINITE) and not _counts_without_size(trade):
            return
        if self.prints is not None:
            self.prints.append(trade)
            self.times.append(at_ns)
            effect = minute_effect(trade.tape, trade.conditions)
            self.sums.add_trade(price, size or 0, at_ns, effect)
        if self.day_sums is not None and not in_day:
            self._day_prints.append(trade)
            self._day_times.append(at_ns)
            self._add_to_day(trade, at_ns)

    def add_missed(self, trades: Iterable[Trade]) -> None:
        """Add the prints of REST's list that are not here; the list may repeat equal prints.

        They are of before the subscription, and so is the vendor's bar of the day that has them.
        """
        known = Counter(map(PrintIdentity.of, self.kept()))
        for trade in trades:
            identity = PrintIdentity.of(trade)
            if known[identity]:
                known[identity] -= 1
            else:
                self.add(trade, trade.at_ns, in_day=True)

    def kept(self) -> list[Trade]:
        """Return the prints in order of arrival."""
        return list(map(print_of, self.prints or (), self.times))

    def replace(self, index: int, trade: Trade | None) -> bool:
        """Put another print in the place of one, at the same time; None removes it.

        Return whether that makes the day's sums right too: they do not have the print if the
        vendor's bar has it.
        """
        if self.prints is None:
            return False
        before = self.prints[index]
        if trade is None:
            del self.prints[index], self.times[index]
        else:
            self.prints[index] = trade
        self.sums = BarSums()
        for each, at_ns in zip(self.prints, self.times, strict=True):
            effect = minute_effect(each.tape, each.conditions)
            self.sums.add_trade(each.price, each.size or 0, at_ns, effect)
        return self._replace_in_day(before, trade)

    @property
    def has_day_prints(self) -> bool:
        """Whether it has prints that the vendor's bar of the day does not contain."""
        return bool(self._day_prints)

    def begin_day(self, snapshot: DaySnapshot | None, floor_ns: int) -> None:
        """Leave the prints out of the day's sums that the vendor's bar contains.

        ``snapshot`` is REST's; None: the stream's bar, which has all prints that came before it.
        """
        self.day_floor_ns = floor_ns
        pairs = list(zip(self._day_prints, self._day_times, strict=True))
        left = [] if snapshot is None else [each for each in pairs if not snapshot.contains(*each)]
        self._day_prints = [trade for trade, _ in left]
        self._day_times = [at_ns for _, at_ns in left]
        self._sum_day_again()

    def end_day(self) -> None:
        """Keep no sums of the day any more."""
        self.day_sums, self._day_prints, self._day_times = None, [], []

    def forget_prints(self) -> None:
        """Keep the sums alone: no withdrawal changes them, and further prints only the day's."""
        self.prints, self.times = None, []
        self._day_prints, self._day_times = [], []
        if self.vendor is not None:
            self.sums = _NO_SUMS

    def _replace_in_day(self, before: StreamedPrint, trade: Trade | None) -> bool:
        if self.day_sums is None:
            return True
        for index, each in enumerate(self._day_prints):
            if each is before:
                if trade is None:
                    del self._day_prints[index], self._day_times[index]
                else:
                    self._day_prints[index] = trade
                self._sum_day_again()
                return True
        return False

    def _sum_day_again(self) -> None:
        self.day_sums = BarSums()
        for trade, at_ns in zip(self._day_prints, self._day_times, strict=True):
            self._add_to_day(trade, at_ns)

    def _add_to_day(self, trade: StreamedPrint, at_ns: int) -> None:
        effect = day_effect(trade.tape, trade.conditions)
        if at_ns < self.day_floor_ns:
            effect &= _NEITHER_OPEN_NOR_CLOSE
        if self.day_sums is not None:
            self.day_sums.add_trade(trade.price, trade.size or 0, at_ns, effect)


def _counts_without_size(trade: StreamedPrint) -> bool:
    """Return whether a print counts although it has no size.

    An unreadable size costs the volume, not the price. At a size of 0 nothing was traded, unless
    the conditions say that a close was corrected.
    """
    return trade.size is None or (trade.size == 0 and may_lack_size(trade.conditions))
