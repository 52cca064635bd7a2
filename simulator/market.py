"""What has been replayed so far, per symbol: latest trade, latest quote, bars.

Pure; answers `GET /v2/stocks/snapshots` and values the positions. Every trade counts towards
the bars, whatever its conditions; Alpaca leaves some conditions out.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from simulator.rfc3339 import SECOND
from simulator.tape import DailyBar
from simulator.wire import Message, json_fields

_MINUTE: Final = 60 * SECOND


@dataclass(frozen=True)
class Bar:
    """A bar in the making: prices in dollars, `start` in Unix nanoseconds."""

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


@dataclass
class _Known:
    trade: Message | None = None
    quote: Message | None = None
    minute: Bar | None = None
    completed_minute: Bar | None = None
    day: Bar | None = None
    previous_day: Bar | None = None
    recorded_day: DailyBar | None = None
    """The day before the recording, from the tape's sidecar."""


class Market:
    """The symbols of this run and what is known of each."""

    def __init__(self, day_start: Callable[[int], int]) -> None:
        """`day_start` gives the midnight in New York before a time, both in nanoseconds."""
        self._day_start = day_start
        self._known: dict[str, _Known] = {}

    def expect(self, symbols: Iterable[str], recorded_days: Mapping[str, DailyBar]) -> None:
        """Announce symbols, with the recorded bar of the day before where there is one."""
        for symbol in symbols:
            self._known[symbol] = _Known(recorded_day=recorded_days.get(symbol))

    def observe(self, message: Message) -> None:
        """Take in a message that is being sent."""
        symbol, time = message.get("S"), message.get("t")
        if not isinstance(symbol, str) or not isinstance(time, int):
            return
        known = self._known.setdefault(symbol, _Known())
        if message["T"] == "q":
            known.quote = message
        elif message["T"] == "t":
            known.trade = message
            price, size = message.get("p"), message.get("s")
            if isinstance(price, int | float) and isinstance(size, int | float):
                self._extend_bars(known, time, price, size)

    def price(self, symbol: str) -> float | None:
        """Return the price of the latest trade in dollars, None before the first."""
        known = self._known.get(symbol)
        return None if known is None or known.day is None else known.day.close

    def previous_close(self, symbol: str) -> float | None:
        """Return the close of the day before in dollars, None if nobody recorded it."""
        known = self._known.get(symbol)
        if known is None:
            return None
        if known.previous_day is not None:
            return known.previous_day.close
        return None if known.recorded_day is None else known.recorded_day.c

    def snapshot(self, symbol: str, now: int) -> dict[str, object] | None:
        """Return a symbol's snapshot as Alpaca's REST shows it, None for an unknown symbol.

        `now` is in nanoseconds: a minute's bar is shown once that minute is over.
        """
        known = self._known.get(symbol)
        if known is None:
            return None
        minute = known.minute
        if minute is not None and minute.start == now // _MINUTE * _MINUTE:
            minute = known.completed_minute
        return {
            "latestTrade": _without_names(known.trade),
            "latestQuote": _without_names(known.quote),
            "minuteBar": _shown(minute),
            "dailyBar": _shown(known.day),
            "prevDailyBar": self._previous_daily_bar(known, now),
        }

    def _extend_bars(self, known: _Known, time: int, price: float, size: float) -> None:
        start = time // _MINUTE * _MINUTE
        if known.minute is None or start >= known.minute.start:  # a late print has had its bar
            if known.minute is not None and start > known.minute.start:
                known.completed_minute = known.minute
            known.minute = Bar.joined(known.minute, start, price, size)
        day = Bar.joined(known.day, self._day_start(time), price, size)
        if known.day is not None and known.day.start != day.start:
            known.previous_day = known.day
        known.day = day

    def _previous_daily_bar(self, known: _Known, now: int) -> dict[str, object] | None:
        if known.previous_day is not None:
            return _shown(known.previous_day)
        if known.recorded_day is None:
            return None
        yesterday = self._day_start(self._day_start(now) - 1)
        return json_fields({"t": yesterday, **msgspec.to_builtins(known.recorded_day)})


def _without_names(message: Message | None) -> dict[str, object] | None:
    if message is None:
        return None
    return json_fields({key: value for key, value in message.items() if key not in "TS"})


def _shown(bar: Bar | None) -> dict[str, object] | None:
    return None if bar is None else json_fields(bar_fields(bar))
