"""The limit of open files of this process: each stream is one."""

import resource
import sys
from contextlib import suppress

OTHER_FILES = 100
"""Other open files: Redis, the log, libraries, and connections that are not streams."""


def raise_limit() -> int:
    """Raise the limit of open files as far as the hard limit allows, and return it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS grants less than it promises
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def shortage(limit: int, max_clients: int) -> str | None:
    """Return the remedy if the limit of open files does not suffice for the clients."""
    needed = max_clients + OTHER_FILES
    if limit >= needed:
        return None
    return (
        f"raise the hard limit of open files from {limit} to {needed} (ulimit -Hn, LimitNOFILE, "
        f"ulimits of the container), or set MAX_CLIENTS={max(limit - OTHER_FILES, 1)}"
    )
