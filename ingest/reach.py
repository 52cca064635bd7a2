"""Whether this process reaches Alpaca: by its attempts while it leads, else by its probes."""

import math
import time
from collections.abc import Callable
from enum import StrEnum

UNREACHABLE_ATTEMPTS, UNREACHABLE_SECONDS = 2, 2.0
"""So many failed attempts in a row, or so long in failed attempts: one that is refused fails at
once, and one into a hole in the network takes seconds."""

PROBE_LIFE_SECONDS = 3.0


class Reach(StrEnum):
    """What one ingest knows of the way from its machine to Alpaca."""

    UNKNOWN = "unknown"
    REACHES = "reaches"
    """Alpaca has just greeted it."""
    UNREACHABLE = "unreachable"
    """Several attempts have failed before Alpaca's greeting."""


class UpstreamReach:
    """Collects the attempts of one process; ``begin`` forgets them when its role changes."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.begin()

    def begin(self) -> None:
        """Start with nothing known."""
        self._failures = 0
        self._failed_seconds = 0.0
        self._greeted_at = -math.inf

    def on_attempt(self, seconds: float, *, was_greeted: bool) -> None:
        """Note an attempt to connect, how long it took, and whether Alpaca greeted."""
        if was_greeted:
            self.begin()
            self._greeted_at = self._monotonic()
        else:
            self._failures += 1
            self._failed_seconds += seconds

    @property
    def state(self) -> Reach:
        """The present knowledge."""
        if self._monotonic() - self._greeted_at < PROBE_LIFE_SECONDS:
            return Reach.REACHES
        many = self._failures >= UNREACHABLE_ATTEMPTS
        if many or self._failed_seconds >= UNREACHABLE_SECONDS:
            return Reach.UNREACHABLE
        return Reach.UNKNOWN
