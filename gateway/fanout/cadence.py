"""The windows of one interval, aligned to the clock so that clients and gateways agree."""

from collections.abc import Callable

CloseWindow = Callable[[int], None]
"""Sends the values that wait in a lane. It is given the number of the window that starts."""


class Cadence:
    """Windows of ``interval`` seconds; 0 means that every value is a window by itself."""

    def __init__(
        self,
        interval: float,
        clock: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self.interval = interval
        self._clock = clock
        self._call_later = call_later
        self._due: list[CloseWindow] = []
        self._next_window = 0
        self._count = 0

    def window(self) -> int:
        """Return the number of the current window."""
        if not self.interval:
            self._count += 1
            return self._count
        return int(self._clock() / self.interval)

    def remind(self, close_window: CloseWindow, window: int) -> None:
        """Call a lane back at the end of a window."""
        # One timer serves all lanes of the interval: their windows end at the same moment.
        if not self._due:
            self._next_window = window + 1
            wait = self._next_window * self.interval - self._clock()
            self._call_later(wait, self._close_windows)
        self._due.append(close_window)

    def _close_windows(self) -> None:
        due, self._due = self._due, []
        # A timer may fire a fraction early; the window that it was set for has ended all the same.
        next_window = max(self._next_window, self.window())
        for close_window in due:
            close_window(next_window)
