"""Free ports for programs that need a number, safe for tests that run in parallel."""

import socket
import sys
from collections import deque

KEPT = 64
"""How many ports stay reserved: more than one test uses at a time, few enough descriptors."""

_reserved: deque[socket.socket] = deque()


def free_port() -> int:
    """Return a port of 127.0.0.1 that stays reserved for the next ``KEPT`` calls.

    A socket that is bound but does not listen reserves it. The kernel then assigns the port to no
    other program that asks for any port, and to no outgoing connection. A server that sets
    ``SO_REUSEADDR``, as all of ours and Valkey do, can still listen there, also after a restart.
    """
    if len(_reserved) == KEPT:
        _reserved.popleft().close()
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    port: int = kept.getsockname()[1]
    if sys.platform == "linux":
        _reserved.append(kept)
    else:  # BSD's SO_REUSEADDR lets no second socket bind the same address
        kept.close()
    return port
