"""Alpaca's limit of requests per minute, kept from this side. No I/O."""

from collections.abc import Callable

REQUESTS_PER_MINUTE = 200

_BURST = 0.25
"""The part of a minute's requests that may come at once. The rest trickles in over the minute, so
that no minute, wherever it begins, has more than the limit."""

PAUSE_SECONDS = 5.0
"""After a refusal that does not say how long to wait."""

LONGEST_PAUSE_SECONDS = 60.0

_ROUNDING = 1e-6


class _Bucket:
    def __init__(self, burst: float, per_second: float, now: float) -> None:
        self.burst = self.tokens = burst
        self.per_second = per_second
        self._at = now

    def refill(self, now: float) -> None:
        if now > self._at:
            self.tokens = min(self.burst, self.tokens + (now - self._at) * self.per_second)
            self._at = now

    def empty_until(self, at: float) -> None:
        self.tokens, self._at = 0.0, max(at, self._at)

    def seconds_to(self, tokens: float, now: float) -> float:
        missing = tokens - self.tokens
        return 0.0 if missing <= _ROUNDING else max(self._at - now, 0.0) + missing / self.per_second


class RequestBudget:
    """A token bucket. Polling has a smaller one inside, so that it leaves half for all else.

    ``monotonic`` gives seconds.
    """

    def __init__(self, per_minute: int, monotonic: Callable[[], float]) -> None:
        now = monotonic()
        burst = max(2.0, per_minute * _BURST)
        rate = max(per_minute - burst, 1.0) / 60
        self._monotonic = monotonic
        self._all = _Bucket(burst, rate, now)
        self._polling = _Bucket(max(1.0, burst / 2), rate / 2, now)

    @property
    def polls_per_second(self) -> float:
        """How many requests of polling there may be in the long run."""
        return self._polling.per_second

    def take(self, *, polling: bool = False) -> float:
        """Take a request and return 0, or take none and return the seconds to wait."""
        now = self._monotonic()
        self._all.refill(now)
        self._polling.refill(now)
        wait = self._all.seconds_to(1.0, now)
        if polling:
            half = 1.0 + self._all.burst / 2
            wait = max(self._all.seconds_to(half, now), self._polling.seconds_to(1.0, now))
        if wait > 0:
            return wait
        self._all.tokens -= 1
        if polling:
            self._polling.tokens -= 1
        return 0.0

    def refused(self, seconds: float | None) -> None:
        """Alpaca says that there were too many: nothing for so long, then as after a minute."""
        pause = PAUSE_SECONDS if seconds is None else seconds
        until = self._monotonic() + min(max(pause, 0.0), LONGEST_PAUSE_SECONDS)
        self._all.empty_until(until)
        self._polling.empty_until(until)
