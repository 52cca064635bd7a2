"""The HTTP server: uvicorn, made to offer a stream its own connection."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn

from gateway.http.access_log import DISCRETION
from gateway.http.limits import LimitedProtocol

EXTENSION = "tapecast.connection"


class Connection:
    """A request's connection, which a stream may take for itself."""

    __slots__ = ("_protocol", "on_lost")

    def __init__(self, protocol: "StreamingProtocol") -> None:
        self._protocol = protocol
        self.on_lost: Callable[[], None] | None = None
        """Who to tell when the peer is gone."""

    def take(self) -> asyncio.Transport:
        """Return the transport, once the response has begun; the request may end then.

        The server forgets the request and what else the peer sends; who takes the connection ends
        the response and closes it.
        """
        return self._protocol.give_away()


def connection_of(scope: Mapping[str, Any]) -> Connection | None:
    """Return the connection of a request, or None where another server runs the application."""
    offered: Connection | None = scope.get("extensions", {}).get(EXTENSION, {}).get("connection")
    return offered


class StreamingProtocol(LimitedProtocol):
    """Puts a ``Connection`` into each request's ``scope["extensions"]``."""

    _connection: Connection | None = None
    _taken = False

    def on_message_begin(self) -> None:
        """Offer the connection to the request that begins."""
        super().on_message_begin()
        self._connection = Connection(self)
        self.scope["extensions"] = {EXTENSION: {"connection": self._connection}}

    def give_away(self) -> asyncio.Transport:
        """Let go of the request that is being answered, and of all that is kept for one."""
        self.cycle.response_complete = True  # the request may return; the stream goes on
        self._taken = True
        self._stop_clock()
        self.flow.resume_reading()  # or the peer's end would not be heard
        self.cycle = self.scope = self.headers = self.parser = None  # type: ignore[assignment]
        self.pipeline.clear()
        return self.transport

    def data_received(self, data: bytes) -> None:
        """Parse what is sent, unless a stream has the connection: no request follows one."""
        if not self._taken:
            super().data_received(data)

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


def make_server(
    app: Any, *, access_log: bool = False, forwarded_allow_ips: Sequence[str] = ()
) -> Server:
    """Return a server for a listening socket; logs go where the process sends its own.

    ``forwarded_allow_ips`` are the proxies that are believed who a client is.
    """
    if access_log:
        logger = logging.getLogger("uvicorn.access")
        logger.addFilter(DISCRETION)  # of which a logger takes one, however often it is added
        logger.setLevel(logging.INFO)
    return Server(
        uvicorn.Config(
            app,
            http=StreamingProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=access_log,
            forwarded_allow_ips="*" if "*" in forwarded_allow_ips else list(forwarded_allow_ips),
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )
