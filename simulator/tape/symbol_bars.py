"""One symbol's minute and day bars, computed from its trades. Pure.

Trades count in the order of their times. A cancel or correction computes the bars of its minute
and its day again, unless the prints of that minute are no longer kept.
"""

import sys
from bisect import insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from simulator.protocol.wire import Message
from simulator.tape.bar_conditions import (
    Effect,
    Effects,
    Price,
    effects_of,
    outside_regular_hours,
)
from simulator.tape.bars import MINUTE, Bar, bar_fields, joined

_REMEMBERED_MINUTES: Final = 2000
"""A day has 1440."""

_REMEMBERED_DAYS: Final = 3
"""The days whose bars can be computed again from those of their minutes."""

_REMEMBERED_PRINTS: Final = 20_000
"""The prints that are kept for bars that have to be computed again, those of the newest minutes."""

_NO_PRICE: Final = Effect(Price.NONE, high_low=True, volume=True)
"""The rest of a late print's effect if the prints of its minute are no longer kept."""


class _Print(NamedTuple):
    time: int
    arrival: int
    price: float
    size: float
    minute: Effect
    day: Effect
    trade_id: object


class _Minute:
    """The trades of a minute: its bar, and its part of the day's bar."""

    __slots__ = ("bar", "newest", "part", "prints")

    def __init__(self, start: int) -> None:
        self.bar = Bar(start)
        self.part = Bar(start)
        self.newest = 0
        self.prints: list[_Print] | None = []

    def add(self, print_: _Print) -> bool:
        """Count a trade; return False if it was late, so that the day has to be joined again."""
        is_late = print_.time < self.newest
        self.newest = max(self.newest, print_.time)
        if self.prints is not None:
            if is_late:
                insort(self.prints, print_)
                self.count_again()
                return False
            self.prints.append(print_)
        minute = _least(print_.minute, _NO_PRICE) if is_late else print_.minute
        day = _least(print_.day, _NO_PRICE) if is_late else print_.day
        self.bar.add(print_.price, print_.size, minute)
        self.part.add(print_.price, print_.size, day)
        return not is_late

    def count_again(self) -> None:
        """Compute both bars from the prints."""
        start = self.bar.start
        self.bar, self.part = Bar(start), Bar(start)
        for each in self.prints or ():
            self.bar.add(each.price, each.size, each.minute)
            self.part.add(each.price, each.size, each.day)


class SymbolBars:
    """The bars of one symbol. Times are Unix nanoseconds, days their midnights."""

    def __init__(self, effects: Callable[[Message], Effects] | None = None) -> None:
        """`effects` returns what a trade moves; None means by the rules of stocks."""
        self._effects = effects or _effects_of_stock
        self.first_price: float | None = None
        """The price from which the history before the first trade continues, in dollars."""
        self.begins: int | None = None
        """The minute before which there was no trade yet."""
        self._minutes: dict[int, _Minute] = {}
        self._days: dict[int, Bar] = {}
        self._starts: dict[int, dict[int, None]] = {}
        self._given_minutes: dict[int, Message] = {}
        self._given_days: dict[int, Message] = {}
        self._newest = 0
        self._oldest = sys.maxsize
        """No minute is older."""
        self._arrivals = 0
        self._kept = 0

    def expect(self, price: float | None, begins: int) -> None:
        """Announce the first price and the minute at which the trades begin."""
        self.first_price, self.begins = price, begins

    def add(self, trade: Message, time: int, day: int, *, is_regular: bool) -> int:
        """Count a trade; return its minute. `is_regular`: it belongs to the regular session."""
        price, size = _number(trade, "p"), _number(trade, "s")
        effects = self._effects(trade)
        of_day = effects.day if is_regular else outside_regular_hours(effects.day)
        self._arrivals += 1
        print_ = _Print(time, self._arrivals, price, size, effects.minute, of_day, trade.get("i"))
        start = time // MINUTE * MINUTE
        minute = self._minute(start, day)
        self._begin(start, price)
        self._given_days.pop(day, None)
        self._kept += minute.prints is not None
        if minute.add(print_) and time >= self._newest:
            self._newest = time
            self._days[day].add(price, size, of_day)
        else:
            self._join(day)
        if self._kept > _REMEMBERED_PRINTS:
            self._forget_prints()
        return start

    def quoted(self, quote: Message, time: int) -> None:
        """Count a quote; the bars of stocks are made of trades only."""

    def replace(
        self, was: Message, new: Message | None, time: int, day: int, *, is_regular: bool
    ) -> int | None:
        """Void a trade, or replace it; return its minute, None if its print is not kept."""
        start = time // MINUTE * MINUTE
        minute = self._minutes.get(start)
        prints = None if minute is None else minute.prints
        found = None if prints is None else _find(prints, was, time)
        if minute is None or prints is None or found is None:
            return None
        prints.remove(found)
        self._kept -= 1
        if new is not None:
            effects = self._effects(new)
            print_ = found._replace(
                price=_number(new, "p"),
                size=_number(new, "s"),
                minute=effects.minute,
                day=effects.day if is_regular else outside_regular_hours(effects.day),
                trade_id=new.get("i"),
            )
            insort(prints, print_)
            self._kept += 1
        minute.count_again()
        self._join(day)
        return start

    def give(self, bar: Message, time: int, *, is_day: bool) -> None:
        """Record a bar that was published by hand or is in the tape: it stands for the trades'.

        That of a day stands until its next trade.
        """
        given = self._given_days if is_day else self._given_minutes
        given[time] = {key: value for key, value in bar.items() if key not in ("T", "S")}
        if not is_day:
            self._oldest = min(self._oldest, time)
            self._begin(time // MINUTE * MINUTE, _number(bar, "o"))
            while len(given) > _REMEMBERED_MINUTES:
                del given[next(iter(given))]

    def minute(self, start: int) -> Message | None:
        """Return the bar of a minute, None if there is none."""
        given = self._given_minutes.get(start)
        if given is not None:
            return given
        minute = self._minutes.get(start)
        return bar_fields(minute.bar) if minute is not None and minute.bar.is_whole else None

    def is_given(self, start: int) -> bool:
        """Return whether the bar of a minute was published by hand, or is in the tape."""
        return start in self._given_minutes

    def minutes(self, start: int, end: int) -> Iterator[Message]:
        """Yield the bars of the minutes that start in a span (`end` excluded), oldest first."""
        if end <= self._oldest:  # a chart's history: dozens of spans before the first trade
            return
        for at in sorted({*self._minutes, *self._given_minutes}):
            if start <= at < end and (bar := self.minute(at)) is not None:
                yield bar

    def newest_minute(self, end: int) -> Message | None:
        """Return the bar of the newest minute that starts before a time."""
        for at in sorted({*self._minutes, *self._given_minutes}, reverse=True):
            if at < end and (bar := self.minute(at)) is not None:
                return bar
        return None

    def days(self) -> Sequence[Message]:
        """Return the bars of the days since the first trade, oldest first."""
        starts = sorted({*self._days, *self._given_days})
        return [bar for start in starts if (bar := self.day(start)) is not None]

    def day(self, start: int) -> Message | None:
        """Return the bar of a day, None if there is none."""
        bar = self._days.get(start)
        counted = bar_fields(bar) if bar is not None and bar.is_whole else None
        return self._given_days.get(start, counted)

    @property
    def first_day(self) -> int | None:
        """The first day of which there is a trade or a bar."""
        return min((*self._days, *self._given_days), default=None)

    def _begin(self, minute: int, price: float) -> None:
        if self.begins is None:
            self.begins = minute
        if self.first_price is None:
            self.first_price = price or None

    def _minute(self, start: int, day: int) -> _Minute:
        minute = self._minutes.get(start)
        if minute is None:
            minute = self._minutes[start] = _Minute(start)
            self._oldest = min(self._oldest, start)
            self._days.setdefault(day, Bar(day))
            self._starts.setdefault(day, {})[start] = None
            if len(self._starts) > _REMEMBERED_DAYS:
                del self._starts[min(self._starts)]
            if len(self._minutes) > _REMEMBERED_MINUTES:
                oldest = self._minutes.pop(next(iter(self._minutes)))
                self._kept -= len(oldest.prints or ())
        return minute

    def _join(self, day: int) -> None:
        """Compute a day's bar again from the parts of its minutes."""
        starts = self._starts.get(day, {})
        parts = [self._minutes[at].part for at in sorted(starts) if at in self._minutes]
        if parts and len(parts) == len(starts):  # otherwise a minute is forgotten: keep the bar
            self._days[day] = joined(day, parts)

    def _forget_prints(self) -> None:
        for start in sorted(self._minutes):
            minute = self._minutes[start]
            if minute.prints is not None:
                self._kept -= len(minute.prints)
                minute.prints = None
            if self._kept <= _REMEMBERED_PRINTS // 2:
                return


def _effects_of_stock(trade: Message) -> Effects:
    return effects_of(trade.get("z"), trade.get("c"))


def _least(one: Effect, other: Effect) -> Effect:
    return Effect(
        min(one.price, other.price), one.high_low and other.high_low, one.volume and other.volume
    )


def _find(prints: Sequence[_Print], trade: Message, time: int) -> _Print | None:
    wanted = (time, trade.get("i"), trade.get("p"), trade.get("s"))
    for one in reversed(prints):
        if (one.time, one.trade_id, one.price, one.size) == wanted:
            return one
    return None


def _number(message: Mapping[str, object], name: str) -> float:
    value = message.get(name)
    return value if isinstance(value, int | float) else 0
