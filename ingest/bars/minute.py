"""One minute of a symbol: its prints, its bar made of them, and the vendor's bar."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from ingest.bars.bar_conditions import minute_effect
from ingest.bars.bar_sums import BarSums, counts
from ingest.bars.timeframes import MINUTE_NS
from ingest.market.bars import Bar
from ingest.market.prints import StreamedPrint, Trade, print_of
from ingest.market.trading_day import STOCK_DAYS, TradingDays
from ingest.market.withdrawal import PrintIdentity

_NO_SUMS = BarSums()
"""Of each minute that has the vendor's bar and no prints."""


class Minute:
    """Times are unix nanoseconds."""

    __slots__ = (
        "day",
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
        self, symbol: str, start_ns: int, *, is_partial: bool, days: TradingDays = STOCK_DAYS
    ) -> None:
        self.symbol: Final = symbol
        self.start_ns: Final = start_ns
        self.end_ns: Final = start_ns + MINUTE_NS
        self.day: Final = days.day_of(start_ns)
        """The trading day, of its market's ``days``."""
        self.prints: list[StreamedPrint] | None = []
        """The prints in order of arrival, ``times`` theirs; None once they are forgotten."""
        self.times: list[int] = []
        self.sums = BarSums()
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
        """Add a print of this minute that counts (``counts``), unless its prints are forgotten."""
        if self.prints is None:
            return
        self.prints.append(trade)
        self.times.append(at_ns)
        effect = minute_effect(trade.tape, trade.conditions)
        self.sums.add_trade(trade.price, trade.size or 0, at_ns, effect)

    def add_missed(self, trades: Iterable[Trade]) -> None:
        """Add the prints of REST's list that are not here; the list may repeat equal prints."""
        known = Counter(map(PrintIdentity.of, self.kept()))
        for trade in trades:
            identity = PrintIdentity.of(trade)
            if known[identity]:
                known[identity] -= 1
            elif counts(trade):
                self.add(trade, trade.at_ns)

    def kept(self) -> list[Trade]:
        """Return the prints in order of arrival."""
        return list(map(print_of, self.prints or (), self.times))

    def replace(self, index: int, trade: Trade | None) -> StreamedPrint:
        """Put another print in the place of one, at the same time; None removes it.

        Return the one before. Its prints must not be forgotten.
        """
        prints = self.prints or []
        before = prints[index]
        if trade is None:
            del prints[index], self.times[index]
        else:
            prints[index] = trade
        self.sums = BarSums()
        for each, at_ns in zip(prints, self.times, strict=True):
            effect = minute_effect(each.tape, each.conditions)
            self.sums.add_trade(each.price, each.size or 0, at_ns, effect)
        return before

    def forget_prints(self) -> None:
        """Keep the sums alone: neither a print nor a withdrawal changes them any more."""
        self.prints, self.times = None, []
        if self.vendor is not None:
            self.sums = _NO_SUMS
