"""The listening socket, with the kernel's options for each connection that it accepts."""

import socket
from contextlib import suppress

NOTSENT_LOWAT_BYTES = 16 * 1024
"""How much the kernel buffers for a client that does not read. By default it grows to 4 MB:
minutes of stale prices that no conflation can reach."""

KEEPALIVE_SECONDS = 15
"""After such a silence the kernel probes the peer, then every 5 s."""


def listen(host: str, port: int, *, patience_seconds: float) -> socket.socket:
    """Return a socket that listens; connections inherit its options.

    For ``patience_seconds`` a peer may acknowledge nothing, or take nothing, of what it was sent;
    then the kernel drops the connection. That is how a peer that has vanished is found.

    Raises:
        OSError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            ("TCP_NOTSENT_LOWAT", NOTSENT_LOWAT_BYTES),
            ("TCP_USER_TIMEOUT", int(patience_seconds * 1000)),
            ("TCP_KEEPIDLE", KEEPALIVE_SECONDS),
            ("TCP_KEEPINTVL", 5),
            ("TCP_KEEPCNT", 3),
        ):
            with suppress(AttributeError):  # Linux has all of them, others have some
                listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        listener.bind((host, port))
        listener.listen(2048)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
