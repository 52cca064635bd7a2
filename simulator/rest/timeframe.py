"""The time frames of `GET /v2/stocks/bars`: their names, where a bar starts, and how it is folded.

Pure. Source: the market data FAQ at docs.alpaca.markets, and its OpenAPI description. Bars of
minutes and hours are folded from minute bars and aligned to the clock in UTC; weeks start on
Monday and months on the first, both from daily bars. Whether Alpaca aligns bars of several hours to
UTC or to New York is not documented.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from simulator.protocol.rfc3339 import SECOND
from simulator.protocol.wire import Message
from simulator.tape.bars import rounded
from simulator.tape.hours import EASTERN

_PATTERN: Final = re.compile(r"(\d+)([A-Za-z]+)", re.ASCII)
_UNITS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("Min", "T"), "Min"),
    **dict.fromkeys(("Hour", "H"), "Hour"),
    **dict.fromkeys(("Day", "D"), "Day"),
    **dict.fromkeys(("Week", "W"), "Week"),
    **dict.fromkeys(("Month", "M"), "Month"),
}
_AMOUNTS: Final[Mapping[str, Iterable[int]]] = {
    "Min": range(1, 60),
    "Hour": range(1, 24),
    "Day": (1,),
    "Week": (1,),
    "Month": (1, 2, 3, 4, 6, 12),
}
_MINUTES: Final[Mapping[str, int]] = {"Min": 1, "Hour": 60}


@dataclass(frozen=True)
class Timeframe:
    """A time frame: an amount of `Min`, `Hour`, `Day`, `Week` or `Month`.

    `zone` is that of the days.
    """

    amount: int
    unit: str
    zone: ZoneInfo = EASTERN

    @property
    def length(self) -> int | None:
        """The length in nanoseconds of bars that are folded from minutes; None if from days."""
        minutes = _MINUTES.get(self.unit)
        return None if minutes is None else self.amount * minutes * 60 * SECOND

    def start_of(self, time: int) -> int:
        """Return the start of the bar that holds a Unix time, both in nanoseconds."""
        if self.length is not None:
            return time // self.length * self.length
        day = datetime.fromtimestamp(time // SECOND, UTC).astimezone(self.zone).date()
        if self.unit == "Week":
            day -= timedelta(days=day.weekday())
        elif self.unit == "Month":
            day = date(day.year, (day.month - 1) // self.amount * self.amount + 1, 1)
        midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        return int(midnight.timestamp()) * SECOND

    def fold(self, bars: Iterable[Message]) -> Iterator[Message]:
        """Yield the bars of this time frame from smaller ones, both oldest first."""
        group: list[Message] = []
        start = 0
        for bar in bars:
            own = self.start_of(_integer(bar, "t"))
            if group and own != start:
                yield _folded(start, group)
                group = []
            start = own
            group.append(bar)
        if group:
            yield _folded(start, group)


def read_timeframe(text: str, zone: ZoneInfo = EASTERN) -> Timeframe:
    """Read a time frame: `1Min` or `1T`, `5Min`, `1Hour` or `1H`, `1Day`, `1Week`, `3Month`.

    Raises:
        ValueError: it is none.
    """
    match = _PATTERN.fullmatch(text)
    unit = None if match is None else _UNITS.get(match[2])
    if match is None or unit is None or int(match[1]) not in _AMOUNTS[unit]:
        raise ValueError(text)
    return Timeframe(int(match[1]), unit, zone)


def _folded(start: int, bars: list[Message]) -> Message:
    if len(bars) == 1:
        return {**bars[0], "t": start}
    volume = sum(_number(bar, "v") for bar in bars)
    folded: dict[str, object] = {
        "o": bars[0]["o"],
        "h": max(_number(bar, "h") for bar in bars),
        "l": min(_number(bar, "l") for bar in bars),
        "c": bars[-1]["c"],
        "v": volume,
        "t": start,
    }
    # A recorded bar may lack them.
    if all("n" in bar for bar in bars):
        folded["n"] = sum(_integer(bar, "n") for bar in bars)
    if all("vw" in bar for bar in bars):
        turnover = sum(_number(bar, "vw") * _number(bar, "v") for bar in bars)
        folded["vw"] = rounded(turnover / volume) if volume else 0
    return folded


def _number(bar: Message, name: str) -> float:
    value = bar[name]
    return value if isinstance(value, int | float) else 0


def _integer(bar: Message, name: str) -> int:
    value = bar[name]
    return value if isinstance(value, int) else 0
