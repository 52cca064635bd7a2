"""The bars from before a symbol's first trade: recorded ones if there are any, or invented ones.

Recorded: the days that the tape's sidecar or the settings have, and the minutes of the last of
them. Invented, if that is wanted: the days before those, and the minutes of all other days. They
lead to the price of the first trade, and are the same in every run for the same dates. Computed on
demand; the newest are cached. Pure.
"""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Final, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from simulator.protocol.rfc3339 import SECOND
from simulator.protocol.wire import Message
from simulator.tape.bars import MINUTE
from simulator.tape.hours import EASTERN, MarketHours, midnight
from simulator.tape.invention import Shape, days_before, minute_columns, minutes_of, morning
from simulator.tape.minute_columns import MinuteColumns, joined
from simulator.tape.recording import DailyBar

INVENTED_DAYS: Final = 500
"""Trading days before the first trade for which there are bars."""

_RECORDED_SEARCH_DAYS: Final = 30
_CACHED_SYMBOLS: Final = 512
_BLOCK: Final = 60
"""The number of minutes that are invented together."""
_CACHED_DAYS: Final = 2000
_CACHED_BLOCKS: Final = 1500
_CACHED_RECORDED: Final = 16
_CACHED_FOLDED_BARS: Final = 50_000
"""Counted with one more for each span, so that empty ones are limited as well."""

Fold: TypeAlias = Callable[[Iterable[Message]], Iterable[Message]]
"""Returns larger bars from minutes, both oldest first."""

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True)
class Anchor:
    """Where a symbol's trades begin: the midnight of the day, the minute, and the price."""

    day: int
    minute: int | None
    price: float | None


@dataclass
class _Recorded:
    days: Sequence[DailyBar] = ()
    minutes: Sequence[Message] = ()
    """Those of the last day; `t` in nanoseconds since midnight in New York."""


@dataclass
class History:
    """The bars before the first trades of all symbols.

    `splits` maps a symbol to the number of new shares today for each of yesterday's. `zone` is
    that of the days and of the hours. `keeps_idle`: minutes that have no trades have bars, too.
    """

    hours: MarketHours
    is_invented: bool = False
    splits: Mapping[str, float] = field(default_factory=dict)
    zone: ZoneInfo = EASTERN
    keeps_idle: bool = False
    _recorded: dict[str, _Recorded] = field(default_factory=dict)
    _starts: dict[int, Sequence[int]] = field(default_factory=dict)
    _days: OrderedDict[tuple[str, Anchor], list[Message]] = field(default_factory=OrderedDict)
    _parts_of_days: OrderedDict[tuple[object, ...], Sequence[Shape | None]] = field(
        default_factory=OrderedDict
    )
    _blocks: OrderedDict[tuple[object, ...], MinuteColumns | None] = field(
        default_factory=OrderedDict
    )
    _moved: OrderedDict[tuple[str, int], list[Message]] = field(default_factory=OrderedDict)
    _folds: OrderedDict[tuple[object, ...], Sequence[Message]] = field(default_factory=OrderedDict)
    _folded_bars: int = 0

    def record(
        self, symbol: str, days: Sequence[DailyBar], minutes: Sequence[Message] = ()
    ) -> None:
        """Announce a symbol's recorded days, oldest first, and the minutes of the last of them.

        The minutes' `t` is in nanoseconds since midnight in New York.
        """
        self._recorded[symbol] = _Recorded(days, minutes)

    def recorded_minutes(self) -> int:
        """Return the number of recorded minutes."""
        return sum(len(each.minutes) for each in self._recorded.values())

    def recorded_days(self) -> int:
        """Return the number of recorded days of all symbols."""
        return sum(len(each.days) for each in self._recorded.values())

    def days(self, symbol: str, anchor: Anchor, count: int = INVENTED_DAYS) -> Sequence[Message]:
        """Return the newest bars of the days before the first trade's, nearest first."""
        key = (symbol, anchor)
        known = _cached(self._days, key, list, _CACHED_SYMBOLS)
        if len(known) < count:
            known[:] = self._days_before(symbol, anchor, count)
        return known[:count]

    def minutes(self, symbol: str, anchor: Anchor, start: int, end: int) -> Iterator[Message]:
        """Yield the minute bars in a span (`end` excluded) before the first trade, oldest first."""
        for part in self._parts_of(symbol, anchor, start, end):
            yield from part.bars() if isinstance(part, MinuteColumns) else part

    def folded(
        self, symbol: str, anchor: Anchor, start: int, end: int, length: int, fold: Fold
    ) -> Sequence[Message]:
        """Return the bars of `length` ns of a span (`end` excluded), folded from its minutes.

        `fold` does it where minutes are recorded.
        """
        sessions = tuple(self._regular_minutes(day) for day in self._days_of(start, end))
        key = (symbol, anchor, start, end, length, sessions)
        if key in self._folds:
            self._folds.move_to_end(key)
            return self._folds[key]
        parts = list(self._parts_of(symbol, anchor, start, end))
        columns = [part for part in parts if isinstance(part, MinuteColumns)]
        if len(columns) == len(parts):
            found = list(joined(columns).folded(length)) if columns else []
        else:
            found = list(fold(self.minutes(symbol, anchor, start, end)))
        self._folds[key] = found
        self._folded_bars += len(found) + 1
        while self._folded_bars > _CACHED_FOLDED_BARS:
            _, oldest = self._folds.popitem(last=False)
            self._folded_bars -= len(oldest) + 1
        return found

    def newest_minute(self, symbol: str, anchor: Anchor) -> Message | None:
        """Return the last minute bar before the first trade."""
        for day in (anchor.day, *(_start(bar) for bar in self.days(symbol, anchor, 1))):
            opening, count = self._regular_minutes(day)
            end = min(anchor.minute or 0, opening + count * MINUTE)
            found = list(self.minutes(symbol, anchor, max(day, end - _BLOCK * MINUTE), end))
            if found:
                return found[-1]
        return None

    def _parts_of(
        self, symbol: str, anchor: Anchor, start: int, end: int
    ) -> Iterator[MinuteColumns | Sequence[Message]]:
        """Yield the minutes in a span (`end` excluded), oldest first; recorded ones as messages."""
        if anchor.minute is None or start >= anchor.minute:
            return
        oldest = anchor.day - 2 * INVENTED_DAYS * 24 * 60 * MINUTE
        start, end = max(start, oldest), min(end, anchor.minute)
        recorded = self._recorded.get(symbol, _Recorded()).minutes
        last = self.days(symbol, anchor, 1) if recorded else ()
        for day in self._days_of(start, end):
            if last and _start(last[0]) == day:
                bars = self._recorded_minutes(symbol, day)
                yield [bar for bar in bars if start <= _start(bar) < end]
            elif self.is_invented and anchor.price is not None:
                yield from self._invented(symbol, anchor, day, start, end)

    def _days_before(self, symbol: str, anchor: Anchor, count: int) -> list[Message]:
        recorded = self._recorded.get(symbol, _Recorded()).days
        starts = self._starts_before(anchor.day, count)
        found: list[Message] = [
            _recorded_day(start, bar)
            for bar, start in zip(reversed(recorded), starts[:_RECORDED_SEARCH_DAYS], strict=False)
        ][:count]
        price = anchor.price
        if not self.is_invented or price is None:
            return found
        close = _number(found[-1], "o") if found else price * self.splits.get(symbol, 1)
        volume = _number(found[-1], "v") if found else None
        shapes = days_before(symbol, close, volume)
        rest = starts[len(found) : count]
        return [
            *found,
            *(_bar(start, shape) for start, shape in zip(rest, shapes, strict=False)),
        ]

    def _starts_before(self, day: int, count: int) -> Sequence[int]:
        """Return the midnights of the trading days before one, nearest first."""
        known = self._starts.get(day, ())
        if len(known) < count:
            known = tuple(islice(self._trading_days_before(day), count))
            self._starts = {day: known}  # nearly all symbols have the same first day
        return known

    def _recorded_minutes(self, symbol: str, day: int) -> Sequence[Message]:
        """Return the recorded minutes as those of a day."""

        def moved() -> list[Message]:
            minutes = self._recorded[symbol].minutes
            return [{**bar, "t": self._wall(day, _start(bar))} for bar in minutes]

        return _cached(self._moved, (symbol, day), moved, _CACHED_RECORDED)

    def _invented(
        self, symbol: str, anchor: Anchor, day: int, start: int, end: int
    ) -> Iterator[MinuteColumns]:
        """Yield the minutes of a day that are in a span, oldest first."""
        opening, count = self._regular_minutes(day)
        if day == anchor.day:
            count = min(count, ((anchor.minute or 0) - opening) // MINUTE)
        length = _BLOCK * MINUTE
        for number in range(max(0, (start - opening) // length), -(-count // _BLOCK)):
            at = opening + number * length
            if at >= end:
                return
            minutes = min(_BLOCK, count - number * _BLOCK)
            block = self._block(symbol, anchor, day, number, (opening, count, minutes))
            if block is not None:
                yield block.between(start, end)

    def _block(
        self, symbol: str, anchor: Anchor, day: int, number: int, session: tuple[int, int, int]
    ) -> MinuteColumns | None:
        """Return the invented minutes of a part of a day.

        `session`: the day's opening, the number of its minutes, and that of the part's.
        """
        opening, count, length = session

        def invented() -> MinuteColumns | None:
            part = self._parts(symbol, anchor, day, opening, count)[number]
            start = opening + number * _BLOCK * MINUTE
            seed = f"{symbol} {self._date(day)} {number}"
            if part is None:
                return None
            return minute_columns(seed, part, length, start, keeps_idle=self.keeps_idle)

        return _cached(
            self._blocks, (symbol, anchor, day, number, session), invented, _CACHED_BLOCKS
        )

    def _parts(
        self, symbol: str, anchor: Anchor, day: int, opening: int, count: int
    ) -> Sequence[Shape | None]:
        """Return the parts of a day, `_BLOCK` minutes each; the last one may be shorter."""

        def invented() -> Sequence[Shape | None]:
            shape = self._shape_of(symbol, anchor, day)
            blocks = -(-count // _BLOCK)
            seed = f"{symbol} {self._date(day)}"
            if shape is None:
                return [None] * blocks
            return minutes_of(seed, shape, blocks, keeps_idle=self.keeps_idle)

        key = (symbol, anchor, day, opening, count)
        return _cached(self._parts_of_days, key, invented, _CACHED_DAYS)

    def _shape_of(self, symbol: str, anchor: Anchor, day: int) -> Shape | None:
        """Return the bar of a day, or of the part of the first trade's day that is before it."""
        if day != anchor.day:
            days = self.days(symbol, anchor)
            at = bisect_left(days, -day, key=lambda bar: -_start(bar))
            return _shape(days[at]) if at < len(days) and _start(days[at]) == day else None
        before = self.days(symbol, anchor, 1)
        if not before or anchor.price is None:
            return None
        opening, count = self._regular_minutes(day)
        share = min(1, ((anchor.minute or 0) - opening) / MINUTE / count)
        close = _number(before[0], "c") / self.splits.get(symbol, 1)
        return morning(f"{symbol} {day}", close, anchor.price, _shape(before[0]), share)

    def _regular_minutes(self, day: int) -> tuple[int, int]:
        """Return the start of a day's regular session, and its number of minutes."""
        hours = self.hours.trading_day(self._date(day))
        if hours is None:
            return day, 0
        closing = hours.day if hours.close > hours.open else hours.day + timedelta(days=1)
        opening, close = self._at(hours.day, hours.open), self._at(closing, hours.close)
        return opening, (close - opening) // MINUTE

    def _days_of(self, start: int, end: int) -> Iterator[int]:
        """Yield the midnights of the days that a span touches (`end` excluded), oldest first."""
        day = midnight(start, self.zone)
        while day < end:
            yield day
            day = self._at(self._date(day) + timedelta(days=1), time(0))

    def _trading_days_before(self, day: int) -> Iterator[int]:
        first = self._date(day)
        for days in range(1, 2 * INVENTED_DAYS):
            before = first - timedelta(days=days)
            if self.hours.trading_day(before) is not None:
                yield self._at(before, time(0))

    def _date(self, day: int) -> date:
        """Return the date of a Unix time in nanoseconds."""
        return datetime.fromtimestamp(day // SECOND, UTC).astimezone(self.zone).date()

    def _at(self, day: date, wall: time) -> int:
        return int(datetime.combine(day, wall, self.zone).timestamp()) * SECOND

    def _wall(self, day: int, since_midnight: int) -> int:
        """Return the time of the zone's clock on a day, also on the days of the clock's change."""
        seconds = since_midnight // SECOND
        hours, rest = divmod(seconds, 3600)
        return self._at(self._date(day), time(hours, rest // 60, rest % 60))


def _cached(
    cache: OrderedDict[_K, _V],
    key: _K,
    make: Callable[[], _V],
    limit: int,
) -> _V:
    if key in cache:
        cache.move_to_end(key)
        return cache[key]
    made = cache[key] = make()
    if len(cache) > limit:
        cache.popitem(last=False)
    return made


def _bar(start: int, shape: Shape) -> Message:
    return {
        "o": shape.open,
        "h": shape.high,
        "l": shape.low,
        "c": shape.close,
        "v": shape.volume,
        "t": start,
        "n": shape.trades,
        "vw": shape.vwap,
    }


def _shape(bar: Message) -> Shape:
    prices = [_number(bar, name) for name in "ohlc"]
    return Shape(prices[0], prices[1], prices[2], prices[3], max(1, round(_number(bar, "v"))))


def _recorded_day(start: int, bar: DailyBar) -> Message:
    fields: dict[str, object] = msgspec.to_builtins(bar)
    return {"t": start, **fields}


def _number(bar: Message, name: str) -> float:
    value = bar[name]
    return value if isinstance(value, int | float) else 0


def _start(bar: Message) -> int:
    start = bar["t"]
    return start if isinstance(start, int) else 0
