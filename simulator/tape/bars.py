"""A bar under construction, and its wire format. Pure."""

from collections.abc import Iterable
from typing import Final

from simulator.protocol.rfc3339 import SECOND
from simulator.tape.bar_conditions import EVERYTHING, Effect, Price

MINUTE: Final = 60 * SECOND
_CENT: Final = 0.01


class Bar:
    """A bar under construction: prices in dollars, `start` in Unix nanoseconds.

    `turnover` and `weight` are of the trades that count in `vw`: those that move the volume and
    the high and low.
    """

    __slots__ = (
        "close",
        "count",
        "high",
        "is_close_firm",
        "low",
        "open",
        "start",
        "turnover",
        "volume",
        "weight",
    )

    def __init__(self, start: int) -> None:
        self.start = start
        self.open: float | None = None
        self.high: float | None = None
        self.low: float | None = None
        self.close: float | None = None
        self.is_close_firm = False
        """Whether the close is of a trade that moves it, not only of the bar's first."""
        self.volume: float = 0
        self.count = 0
        self.turnover = 0.0
        self.weight: float = 0

    @property
    def is_whole(self) -> bool:
        """Whether Alpaca sends it: none of its prices and volume is missing or 0."""
        return bool(self.open and self.high and self.low and self.close and self.volume)

    def add(self, price: float, size: float, effect: Effect = EVERYTHING) -> None:
        """Count a trade that is newer than all that were counted before."""
        if effect.price is Price.ALL:
            self.close, self.is_close_firm = price, True
        elif effect.price is Price.FIRST and self.close is None:
            self.close = price
        if effect.price and self.open is None:
            self.open = price
        if effect.high_low:
            if self.high is None or price > self.high:
                self.high = price
            if self.low is None or price < self.low:
                self.low = price
        if effect.volume:
            self.volume += size
            self.count += 1
            if effect.high_low:
                self.turnover += price * size
                self.weight += size

    def append(self, later: "Bar") -> None:
        """Join the trades of a later span."""
        if self.open is None:
            self.open = later.open
        if later.is_close_firm or self.close is None:
            self.close, self.is_close_firm = later.close, later.is_close_firm
        if later.high is not None and later.low is not None:
            self.high = later.high if self.high is None else max(self.high, later.high)
            self.low = later.low if self.low is None else min(self.low, later.low)
        self.volume += later.volume
        self.count += later.count
        self.turnover += later.turnover
        self.weight += later.weight


def joined(start: int, bars: Iterable[Bar]) -> Bar:
    """Return the bar of consecutive spans, oldest first."""
    whole = Bar(start)
    for bar in bars:
        whole.append(bar)
    return whole


def rounded(mean: float) -> float:
    """Return a mean price in dollars with six decimals, below a cent with twelve."""
    return round(mean, 6 if mean >= _CENT else 12)


def bar_fields(bar: Bar) -> dict[str, object]:
    """Return a bar's wire fields, `t` (its start) in nanoseconds."""
    return {
        "o": bar.open,
        "h": bar.high,
        "l": bar.low,
        "c": bar.close,
        "v": bar.volume,
        "t": bar.start,
        "n": bar.count,
        "vw": rounded(bar.turnover / bar.weight) if bar.weight else 0,
    }
