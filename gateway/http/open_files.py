"""The open files of this process: each connection is one, and each stream is a connection."""

import resource
import sys
from collections.abc import Callable
from contextlib import suppress

import structlog

log = structlog.get_logger()

OWN_FILES = 40
"""Open files that are no connections of clients: those to Redis, the log, libraries."""

BRIEF_CONNECTIONS = 60
"""Connections that are no streams: health checks, requests, refusals."""

OTHER_FILES = OWN_FILES + BRIEF_CONNECTIONS

LOG_SECONDS = 60.0


class OpenFiles:
    """The room that a limit of open files leaves for ``max_clients`` streams.

    ``streams`` is the most streams, ``connections`` the most connections of clients. If the limit
    is small, the reserves are parts of it. ``clock`` gives seconds.
    """

    def __init__(self, limit: int, max_clients: int, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._max_clients = max_clients
        self._clock = clock
        self._logged_at: float | None = None
        self.connections = limit - min(OWN_FILES, limit // 3)
        self.streams = min(max_clients, self.connections - min(BRIEF_CONNECTIONS, limit // 6))

    @property
    def remedy(self) -> str | None:
        """What to do if the files do not suffice for the clients; None if they do."""
        needed = self._max_clients + OTHER_FILES
        if self._limit >= needed:
            return None
        return (
            f"raise the hard limit of open files from {self._limit} to {needed} (ulimit -Hn, "
            f"LimitNOFILE, ulimits of the container), or set MAX_CLIENTS={self.streams}"
        )

    def on_exhausted(self) -> None:
        """Log that the files have run out, at most once a minute."""
        now = self._clock()
        if self._logged_at is not None and 0 <= now - self._logged_at < LOG_SECONDS:
            return
        self._logged_at = now
        log.warning(
            "open_files_exhausted",
            message="new connections wait for others to end, and new streams are asked to retry",
            remedy=self.remedy or "find the connections that are no streams: ss -tnp",
            streams=self.streams,
        )

    def on_streams_full(self) -> None:
        """Log it if the files, not ``MAX_CLIENTS``, are the reason why there is no room."""
        if self.streams < self._max_clients:
            self.on_exhausted()


def raise_limit() -> int:
    """Raise the limit of open files as far as the hard limit allows, and return it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS grants less than it promises
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit
