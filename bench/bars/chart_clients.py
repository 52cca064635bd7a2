"""The charts' clients, as a separate process: ``python -m bench.bars.chart_clients``.

As the load client, but it notes when each bar arrives.
"""

import signal
import time
from array import array
from typing import Any

from bench.fanout.load_client import LoadClient

BAR = b"\nevent: bar."


class ChartClients(LoadClient):
    """``arrivals`` instead of latencies: a bar does not say when it was published."""

    def __init__(self) -> None:
        super().__init__()
        self._arrivals = array("q")
        self._tails: dict[int, bytes] = {}

    def measure(self, every: int) -> dict[str, Any]:
        """Count from zero."""
        self._arrivals = array("q")
        return super().measure(every)

    def arrived(self) -> int:
        """Return the number of bars since ``measure``."""
        return len(self._arrivals)

    def arrivals(self) -> list[int]:
        """Return when each bar was read, unix µs."""
        return self._arrivals.tolist()

    def _sample(self, number: int, size: int) -> None:
        now = time.time_ns() // 1000
        with memoryview(self.buffer) as view:
            # The line that names an event may arrive in two reads.
            text = self._tails.get(number, b"\n") + view[:size]
        self._arrivals.extend([now] * text.count(BAR))
        self._tails[number] = text[1 - len(BAR) :]


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it ends with its input
    ChartClients().run()
