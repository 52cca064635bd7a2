"""Minute bars as columns of numbers: cheap to invent and to fold; a message each only on demand.

Pure. A chart of hours is folded from some 100 000 minutes, of which it shows none.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import mul
from typing import NamedTuple

from simulator.protocol.wire import Message
from simulator.tape.bars import rounded


class MinuteColumns(NamedTuple):
    """Minutes, oldest first: Unix nanoseconds, dollars, shares, numbers."""

    starts: Sequence[int]
    opens: Sequence[float]
    highs: Sequence[float]
    lows: Sequence[float]
    closes: Sequence[float]
    volumes: Sequence[int]
    trades: Sequence[int]
    vwaps: Sequence[float]

    def between(self, start: int, end: int) -> "MinuteColumns":
        """Return the minutes that start in a span, its end excluded."""
        first, last = bisect_left(self.starts, start), bisect_left(self.starts, end)
        if first == 0 and last == len(self.starts):
            return self
        return MinuteColumns(
            self.starts[first:last],
            self.opens[first:last],
            self.highs[first:last],
            self.lows[first:last],
            self.closes[first:last],
            self.volumes[first:last],
            self.trades[first:last],
            self.vwaps[first:last],
        )

    def bars(self) -> Iterator[Message]:
        """Yield the bars as messages."""
        for start, open_, high, low, close, volume, trades, vwap in zip(*self, strict=True):
            yield {
                "o": open_,
                "h": high,
                "l": low,
                "c": close,
                "v": volume,
                "t": start,
                "n": trades,
                "vw": vwap,
            }

    def folded(self, length: int) -> Iterator[Message]:
        """Yield the bars of `length` nanoseconds, as `Timeframe.fold` does from messages."""
        first = 0
        while first < len(self.starts):
            start = self.starts[first] // length * length
            last = bisect_left(self.starts, start + length, first)
            volumes = self.volumes[first:last]
            volume = sum(volumes)
            vwaps = self.vwaps[first:last]
            is_one = last - first == 1
            yield {
                "o": self.opens[first],
                "h": max(self.highs[first:last]),
                "l": min(self.lows[first:last]),
                "c": self.closes[last - 1],
                "v": volume,
                "t": start,
                "n": sum(self.trades[first:last]),
                "vw": vwaps[0] if is_one else _mean(vwaps, volumes, volume),
            }
            first = last


def _mean(vwaps: Sequence[float], volumes: Sequence[int], volume: int) -> float:
    return rounded(sum(map(mul, vwaps, volumes)) / volume) if volume else 0


def joined(parts: Sequence[MinuteColumns]) -> MinuteColumns:
    """Return consecutive spans as one."""
    if len(parts) == 1:
        return parts[0]
    columns: tuple[list[float], ...] = tuple([] for _ in MinuteColumns._fields)
    for part in parts:
        for column, more in zip(columns, part, strict=True):
            column += more
    return MinuteColumns(*columns)  # type: ignore[arg-type]
