"""Invented bars: a random walk that leads to a given price, the same for the same seed.

They fill a chart before the tape begins. Nothing of them was ever traded.
"""

import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, compress, pairwise
from math import exp, floor, log10, sin, sqrt
from operator import mul, sub
from typing import Any, Final, NamedTuple

from simulator.tape.bars import MINUTE, rounded
from simulator.tape.minute_columns import MinuteColumns

_DAILY_MOVE: Final = 0.012
_OVERNIGHT_MOVE: Final = 0.003
_SHARES_OF_A_TRADE: Final = 120
_MEDIAN_VOLUME: Final = 1_000_000
_DECIMALS: Final = 2
_CENT: Final = 0.01
_TABLE: Final = 8192


def _table(seed: str) -> Sequence[float]:
    dice = random.Random(seed)
    return tuple(dice.gauss(0, 1) for _ in range(_TABLE))


_NORMALS: Final = _table("walk")
_SWINGS: Final = tuple(map(abs, _table("swing")))
_SURGES: Final = tuple(exp(0.5 * normal) for normal in _table("volume"))


class Shape(NamedTuple):
    """A bar's prices in dollars, and its volume in shares."""

    open: float
    high: float
    low: float
    close: float
    volume: int

    @property
    def trades(self) -> int:
        """A number of trades that suits the volume."""
        return max(1, self.volume // _SHARES_OF_A_TRADE)

    @property
    def vwap(self) -> float:
        """A price within the bar."""
        return rounded((self.open + self.high + self.low + self.close) / 4)


def days_before(seed: str, close: float, volume: float | None) -> Iterator[Shape]:
    """Yield the days before a price, nearest first, endlessly.

    The nearest one closes near `close`; `volume` is that of a usual day, None for any.
    """
    dice = random.Random(seed)
    usual = volume or _MEDIAN_VOLUME * exp(dice.gauss(0, 1))
    after = close
    while True:
        last = priced(after * exp(dice.gauss(0, _OVERNIGHT_MOVE)))
        first = priced(last * exp(dice.gauss(0, _DAILY_MOVE)))
        high = priced(max(first, last) * exp(abs(dice.gauss(0, _DAILY_MOVE / 3))))
        low = priced(min(first, last) * exp(-abs(dice.gauss(0, _DAILY_MOVE / 3))))
        yield Shape(first, high, low, last, max(1, round(usual * exp(dice.gauss(0, 0.3)))))
        after = first


def morning(seed: str, previous_close: float, price: float, day: Shape, share: float) -> Shape:
    """Return the part of a day that leads from the previous close to a price.

    `share` is that part's share of the trading day; its volume follows that of `day`.
    """
    dice = random.Random(seed)
    first = priced(previous_close * exp(dice.gauss(0, _OVERNIGHT_MOVE)))
    move = _DAILY_MOVE / 3 * sqrt(share)
    return Shape(
        first,
        priced(max(first, price) * exp(abs(dice.gauss(0, move)))),
        priced(min(first, price) * exp(-abs(dice.gauss(0, move)))),
        price,
        max(1, round(day.volume * share)),
    )


def minutes_of(
    seed: str, day: Shape, count: int, *, keeps_idle: bool = False
) -> Sequence[Shape | None]:
    """Return the minutes of a day, which together are that day; None for one without a trade.

    `keeps_idle`: such a minute is there too, with no volume.
    """
    path, highs, lows, volumes = _divided(seed, day, count)
    return [
        Shape(path[at], highs[at], lows[at], path[at + 1], volumes[at])
        if volumes[at] or keeps_idle
        else None
        for at in range(count)
    ]


def minute_columns(
    seed: str, day: Shape, count: int, start: int, *, keeps_idle: bool = False
) -> MinuteColumns:
    """Return the minutes of `minutes_of`; the first one is at `start`."""
    path, highs, lows, volumes = _divided(seed, day, count)
    unit = 1_000_000 if day.low >= _CENT else 10**12
    vwaps = [
        int((open_ + high + low + close) * (unit // 4) + 0.5) / unit
        for open_, high, low, close in zip(path, highs, lows, path[1:], strict=False)
    ]
    if keeps_idle and not all(volumes):
        vwaps = [vwap if volume else 0 for vwap, volume in zip(vwaps, volumes, strict=True)]
    columns: tuple[Sequence[Any], ...] = (
        range(start, start + count * MINUTE, MINUTE),
        path[:-1],
        highs,
        lows,
        path[1:],
        volumes,
        [volume // _SHARES_OF_A_TRADE or min(1, volume) for volume in volumes],
        vwaps,
    )
    if not keeps_idle and not all(volumes):
        columns = tuple(list(compress(column, volumes)) for column in columns)
    return MinuteColumns(*columns)


def _divided(
    seed: str, day: Shape, count: int
) -> tuple[Sequence[float], Sequence[float], Sequence[float], Sequence[int]]:
    """Return the prices at the parts' edges, the parts' highs and lows, and their volumes.

    The prices are a Brownian bridge within the day's range. Its random numbers are runs of tables
    that start at random places: a draw for each would take most of the time.
    """
    dice = random.Random(seed)
    high, low = day.high, day.low
    scale = 10 ** decimals_of(low)
    step = (high - low) / 2 / sqrt(count)
    walk = list(accumulate(_run(_NORMALS, dice, count - 1), initial=0.0))
    drift = (day.close - day.open - step * walk[-1]) / count
    rounded = [
        int((day.open + step * walked + drift * at) * scale + 0.5) / scale
        for at, walked in enumerate(walk)
    ]
    path = [high if price > high else max(price, low) for price in rounded]
    path[0] = day.open
    path.append(day.close)
    tops = [max(b, a) for a, b in pairwise(path)]
    bottoms = [min(b, a) for a, b in pairwise(path)]
    wiggle = (high - low) / 4 / sqrt(count)
    highs = [
        int((top + wiggle * up) * scale + 0.5) / scale
        for top, up in zip(tops, _run(_SWINGS, dice, count), strict=True)
    ]
    lows = [
        int((bottom - wiggle * down) * scale + 0.5) / scale
        for bottom, down in zip(bottoms, _run(_SWINGS, dice, count), strict=True)
    ]
    # A given price may have more decimals than those that are rounded.
    highs = [high if one > high else max(one, top) for one, top in zip(highs, tops, strict=True)]
    lows = [
        low if one < low else min(one, bottom) for one, bottom in zip(lows, bottoms, strict=True)
    ]
    volumes = _volumes(dice, day, count)
    traded = [at for at in range(count) if volumes[at]]
    highs[max(traded, key=highs.__getitem__)] = high
    lows[min(traded, key=lows.__getitem__)] = low
    return path, highs, lows, volumes


def _volumes(dice: random.Random, day: Shape, count: int) -> Sequence[int]:
    """Return the minutes' volumes, larger at both ends of the day; the first and last have some.

    Minutes of a day of few shares have none.
    """
    totals = list(accumulate(map(mul, _bathtub(count), _run(_SURGES, dice, count))))
    spread = max(0, day.volume - 2) / totals[-1]
    given = [int(total * spread + 0.5) for total in totals]
    volumes = list(map(sub, given, (0, *given)))
    volumes[0] += 1
    volumes[-1] += 1
    return volumes


@lru_cache(maxsize=64)
def _bathtub(count: int) -> Sequence[float]:
    """Return the usual volumes of a day's parts: larger at both ends."""
    return [1 + 2 * (1 - sin(3.14159 * (at + 0.5) / count)) for at in range(count)]


def _run(table: Sequence[float], dice: random.Random, count: int) -> Sequence[float]:
    """Return consecutive numbers of a table, from a random place on."""
    at = int(dice.random() * _TABLE)
    run = table[at : at + count]
    while len(run) < count:
        run = (*run, *table[: count - len(run)])
    return run


def priced(price: float) -> float:
    """Return a price in whole cents, or with the decimals of a smaller one."""
    decimals = decimals_of(price)
    return max(10.0**-decimals, round(price, decimals))


def decimals_of(price: float) -> int:
    """Return two decimals from a dollar, four from a cent; below, as many as show four digits."""
    if price >= 1:
        return _DECIMALS
    return 2 * _DECIMALS if price >= _CENT else 3 - floor(log10(price))
