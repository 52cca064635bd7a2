"""The replay of a tape: times are moved to now, pauses kept or divided by a factor.

At speed 1 they are moved by whole minutes or days, see `shift`.

Clock, sleep and output are arguments, so this module knows neither sockets nor the time.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from simulator.protocol.rfc3339 import SECOND
from simulator.protocol.wire import Outgoing
from simulator.tape.hours import AlwaysOpen, MarketHours
from simulator.tape.recording import Row, Tape
from simulator.tape.shift import Shift, first_start, next_start
from simulator.tape.trade_ids import TradeIds

_SHORTEST_PAUSE: Final = 1_000_000
"""The shortest pause between two rounds, in nanoseconds; longer if the tape's mean pause is."""

_LONGEST_BATCH: Final = 2000
"""Rows published with no pause in between: at extreme speeds, other tasks must run too."""


class Replay:
    """Publishes each row when it is due, not before; late rows are published together."""

    def __init__(
        self,
        tape: Tape,
        publish: Callable[[Sequence[Outgoing]], None],
        *,
        clock: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        speed: float = 1.0,
        loop: bool = True,
        repeat_ids: bool = False,
        shift: Shift = "none",
        hours: MarketHours | None = None,
    ) -> None:
        """Set up a replay.

        Args:
            tape: The tape to replay.
            publish: Called with every batch.
            clock: Returns Unix time in nanoseconds, which must not decrease.
            sleep: Waits for a number of seconds.
            speed: The divisor of the tape's pauses.
            loop: Whether to restart at the end.
            repeat_ids: Whether invented trade ids repeat as Alpaca's do; otherwise they are unique.
            shift: By what the times are moved, if the speed is 1.
            hours: The market's hours, whose trading days a shift by days keeps.
        """
        self._tape = tape
        self._publish = publish
        self._clock = clock
        self._sleep = sleep
        self._speed = speed
        self._loop = loop
        self._ids = TradeIds() if repeat_ids else None
        self._hours = hours or AlwaysOpen()
        self._shift: Shift = shift if speed == 1 else "none"
        self._span = max(row.offset for row in tape.rows)
        self._tape_start = tape.start
        self.begins = first_start(self._shift, self._tape_start, self._span, clock(), self._hours)
        """The time of the first row in the first round, in Unix nanoseconds."""
        self.row = 0
        self.round = 0

    def state(self) -> dict[str, int]:
        """Return the position: the last row sent (1-based), the round (0-based), all rows."""
        return {"row": self.row, "loop": self.round, "rows": len(self._tape.rows)}

    async def run(self) -> None:
        """Replay the tape once, or endlessly."""
        start = self.begins
        while True:
            end = await self._play_round(start)
            if not self._loop:
                return
            earliest = end + self._pause()
            start = next_start(self._shift, self._tape_start, earliest, self._hours)
            self.round += 1
            self.row = 0
            if self._ids is not None:
                self._ids.restart()

    async def _play_round(self, start: int) -> int:
        """Publish all rows, the first one at `start`; return the time at which the last was due."""
        due = start
        batch: list[Outgoing] = []
        now = self._clock()
        for number, row in enumerate(self._tape.rows, start=1):
            time = start + round(row.offset / self._speed)
            due = max(due, time)  # times may decrease in a tape that is in order of arrival
            if due > now:
                self._send(batch, number - 1)
                batch = []
                now = await self._wait_until(due)
            batch.append(self._outgoing(row, number, time))
            if len(batch) == _LONGEST_BATCH:
                self._send(batch, number)
                batch = []
                await self._sleep(0)
        self._send(batch, len(self._tape.rows))
        await self._sleep(0)
        return due

    async def _wait_until(self, due: int) -> int:
        while (now := self._clock()) < due:
            await self._sleep((due - now) / SECOND)
        return now

    def _send(self, batch: Sequence[Outgoing], row: int) -> None:
        if batch:
            self.row = row
            self._publish(batch)

    def _outgoing(self, row: Row, number: int, time: int) -> Outgoing:
        fields = {**row.fields, "t": time}
        if fields.get("i", 0) is None:
            if self._ids is None:
                fields["i"] = number + self.round * len(self._tape.rows)
            else:
                fields["i"] = self._ids.next(fields["S"], fields.get("x"), time)
        return Outgoing(fields)

    def _pause(self) -> int:
        rows = self._tape.rows
        pause = self._span // (len(rows) - 1) if len(rows) > 1 else SECOND
        return max(1, round(max(pause, _SHORTEST_PAUSE) / self._speed))


def progress(replay: Replay | None) -> dict[str, int]:
    """Return the position of a replay as `Replay.state` does; with no tape there are no rows."""
    return {"row": 0, "loop": 0, "rows": 0} if replay is None else replay.state()
