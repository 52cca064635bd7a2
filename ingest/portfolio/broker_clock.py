"""The broker's clock against ours, by the executions that arrive. Pure."""

from collections import deque

SAMPLES = 32


class BrokerClock:
    """Converts the broker's unix seconds to our monotonic ones.

    The smallest difference between arrival and execution contains both clocks' difference and the
    shortest delay of the stream, however wrong either clock is.
    """

    def __init__(self) -> None:
        self._differences: deque[float] = deque(maxlen=SAMPLES)

    def on_execution(self, moment: float, arrived_at: float) -> None:
        """Note an execution's own time (unix s), and the monotonic time of its arrival."""
        self._differences.append(arrived_at - moment)

    def is_before(self, moment: float, at: float) -> bool:
        """Return whether an execution's own time was before a monotonic time."""
        return bool(self._differences) and moment + min(self._differences) < at
