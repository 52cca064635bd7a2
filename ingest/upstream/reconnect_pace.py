"""The pace of a stream's attempts: how long each may take, and the wait before the next one."""

import random
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from ingest.upstream.upstream_error import Retry, UpstreamError

STABLE_SECONDS = 10.0
"""After a connection that lasted this long, the next failure counts as the first."""

QUICK_CONNECTIONS, QUICK_WINDOW_SECONDS = 20, 60.0
"""So many shorter connections a minute count as if they had lasted, if they brought data: a cut
says nothing about the next attempt. More would be a loop, which Alpaca answers with HTTP 429."""

FIRST_WAITS = ((0.05, 0.3), (0.2, 0.6), (0.5, 1.0))
"""The bounds of the random wait after the first failures. Random, because Alpaca's clients should
not all reconnect in the same moment after it restarts."""

URGENT_WAIT_SECONDS = 2.0
"""The longest wait while clients wait for the data."""

LONG_OUTAGE_SECONDS, LONG_OUTAGE_WAIT_SECONDS = 300.0, 5.0
"""After an outage of this length the longest wait is another one."""

LONGEST_WAIT_SECONDS = 30.0
"""The longest wait while no client needs the data."""

SLOT_WAIT = (0.5, 0.7)
KEPT_SOCKET_SLOT_WAIT = (0.3, 0.5)
"""After 406: at most a second after the slot is free the stream is live again. On a socket that
Alpaca has kept open, another try is a message only, and no connection attempt."""

GHOST_SECONDS = 120.0
"""Alpaca frees the slot of a dead session after about 90 s. After this time another program holds
it, and the waits are longer."""
OTHERS_SLOT_WAIT = (3.0, 10.0)

TOO_MANY_WAIT = (90.0, 110.0)
"""Alpaca counts connection attempts per minute; an earlier one extends the ban."""


class Patience(NamedTuple):
    """The limits of an attempt, in seconds."""

    connect: float
    """TCP, TLS, the upgrade, the welcome and the authentication together."""
    answer: float
    """The welcome, the answer to the keys, and the answer to the first subscription, each."""


PATIENCE = (Patience(3.0, 1.0), Patience(4.0, 2.0), Patience(6.0, 4.0), Patience(10.0, 5.0))
"""Alpaca answers within a few tenths of a second. The limits grow with each failure, because a slow
network or a machine that is short of CPU would never connect within the first ones."""


class ReconnectPace:
    """The waits of one stream. ``uniform`` returns a random number between two bounds."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._monotonic = monotonic
        self._uniform = uniform
        self._failures = 0
        self._failing_since: float | None = None
        self._slot_taken_since: float | None = None
        self._quick: deque[float] = deque(maxlen=QUICK_CONNECTIONS + 1)

    @property
    def patience(self) -> Patience:
        """The limits of the next attempt."""
        # The first failure is the end of a connection, not of an attempt that was too short.
        return PATIENCE[min(max(self._failures - 1, 0), len(PATIENCE) - 1)]

    def on_connection_lost(self, lasted: float, *, has_worked: bool) -> None:
        """Note the end of an open connection, and whether it had brought an answer or data."""
        if lasted >= STABLE_SECONDS or (has_worked and self._count_quick() <= QUICK_CONNECTIONS):
            self._failures = 0
            self._failing_since = None
        # Alpaca has given the slot: a later 406 is about another session.
        self._slot_taken_since = None

    def wait_after(
        self, error: UpstreamError, *, is_urgent: bool, keeps_socket: bool = False
    ) -> float:
        """Count a failure, and return the seconds to wait before the next attempt.

        ``is_urgent``: clients wait for data that the stream could bring now. ``keeps_socket``: the
        next attempt sends the keys again on the same socket.
        """
        now = self._monotonic()
        if self._failing_since is None:
            self._failing_since = now
        if error.retry is Retry.MUCH_LATER:
            return self._uniform(*TOO_MANY_WAIT)
        # Another session holds the slot. Alpaca answers, so this is not a failure to connect.
        if error.retry is Retry.LATER:
            if self._slot_taken_since is None:
                self._slot_taken_since = now
            if now - self._slot_taken_since >= GHOST_SECONDS:
                return self._uniform(*OTHERS_SLOT_WAIT)
            return self._uniform(*(KEPT_SOCKET_SLOT_WAIT if keeps_socket else SLOT_WAIT))
        self._failures += 1
        if self._failures <= len(FIRST_WAITS):
            return self._uniform(*FIRST_WAITS[self._failures - 1])
        longest = LONGEST_WAIT_SECONDS
        if is_urgent:
            is_long = now - self._failing_since >= LONG_OUTAGE_SECONDS
            longest = LONG_OUTAGE_WAIT_SECONDS if is_long else URGENT_WAIT_SECONDS
        # A float, and bounded: the count has no limit.
        most = min(2.0 ** min(self._failures - len(FIRST_WAITS), 10), longest)
        return self._uniform(most / 2, most)

    def _count_quick(self) -> int:
        """Count a connection; return the number within the window."""
        now = self._monotonic()
        self._quick.append(now)
        while now - self._quick[0] >= QUICK_WINDOW_SECONDS:
            self._quick.popleft()
        return len(self._quick)
