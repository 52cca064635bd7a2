"""A bar under construction, and its wire format. Pure."""

from dataclasses import dataclass
from typing import Final

from simulator.protocol.rfc3339 import SECOND

MINUTE: Final = 60 * SECOND


@dataclass(frozen=True)
class Bar:
    """A bar under construction: prices in dollars, `start` in Unix nanoseconds."""

    start: int
    open: float
    high: float
    low: float
    close: float
    volume: int
    count: int
    turnover: float

    @classmethod
    def joined(cls, bar: "Bar | None", start: int, price: float, size: float) -> "Bar":
        """Return the bar with one more trade, or a new one if it starts elsewhere."""
        turnover, volume = price * size, int(size)
        if bar is None or bar.start != start:
            return cls(start, price, price, price, price, volume, 1, turnover)
        return cls(
            start,
            bar.open,
            max(bar.high, price),
            min(bar.low, price),
            price,
            bar.volume + volume,
            bar.count + 1,
            bar.turnover + turnover,
        )


def bar_fields(bar: Bar) -> dict[str, object]:
    """Return a bar's wire fields, `t` (its start) in nanoseconds."""
    vwap = round(bar.turnover / bar.volume, 6) if bar.volume else 0
    return {
        "o": bar.open,
        "h": bar.high,
        "l": bar.low,
        "c": bar.close,
        "v": bar.volume,
        "n": bar.count,
        "vw": vwap,
        "t": bar.start,
    }
