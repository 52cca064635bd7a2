"""Ports for programs that have to be told one, for tests that run beside each other."""

import socket
from collections import deque

KEPT = 64
"""How many ports stay reserved: more than one test uses at a time, few enough descriptors."""

_reserved: deque[socket.socket] = deque()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody else is given before ``KEPT`` further calls.

    A socket that is bound and does not listen keeps it: the kernel then gives the port neither to
    who asks for any nor to an outgoing connection, and a server that sets ``SO_REUSEADDR``, as all
    of ours and Valkey do, can still listen there, and again after a restart.
    """
    if len(_reserved) == KEPT:
        _reserved.popleft().close()
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    _reserved.append(kept)
    port: int = kept.getsockname()[1]
    return port
