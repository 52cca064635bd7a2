"""How late trades arrive: receive minus exchange time.

Alpaca buffers up to half an hour of trades for a slow reader, so a connection that looks healthy
may bring old ones. Exchanges report a few prints late; the median ignores them.
"""

from collections import deque
from statistics import median

NEWEST_TRADES = 256
LAG_WINDOW_SECONDS = 10.0
ALARM_MS = 5000.0
LASTING_SECONDS = 3.0
ENOUGH_TRADES = 5
"""Fewer trades may all be late reports: their median raises no alarm."""

EXPECTED_MS = {"delayed_sip": 15 * 60 * 1000.0}
"""The delay that a feed has by its nature."""


class Lag:
    """The lag of one stream; times are unix microseconds by this machine's clock.

    ``alarm`` is raised when the median has been ``alarm_ms`` above the expected for 3 s, and
    withdrawn when it has been below half of that for 3 s.
    """

    def __init__(self, expected_ms: float = 0.0, alarm_ms: float = ALARM_MS) -> None:
        self.ms: float | None = None
        """The median at the last look; None if there is no recent trade."""
        self.alarm = False
        self._expected_ms = expected_ms
        self._alarm_ms = alarm_ms
        self._trades: deque[tuple[int, int]] = deque(maxlen=NEWEST_TRADES)
        self._otherwise_since: int | None = None

    def add(self, received_us: int, exchange_ns: int) -> None:
        """Add a trade's times."""
        self._trades.append((received_us, exchange_ns))

    def begin(self) -> None:
        """Forget the trades of an earlier connection."""
        self._trades.clear()

    def look(self, now_us: int) -> float | None:
        """Measure; return the median in milliseconds, or None if there is no recent trade."""
        oldest = now_us - int(LAG_WINDOW_SECONDS * 1e6)
        recent = [
            received / 1e3 - exchange / 1e6
            for received, exchange in self._trades
            if received >= oldest
        ]
        self.ms = median(recent) if recent else None
        self._raise_or_withdraw(now_us, len(recent))
        return self.ms

    def _raise_or_withdraw(self, now_us: int, trades: int) -> None:
        # Two thresholds and a time: a lag near one threshold does not raise alarms in turns.
        beyond = 0.0 if self.ms is None else self.ms - self._expected_ms
        if self.alarm:
            is_otherwise = beyond < self._alarm_ms / 2
        else:
            is_otherwise = beyond > self._alarm_ms and trades >= ENOUGH_TRADES
        if not is_otherwise:
            self._otherwise_since = None
        elif self._otherwise_since is None:
            self._otherwise_since = now_us
        elif now_us - self._otherwise_since >= LASTING_SECONDS * 1e6:
            self.alarm = not self.alarm
            self._otherwise_since = None
