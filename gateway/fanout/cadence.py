"""The windows of one interval, aligned to the clock so that clients and gateways agree."""

from collections.abc import Callable
from typing import Protocol


class Windowed(Protocol):
    """What waits for the end of a window: a lane."""

    def close_window(self, next_window: int) -> None:
        """Send what waits; ``next_window`` begins."""


class Cadence:
    """Windows of ``interval`` seconds; 0 means that every value is a window of its own."""

    def __init__(
        self,
        interval: float,
        clock: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self.interval = interval
        self._clock = clock
        self._call_later = call_later
        self._due: list[Windowed] = []
        self._next_window = 0
        self._count = 0

    def window(self) -> int:
        """Return the number of the current window."""
        if not self.interval:
            self._count += 1
            return self._count
        return int(self._clock() / self.interval)

    def remind(self, lane: Windowed, window: int) -> None:
        """Have the lane close its window when it ends."""
        if not self._due:
            self._next_window = window + 1
            wait = self._next_window * self.interval - self._clock()
            self._call_later(wait, self._close_windows)
        self._due.append(lane)

    def _close_windows(self) -> None:
        due, self._due = self._due, []
        # A timer may fire a fraction early; the window that it was set for has ended all the same.
        next_window = max(self._next_window, self.window())
        for lane in due:
            lane.close_window(next_window)
