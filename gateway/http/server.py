"""The HTTP server: uvicorn, made to offer a stream its own connection."""

import asyncio
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "tapecast.connection"

NOTSENT_LOWAT_BYTES = 16 * 1024
"""How much the kernel keeps for a client that does not read. By default it grows to 4 MB: minutes
of stale prices that no conflation can reach."""


class Connection:
    """A request's connection: its transport, and who to tell when the peer is gone."""

    __slots__ = ("on_lost", "transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.on_lost: Callable[[], None] | None = None


def connection_of(scope: Mapping[str, Any]) -> Connection | None:
    """Return the connection of a request, or None where another server runs the application."""
    offered: Connection | None = scope.get("extensions", {}).get(EXTENSION, {}).get("connection")
    return offered


class StreamingProtocol(HttpToolsProtocol):
    """Puts a ``Connection`` into each request's ``scope["extensions"]``."""

    _connection: Connection | None = None

    def on_message_begin(self) -> None:
        """Offer the connection to the request that begins."""
        super().on_message_begin()
        if self._connection is None:
            self._connection = Connection(self.transport)
        self.scope["extensions"] = {EXTENSION: {"connection": self._connection}}

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the stream, which waits for nothing else."""
        if self._connection is not None and self._connection.on_lost is not None:
            self._connection.on_lost()
        super().connection_lost(exc)


class Server(uvicorn.Server):
    """A uvicorn that leaves signals to the process that runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: uvicorn would raise them again and the process die without cleaning up."""
        yield


def make_server(app: Any) -> Server:
    """Return a server for a listening socket; logs go where the process sends its own."""
    return Server(
        uvicorn.Config(
            app,
            http=StreamingProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; connections inherit its options.

    Raises:
        OSError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(AttributeError):  # Linux and macOS have it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOTSENT_LOWAT_BYTES)
        listener.bind((host, port))
        listener.listen(2048)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
