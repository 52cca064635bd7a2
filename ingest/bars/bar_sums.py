"""The sums that bars are made of: of trades, and of other bars. They can be added together."""

import math

from ingest.bars.bar_conditions import Effect
from ingest.market.bars import Bar
from ingest.market.conditions import may_lack_size
from ingest.market.prints import StreamedPrint

_FIRST, _PRICE = int(Effect.FIRST), int(Effect.PRICE)
_HIGH_LOW, _VOLUME = int(Effect.HIGH_LOW), int(Effect.VOLUME)
_ALL = int(Effect.ALL)
_END_OF_TIME_NS = 1 << 63
_INFINITE = math.inf

VWAP_PLACES = 6
"""Alpaca's bars have as many."""


class BarSums:
    """The running sums of a span's trades, in any order of arrival.

    Prices are of the exchange's order: open is the price of the earliest trade that may be it,
    close that of the latest. Among trades of equal time the first and the last to arrive count.
    Volume in shares; ``turnover`` is price times shares of the trades that the volume-weighted
    average counts, ``turnover_volume`` their shares. A price of 0 is none. Times are unix ns.
    """

    __slots__ = (
        "close",
        "close_ns",
        "high",
        "low",
        "open",
        "open_ns",
        "trade_count",
        "turnover",
        "turnover_volume",
        "volume",
    )

    def __init__(self) -> None:
        self.open = 0.0
        self.open_ns = _END_OF_TIME_NS
        self.close = 0.0
        """The price of the latest trade that may be the close beside others; 0 if there is none:
        then the open, if any, is the close too."""
        self.close_ns = -1
        self.high = 0.0
        self.low = 0.0
        self.volume: float = 0
        self.trade_count: int | None = 0
        self.turnover = 0.0
        self.turnover_volume: float = 0

    def add_trade(self, price: float, size: float, at_ns: int, effect: int) -> None:
        """Add a trade; ``effect`` is an ``Effect``. ``price`` is above 0, ``size`` at least 0."""
        if effect == _ALL:
            if at_ns >= self.close_ns:
                self.close, self.close_ns = price, at_ns
            if at_ns < self.open_ns:
                self.open, self.open_ns = price, at_ns
            if price > self.high:
                self.high = price
            if price < self.low or not self.low:
                self.low = price
            self.turnover += price * size
            self.turnover_volume += size
            self.volume += size
            self.trade_count += 1  # type: ignore[operator]  # unknown only in sums of bars
            return
        self._add_unusual_trade(price, size, at_ns, effect)

    def add_bar(self, bar: Bar) -> None:
        """Add a bar that starts after all that was added before."""
        if not self.open:
            self.open, self.open_ns = bar.open, bar.at_ns
        self.close, self.close_ns = bar.close, bar.at_ns
        self._extend(bar.high, bar.low)
        self.volume += bar.volume
        if self.trade_count is not None:
            self.trade_count = (
                None if bar.trade_count is None else self.trade_count + bar.trade_count
            )
        if bar.vwap is not None:
            self.turnover += bar.vwap * bar.volume
            self.turnover_volume += bar.volume

    def add(self, later: "BarSums") -> None:
        """Add the sums of a later span; its trade counts as known."""
        if not self.open and later.open:
            self.open, self.open_ns = later.open, later.open_ns
        if later.close:
            self.close, self.close_ns = later.close, later.close_ns
        if later.high:
            self._extend(later.high, later.low)
        self.volume += later.volume
        if self.trade_count is not None and later.trade_count is not None:
            self.trade_count += later.trade_count
        self.turnover += later.turnover
        self.turnover_volume += later.turnover_volume

    def copy(self) -> "BarSums":
        """Return sums that can be added to independently."""
        other = BarSums()
        other.open, other.open_ns = self.open, self.open_ns
        other.close, other.close_ns = self.close, self.close_ns
        other.high, other.low = self.high, self.low
        other.volume, other.trade_count = self.volume, self.trade_count
        other.turnover, other.turnover_volume = self.turnover, self.turnover_volume
        return other

    def bar(self, symbol: str, start_ns: int) -> Bar | None:
        """Return the bar; None if a price or the volume is 0: Alpaca emits none then."""
        open_, volume = self.open, self.volume
        if not (open_ and self.high and volume):
            return None
        shares = self.turnover_volume
        return Bar(
            symbol,
            start_ns,
            open_,
            self.high,
            self.low,
            self.close or open_,
            volume,
            self.trade_count,
            round(self.turnover / shares, VWAP_PLACES) if shares else None,
        )

    def _add_unusual_trade(self, price: float, size: float, at_ns: int, effect: int) -> None:
        if effect & _PRICE and at_ns >= self.close_ns:
            self.close, self.close_ns = price, at_ns
        if effect & _FIRST and at_ns < self.open_ns:
            self.open, self.open_ns = price, at_ns
        if effect & _HIGH_LOW:
            self._extend(price, price)
            if effect & _VOLUME:
                self.turnover += price * size
                self.turnover_volume += size
        if effect & _VOLUME and self.trade_count is not None:
            self.volume += size
            self.trade_count += 1

    def _extend(self, high: float, low: float) -> None:
        if high > self.high:
            self.high = high
        if low < self.low or not self.low:
            self.low = low


def counts(trade: StreamedPrint) -> bool:
    """Return whether a print has a price and a size that bars can be made of.

    An unreadable size costs the volume, not the price. At a size of 0 nothing was traded, unless
    the conditions say that a close was corrected.
    """
    if not 0 < trade.price < _INFINITE:
        return False
    size = trade.size
    if size and 0 < size < _INFINITE:
        return True
    return size is None or (size == 0 and may_lack_size(trade.conditions))
