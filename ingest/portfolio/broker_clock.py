"""The broker's clock against ours, by the executions that arrive. Pure."""

from collections import deque
from typing import NamedTuple

MEMORY_SECONDS = 3600.0
"""An execution that comes promptly shows how far the clocks are apart. In this time two clocks
that are set by NTP drift by less than an execution takes to arrive."""

EXECUTIONS_AT_LEAST = 32
"""So many newest executions count however old they are: an account may rest for days."""


class _Sample(NamedTuple):
    """The number of an execution, its arrival, and that minus the execution's own time."""

    number: int
    arrived_at: float
    difference: float


class BrokerClock:
    """Converts the broker's unix seconds to our monotonic ones.

    The smallest difference between arrival and execution contains both clocks' difference and the
    shortest delay of the stream, however wrong either clock is. It is one of the last hour: a
    stream that is late for some minutes then has a prompt execution to be compared with.
    """

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque()
        """The smallest difference is the first; each other is the smallest since the one before."""
        self._number = 0

    def on_execution(self, moment: float, arrived_at: float) -> None:
        """Note an execution's own time (unix s), and the monotonic time of its arrival."""
        self._number += 1
        difference, samples = arrived_at - moment, self._samples
        # A larger one that came earlier can never again be the smallest.
        while samples and samples[-1].difference >= difference:
            samples.pop()
        samples.append(_Sample(self._number, arrived_at, difference))
        while self._is_outdated(samples[0], arrived_at):
            samples.popleft()

    def is_before(self, moment: float, at: float) -> bool:
        """Return whether an execution's own time was before a monotonic time."""
        return bool(self._samples) and moment + self._samples[0].difference < at

    def _is_outdated(self, sample: _Sample, now: float) -> bool:
        is_old = now - sample.arrived_at > MEMORY_SECONDS
        return is_old and self._number - sample.number >= EXECUTIONS_AT_LEAST
