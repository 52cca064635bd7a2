"""One minute of a symbol: its prints, its bar made of them, and the vendor's bar."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Final

from ingest.bars.bar_conditions import day_effect, minute_effect
from ingest.bars.bar_sums import BarSums
from ingest.bars.timeframes import MINUTE_NS
from ingest.market.bars import Bar
from ingest.market.conditions import may_lack_size
from ingest.market.prints import StreamedPrint, Trade, print_of
from ingest.market.trading_day import day_of
from ingest.market.withdrawal import PrintIdentity

_INFINITE = math.inf
_NO_SUMS = BarSums()
"""Of each minute that has the vendor's bar and no prints."""


class Minute:
    """Times are unix nanoseconds. ``with_day``: whether sums by the day's rules are kept too."""

    __slots__ = (
        "day",
        "day_from_ns",
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

    def __init__(self, symbol: str, start_ns: int, *, with_day: bool, is_partial: bool) -> None:
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
        self.day_from_ns = -1
        """The vendor's bar of the day has the prints before this moment."""
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

    def add(self, trade: StreamedPrint, at_ns: int) -> None:
        """Add a print of this minute, unless it has no price or no size that counts."""
        if self.prints is None:
            return
        price, size = trade.price, trade.size
        if not 0 < price < _INFINITE:
            return
        if not (size and 0 < size < _INFINITE) and not _counts_without_size(trade):
            return
        self.prints.append(trade)
        self.times.append(at_ns)
        self._sum(trade, price, size or 0, at_ns)

    def add_missed(self, trades: Iterable[Trade]) -> None:
        """Add the prints of REST's list that are not here; the list may repeat equal prints."""
        known = Counter(map(PrintIdentity.of, self.kept()))
        for trade in trades:
            identity = PrintIdentity.of(trade)
            if known[identity]:
                known[identity] -= 1
            else:
                self.add(trade, trade.at_ns)

    def kept(self) -> list[Trade]:
        """Return the prints in order of arrival."""
        return list(map(print_of, self.prints or (), self.times))

    def replace(self, index: int, trade: Trade | None) -> None:
        """Put another print in the place of one, at the same time; None removes it."""
        if self.prints is None:
            return
        if trade is None:
            del self.prints[index], self.times[index]
        else:
            self.prints[index] = trade
        self.sums = BarSums()
        if self.day_sums is not None:
            self.day_sums = BarSums()
        self._sum_again()

    def begin_day_at(self, at_ns: int) -> None:
        """Leave the prints before a moment out of the day's sums: the vendor's bar has them."""
        if self.day_sums is None or at_ns <= max(self.day_from_ns, self.start_ns):
            return
        self.day_from_ns = at_ns
        # The day's bar leaves out a whole minute by itself.
        if self.prints and at_ns < self.end_ns:
            self.sums, self.day_sums = BarSums(), BarSums()
            self._sum_again()

    def forget_prints(self) -> None:
        """Keep the sums alone: no print and no withdrawal changes them from now on."""
        self.prints = None
        self.times = []
        if self.vendor is not None:
            self.sums = _NO_SUMS

    def _sum_again(self) -> None:
        for trade, at_ns in zip(self.prints or (), self.times, strict=True):
            self._sum(trade, trade.price, trade.size or 0, at_ns)

    def _sum(self, trade: StreamedPrint, price: float, size: float, at_ns: int) -> None:
        tape, conditions = trade.tape, trade.conditions
        self.sums.add_trade(price, size, at_ns, minute_effect(tape, conditions))
        if self.day_sums is not None and at_ns >= self.day_from_ns:
            self.day_sums.add_trade(price, size, at_ns, day_effect(tape, conditions))


def _counts_without_size(trade: StreamedPrint) -> bool:
    """Return whether a print counts although it has no size.

    An unreadable size costs the volume, not the price. At a size of 0 nothing was traded, unless
    the conditions say that a close was corrected.
    """
    return trade.size is None or (trade.size == 0 and may_lack_size(trade.conditions))
