"""One pair's minute and day bars, from its trades and its quotes. Pure.

A minute that has trades is made of them. Any other is made of the mid-points between bid and ask
that held during it, also that of a quote from before it; its volume, number of trades and `vw` are
0. The same holds for a day. Source: the market data FAQ at docs.alpaca.markets. How Alpaca combines
trades and quotes in a minute that has both is not documented.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from simulator.crypto.book import amount, middle
from simulator.protocol.rfc3339 import SECOND
from simulator.protocol.wire import Message
from simulator.tape.bar_conditions import Effect, Price
from simulator.tape.bars import MINUTE, Bar, bar_fields
from simulator.tape.symbol_bars import SymbolBars

_REMEMBERED_MINUTES: Final = 2000
"""A day has 1440."""

_DAY_AND_A_BIT: Final = 26 * 3600 * SECOND
"""Longer than the longest day, shorter than two."""

_MIDDLE: Final = Effect(Price.ALL, high_low=True, volume=False)


class PairBars(SymbolBars):
    """The bars of one pair: from the first price on, each minute has one."""

    def __init__(self, midnight: Callable[[int], int]) -> None:
        """`midnight` returns the start of the day that holds a time, both in Unix nanoseconds."""
        super().__init__()
        self._midnight = midnight
        self._middle: float | None = None
        self._quoted_at = 0
        self._quoted_minutes: dict[int, Bar] = {}
        self._quoted_days: dict[int, Bar] = {}

    def expect(self, price: float | None, begins: int) -> None:
        """Announce the first price and the minute at which the tape begins."""
        super().expect(price, begins)
        if price is not None:
            self._hold(price, begins)

    def quoted(self, quote: Message, time: int) -> None:
        """Count a quote; one that lacks a side, or is older than the newest, changes nothing."""
        price = middle(amount(quote.get("bp")) or 0, amount(quote.get("ap")) or 0)
        if price is not None and time >= self._quoted_at:
            self._begin(time // MINUTE * MINUTE, price)
            self._hold(price, time)

    def minute(self, start: int) -> Message | None:
        """Return the bar of a minute, None if there is none."""
        bar = super().minute(start)
        if bar is None:
            return self._of_quotes(self._quoted_minutes, start)
        return bar if self.is_given(start) else _neat(bar)

    def minutes(self, start: int, end: int) -> Iterator[Message]:
        """Yield the bars of the minutes that start in a span (`end` excluded), oldest first."""
        for at in range(-(-max(start, self._first) // MINUTE) * MINUTE, end, MINUTE):
            if (bar := self.minute(at)) is not None:
                yield bar

    def newest_minute(self, end: int) -> Message | None:
        """Return the bar of the newest minute that starts before a time."""
        last = (end - 1) // MINUTE * MINUTE  # a quote from before may hold in it
        starts = {*self._minutes, *self._given_minutes, *self._quoted_minutes, last}
        bars = (self.minute(at) for at in sorted(starts, reverse=True) if at < end)
        return next((bar for bar in bars if bar is not None), None)

    def days(self) -> Sequence[Message]:
        """Return the bars of the days since the first price, oldest first."""
        starts = sorted({*self._days, *self._given_days, *self._quoted_days})
        return [bar for start in starts if (bar := self.day(start)) is not None]

    def day(self, start: int) -> Message | None:
        """Return the bar of a day, None if there is none."""
        bar = super().day(start)
        if bar is None:
            return self._of_quotes(self._quoted_days, start)
        return bar if start in self._given_days else _neat(bar)

    @property
    def first_day(self) -> int | None:
        """The first day of which there is a price or a bar."""
        return min((*self._days, *self._given_days, *self._quoted_days), default=None)

    @property
    def _first(self) -> int:
        """The first minute that may have a bar."""
        return min(self._oldest, next(iter(self._quoted_minutes), self._oldest))

    def _hold(self, price: float, time: int) -> None:
        """Let a mid-point hold from a time on, and the one before it until then."""
        before = self._middle
        self._middle, self._quoted_at = price, time
        minute, day = time // MINUTE * MINUTE, self._midnight(time)
        if before is not None:
            oldest = minute - _REMEMBERED_MINUTES * MINUTE
            newest = max(next(reversed(self._quoted_minutes)), oldest)
            _fill(self._quoted_minutes, range(newest + MINUTE, time, MINUTE), before)
            _fill(self._quoted_days, self._days_until(time), before)
        _fill(self._quoted_minutes, (minute,), price)
        _fill(self._quoted_days, (day,), price)
        while len(self._quoted_minutes) > _REMEMBERED_MINUTES:
            del self._quoted_minutes[next(iter(self._quoted_minutes))]

    def _days_until(self, time: int) -> Iterator[int]:
        """Yield the days after the newest one that has quotes, as far as they start before."""
        day = self._midnight(next(reversed(self._quoted_days)) + _DAY_AND_A_BIT)
        while day < time:
            yield day
            day = self._midnight(day + _DAY_AND_A_BIT)

    def _of_quotes(self, bars: dict[int, Bar], start: int) -> Message | None:
        bar = bars.get(start)
        if bar is None and self._middle is not None and start > next(reversed(bars)):
            bar = Bar(start)
            bar.add(self._middle, 0, _MIDDLE)
        return None if bar is None else bar_fields(bar)


def _fill(bars: dict[int, Bar], starts: Iterable[int], price: float) -> None:
    for start in starts:
        bars.setdefault(start, Bar(start)).add(price, 0, _MIDDLE)


def _neat(bar: Message) -> Message:
    """Return a bar whose volume shows no error of the sum."""
    volume = bar["v"]
    return {**bar, "v": round(volume, 9)} if isinstance(volume, float) else bar
