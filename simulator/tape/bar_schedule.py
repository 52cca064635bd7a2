"""The bars on the streams of a market: which are due at which moment.

`b` of the minute that has ended, 0.45 to 0.95 s after its end; with it `d`, the bar of the day so
far, from the first minute after the opening until the day's midnight. 29.2 s later `u`, if the
trades of the minute have changed since. A stock's minute with no eligible trade sends nothing.
Measured at Alpaca, for stocks: `b` 0.7 s after the minute (95 % within 0.9 s), `u` 28.6 to 29.8 s
after the `b`, `d` unchanged for hours after the close. Alpaca does not document whether a change
after the half minute causes a `u`: here it does not, REST has it.

Clock and sleep are arguments.
"""

import heapq
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Final, Literal, NamedTuple, TypeAlias
from zlib import crc32

from simulator.faults.armed import ArmedFaults
from simulator.protocol import rfc3339
from simulator.protocol.rfc3339 import SECOND
from simulator.protocol.subscription import WILDCARD
from simulator.protocol.wire import Message, Outgoing
from simulator.tape.bars import MINUTE
from simulator.tape.hours import MarketHours
from simulator.tape.market import Market

Kind: TypeAlias = Literal["b", "u", "d"]
KINDS: Final[tuple[Kind, ...]] = ("b", "u", "d")

_MILLISECOND: Final = SECOND // 1000
_FIRST: Final = 450 * _MILLISECOND
_STEP: Final = 50 * _MILLISECOND
SLICES: Final = 11
"""The symbols' bars are spread over so many moments, one `_STEP` apart; a symbol keeps its own."""

UPDATE_AFTER: Final = 29_200 * _MILLISECOND
"""From a symbol's `b` to its `u`."""

_REMEMBERED_MINUTES: Final = 4
_MISSED: Final = MINUTE
"""If the machine slept for longer, the bars of that time are not sent."""


class Moment(NamedTuple):
    """A time in Unix nanoseconds at which bars of the symbols of one slice are due."""

    at: int
    kind: Literal["b", "u"]
    minute: int
    slice: int


class BarSchedule:
    """Sends the bars of one market."""

    def __init__(
        self,
        market: Market,
        hours: MarketHours,
        armed: ArmedFaults,
        publish: Callable[[Sequence[Outgoing]], None],
        subscribed: Callable[[str], Collection[str]],
    ) -> None:
        """Set up the schedule.

        Args:
            market: Has the bars.
            hours: The market's hours, for `d`.
            armed: The faults that withhold or delay bars.
            publish: Sends messages to the market's streams.
            subscribed: Returns the symbols, or `*`, to which a client subscribes on a channel.
        """
        self._market = market
        self._hours = hours
        self._armed = armed
        self._publish = publish
        self._subscribed = subscribed
        self._sent: dict[int, dict[str, Message]] = {}
        self._late: list[tuple[int, int, Outgoing]] = []
        self._numbers = count()
        self.counts: dict[str, int] = dict.fromkeys(KINDS, 0)
        """The bars that were sent, by kind."""

    async def run(
        self, clock: Callable[[], int], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        """Send the bars when they are due, until cancelled. `clock` returns Unix nanoseconds."""
        # Those of the last minute are late, or were before the start: then they count as sent.
        for moment in moments(clock() - MINUTE):
            while (now := clock()) < moment.at:
                self._send_late(now)
                await sleep((min(moment.at, self._next_late()) - now) / SECOND)
            if now - moment.at < _MISSED:
                self._publish(self.due(moment))

    def due(self, moment: Moment) -> list[Outgoing]:
        """Return the bars that are sent at a moment; they then count as sent."""
        bars = [] if moment.kind == "u" else self._days(moment)
        symbols = [one for one in self._market.touched(moment.minute) if _is_of(one, moment.slice)]
        for symbol in sorted(symbols, key=_order):
            bars += self._bar(moment, symbol)
        return bars

    def minute(self, minute: int, kind: Literal["b", "u"]) -> list[Outgoing]:
        """Return the bars of a minute of all symbols, as `due` does at its moments."""
        slices = (Moment(minute + MINUTE, kind, minute, number) for number in range(SLICES))
        return [bar for moment in slices for bar in self.due(moment)]

    def update(self, symbol: str, minute: int) -> Outgoing:
        """Return a `u` of a minute as it is now.

        Raises:
            ValueError: the minute has no bar.
        """
        bar = self._market.minute(symbol, minute)
        if bar is None:
            raise ValueError(f"{symbol} has no bar of the minute {rfc3339.render(minute)}")
        self._note(minute, symbol, bar)
        return self._outgoing("u", symbol, bar)

    def _bar(self, moment: Moment, symbol: str) -> Iterator[Outgoing]:
        sent = self._sent.get(moment.minute, {}).get(symbol)
        bar = self._market.minute(symbol, moment.minute)
        if bar is None or bar == sent or (moment.kind == "b" and sent is not None):
            return
        self._note(moment.minute, symbol, bar)
        if not self._market.is_given(symbol, moment.minute):
            yield from self._faulty(moment.kind, symbol, bar, moment)

    def _days(self, moment: Moment) -> list[Outgoing]:
        """Return `d` of the subscribed symbols; the last one of a day is that of its midnight."""
        end = moment.minute + MINUTE
        day = self._market.midnight(end - 1)
        wanted = self._subscribed("dailyBars")
        if not wanted or not self._has_opened(end):
            return []
        symbols = self._market.symbols() if WILDCARD in wanted else wanted
        found: list[Outgoing] = []
        for symbol in symbols:
            if _is_of(symbol, moment.slice) and (bar := self._market.day(symbol, day)) is not None:
                found += self._faulty("d", symbol, bar, moment)
        return found

    def _has_opened(self, at: int) -> bool:
        """Return whether the market has opened before a time, on the day that holds it."""
        local = datetime.fromtimestamp((at - 1) // SECOND, UTC).astimezone(self._market.zone)
        hours = self._hours.trading_day(local.date())
        return hours is not None and local.time() >= hours.open

    def _faulty(self, kind: Kind, symbol: str, bar: Message, moment: Moment) -> Iterator[Outgoing]:
        outgoing = self._outgoing(kind, symbol, bar)
        target = f"{kind} {rfc3339.render(moment.minute)}"
        fault = self._armed.take("bar", target, symbol)
        if fault is None:
            self.counts[kind] += 1
            yield outgoing
        elif fault.delay_seconds:
            at = moment.at + round(fault.delay_seconds * SECOND)
            heapq.heappush(self._late, (at, next(self._numbers), outgoing))

    def _note(self, minute: int, symbol: str, bar: Message) -> None:
        self._sent.setdefault(minute, {})[symbol] = bar
        if len(self._sent) > _REMEMBERED_MINUTES:
            del self._sent[min(self._sent)]

    def _next_late(self) -> int:
        return self._late[0][0] if self._late else 1 << 63

    def _send_late(self, now: int) -> None:
        ready: list[Outgoing] = []
        while self._late and self._late[0][0] <= now:
            outgoing = heapq.heappop(self._late)[2]
            self.counts[str(outgoing.message["T"])] += 1
            ready.append(outgoing)
        if ready:
            self._publish(ready)

    def _outgoing(self, kind: Kind, symbol: str, bar: Message) -> Outgoing:
        return Outgoing({"T": kind, "S": symbol, **bar})


def moments(now: int) -> Iterator[Moment]:
    """Yield the moments from a time on, endlessly; `now` is in Unix nanoseconds."""
    first = now // MINUTE * MINUTE - MINUTE
    for end in count(first, MINUTE):
        minute = end - MINUTE
        for kind, after in _KINDS_OF_A_MINUTE:
            for number in range(SLICES):
                at = end + _FIRST + number * _STEP + after
                if at >= now:
                    yield Moment(at, kind, minute, number)


_KINDS_OF_A_MINUTE: Final[tuple[tuple[Literal["b", "u"], int], ...]] = (
    ("b", 0),
    ("u", UPDATE_AFTER),
)


def _is_of(symbol: str, slice_: int) -> bool:
    return crc32(symbol.encode()) % SLICES == slice_


def _order(symbol: str) -> int:
    """Return a key that is in no order of names: Alpaca documents none within the burst."""
    return crc32(symbol[::-1].encode())
