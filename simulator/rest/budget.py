"""Alpaca's budget of REST requests per minute.

Source: alpaca.markets/support/usage-limit-api-calls.
"""

from collections.abc import Callable
from typing import Final

WINDOW_SECONDS: Final = 60


class Budget:
    """Counts requests in windows of a minute."""

    def __init__(self, limit: int, now: Callable[[], float]) -> None:
        """`now` returns Unix time in seconds."""
        self._limit = limit
        self._now = now
        self._window = -1
        self._used = 0

    def spend(self) -> bool:
        """Count a request; return False if the minute's budget is used up."""
        window = int(self._now()) // WINDOW_SECONDS
        if window != self._window:
            self._window, self._used = window, 0
        self._used += 1
        return self._used <= self._limit

    def headers(self) -> dict[str, str]:
        """Return the three headers of every response; the reset is in Unix seconds."""
        return {
            "X-Ratelimit-Limit": str(self._limit),
            "X-Ratelimit-Remaining": str(max(0, self._limit - self._used)),
            "X-Ratelimit-Reset": str((self._window + 1) * WINDOW_SECONDS),
        }
