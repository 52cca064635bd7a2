"""Alpaca's limit of requests per minute, kept on our side. No I/O."""

from collections.abc import Callable

REQUESTS_PER_MINUTE = 200

_BURST = 0.25
"""The part of a minute's requests that may leave at once. The rest is spread over the minute, so
that no window of 60 s has more than the limit: see ``test_request_budget.py``."""

PAUSE_SECONDS = 5.0
"""The pause after an HTTP 429 that names no time to wait."""

LONGEST_PAUSE_SECONDS = 60.0

_ROUNDING = 1e-6
"""A request is not delayed for a fraction of a token that only floating point has lost."""


class _Bucket:
    """Tokens that refill at ``per_second`` up to ``burst``."""

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
    """A token bucket. Polling has a smaller one inside it, and leaves half for other requests.

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
        """The long-term rate of polling requests."""
        return self._polling.per_second

    def acquire(self, *, polling: bool = False) -> float:
        """Acquire a request and return 0, or acquire none and return the seconds to wait."""
        now = self._monotonic()
        self._all.refill(now)
        self._polling.refill(now)
        wait = self._all.seconds_to(1.0, now)
        if polling:
            # Polls leave half the tokens, so that a new symbol is looked up at once.
            half = 1.0 + self._all.burst / 2
            wait = max(self._all.seconds_to(half, now), self._polling.seconds_to(1.0, now))
        if wait > 0:
            return wait
        self._all.tokens -= 1
        if polling:
            self._polling.tokens -= 1
        return 0.0

    def on_too_many(self, seconds: float | None) -> None:
        """Pause after an HTTP 429, for the seconds that it names, and start with no tokens."""
        pause = PAUSE_SECONDS if seconds is None else seconds
        until = self._monotonic() + min(max(pause, 0.0), LONGEST_PAUSE_SECONDS)
        self._all.empty_until(until)
        self._polling.empty_until(until)
