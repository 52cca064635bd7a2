"""How late trades arrive: receive minus exchange time.

Alpaca buffers up to half an hour of trades for a slow reader, so a connection that looks healthy
may bring old ones. Exchanges report a few prints late; the median ignores them. No trade
is reported before it happens: a lag below zero is an error of this machine's clock.
"""

from collections import deque
from statistics import median

NEWEST_TRADES = 256
LAG_WINDOW_SECONDS = 10.0
ALARM_MS = 5000.0
CLOCK_BEHIND_MS = 2000.0
"""Exchanges' clocks, and synchronised ones, are right to milliseconds."""

LASTING_SECONDS = 3.0
ENOUGH_TRADES = 5
"""Fewer trades may all be late reports: their median raises no alarm."""

EXPECTED_MS = {"delayed_sip": 15 * 60 * 1000.0}
"""The delay that a feed has by its nature."""

ROUGHLY = 0.1
"""By which part of such a delay trades may come earlier with a right clock."""


class _LastingExcess:
    """Whether a figure has been above a limit for 3 s, until it is below half of it for 3 s.

    With two thresholds and a time, a figure near one of them does not change the answer in turns.
    """

    def __init__(self, limit_ms: float) -> None:
        self.is_reached = False
        self._limit_ms = limit_ms
        self._otherwise_since: int | None = None

    def look(self, now_us: int, excess_ms: float, trades: int) -> None:
        """Accept the figure now, a median of some trades."""
        if self.is_reached:
            is_otherwise = excess_ms < self._limit_ms / 2
        else:
            is_otherwise = excess_ms > self._limit_ms and trades >= ENOUGH_TRADES
        if not is_otherwise:
            self._otherwise_since = None
        elif self._otherwise_since is None:
            self._otherwise_since = now_us
        elif now_us - self._otherwise_since >= LASTING_SECONDS * 1e6:
            self.is_reached = not self.is_reached
            self._otherwise_since = None


class Lag:
    """The lag of one stream; times are unix microseconds by this machine's clock.

    ``alarm_ms``: the excess of the median over the expected that raises an alarm.
    """

    def __init__(self, expected_ms: float = 0.0, alarm_ms: float = ALARM_MS) -> None:
        self.ms: float | None = None
        """The median at the last look; None if there is no recent trade."""
        self._expected_ms = expected_ms
        self._late = _LastingExcess(alarm_ms)
        # A feed that is late by its nature is so only roughly.
        self._early = _LastingExcess(CLOCK_BEHIND_MS + expected_ms * ROUGHLY)
        self._trades: deque[tuple[int, int]] = deque(maxlen=NEWEST_TRADES)

    @property
    def least_expected_seconds(self) -> float:
        """The least delay that the feed has by its nature."""
        return self._expected_ms * (1 - ROUGHLY) / 1000

    @property
    def alarm(self) -> bool:
        """Whether trades arrive too late."""
        return self._late.is_reached

    @property
    def is_clock_behind(self) -> bool:
        """Whether trades arrive before they happen, by this machine's clock."""
        return self._early.is_reached

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
        excess_ms = 0.0 if self.ms is None else self.ms - self._expected_ms
        self._late.look(now_us, excess_ms, len(recent))
        self._early.look(now_us, -excess_ms, len(recent))
        return self.ms
