"""A tape played again: times moved to now, gaps kept, faster by a factor if wished.

Clock, sleep and the way out are arguments, so nothing here knows of sockets or of the time.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from simulator.rfc3339 import SECOND
from simulator.tape import Row, Tape
from simulator.wire import Outgoing

_SHORTEST_PAUSE: Final = 1_000_000
"""Nanoseconds of tape between two rounds, where the tape's own mean gap is shorter."""

_LONGEST_BATCH: Final = 2000
"""Rows published without a pause: at an absurd speed, the others have to work too."""


class Replay:
    """Publishes each row when it is due, never before; late rows go out together."""

    def __init__(
        self,
        tape: Tape,
        publish: Callable[[Sequence[Outgoing]], None],
        *,
        clock: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        speed: float = 1.0,
        loop: bool = True,
    ) -> None:
        """Set up a replay.

        Args:
            tape: What to play.
            publish: Takes every batch.
            clock: Unix time in nanoseconds, which must not go back.
            sleep: Waits for a number of seconds.
            speed: Gaps are divided by this.
            loop: Start over at the end.
        """
        self._tape = tape
        self._publish = publish
        self._clock = clock
        self._sleep = sleep
        self._speed = speed
        self._loop = loop
        self.row = 0
        self.round = 0

    def state(self) -> dict[str, int]:
        """Return the position: the last row sent (1-based), the round (0-based), all rows."""
        return {"row": self.row, "loop": self.round, "rows": len(self._tape.rows)}

    async def run(self) -> None:
        """Play the tape once, or for ever."""
        start = self._clock()
        while True:
            end = await self._play_round(start)
            if not self._loop:
                return
            start = end + self._pause()
            self.round += 1
            self.row = 0

    async def _play_round(self, start: int) -> int:
        """Play all rows, the first one at `start`; return when the last one was due."""
        due = start
        batch: list[Outgoing] = []
        now = self._clock()
        for number, row in enumerate(self._tape.rows, start=1):
            time = start + round(row.offset / self._speed)
            due = max(due, time)  # a tape in order of arrival steps back now and then
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
            fields["i"] = number + self.round * len(self._tape.rows)
        return Outgoing(fields)

    def _pause(self) -> int:
        rows = self._tape.rows
        span = max(row.offset for row in rows)
        pause = span // (len(rows) - 1) if len(rows) > 1 else SECOND
        return max(1, round(max(pause, _SHORTEST_PAUSE) / self._speed))
