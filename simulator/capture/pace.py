"""When a record of a capture is due, by the event loop's clock."""

from collections.abc import Awaitable, Callable
from typing import Final

from simulator.protocol.rfc3339 import SECOND

_PATIENT_SECONDS: Final = 3600.0
"""The longest sleep at once."""


class Pace:
    """Keeps the recorded pauses, divided by a speed.

    While the replay waits for the client, time stands still, so that later pauses are kept. With
    `is_anchored` it does not: records that became due meanwhile come at once, and the times that
    were moved to now are those of now again.
    """

    def __init__(
        self,
        start: int,
        speed: float,
        begin_in: float,
        *,
        is_anchored: bool,
        time: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """`start` is the first record's time, which is due in `begin_in` seconds.

        `time` is the event loop's clock, in seconds.
        """
        self._start = start
        self._speed = speed
        self._is_anchored = is_anchored
        self._time = time
        self._sleep = sleep
        self._began = time() + begin_in
        self._newest = start
        self._next = start

    @property
    def position(self) -> int:
        """The time in the recording to which the replay has come."""
        elapsed = round((self._time() - self._began) * self._speed * SECOND)
        return max(self._newest, min(self._next, self._start + elapsed))

    async def until(self, at: int) -> None:
        """Wait until a record of this time is due."""
        self._next = max(self._next, at)
        due = self._began + (at - self._start) / SECOND / self._speed
        while (left := due - self._time()) > 0:
            await self._sleep(min(left, _PATIENT_SECONDS))
        self._newest = max(self._newest, at)

    def resume(self) -> None:
        """Note that a wait for the client has ended, at the newest record."""
        if not self._is_anchored:
            passed = (self._newest - self._start) / SECOND / self._speed
            self._began = max(self._began, self._time() - passed)
