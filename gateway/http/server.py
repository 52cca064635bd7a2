"""The HTTP server: uvicorn, made to offer a stream its own connection."""

import asyncio
import logging
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.http.acceptor import Acceptor
from gateway.http.access_log import DISCRETION
from gateway.http.client_address import ClientAddress
from gateway.http.connections import Connections
from gateway.http.limits import LimitedProtocol
from shared.waiting import wait_at_most

log = structlog.get_logger()

EXTENSION = "tapecast.connection"

DATE_SECONDS = 1.0
"""How often the ``Date`` header of responses is renewed."""

END_SECONDS = 1
"""How long a server that stops waits for requests under way. Streams have ended before, and with
the release of its claims the gateway ends within 2 s."""


class RequestConnection:
    """A request's connection, which a stream may detach from the server."""

    __slots__ = ("_cycle", "_protocol")

    def __init__(self, protocol: "StreamingProtocol", cycle: RequestResponseCycle) -> None:
        self._protocol = protocol
        self._cycle = cycle

    def end_body_by_closing(self) -> None:
        """Let the end of the connection end the response's body, before the response starts.

        uvicorn 0.54 sends chunks to HTTP/1.0 too, which RFC 9112, 6.1, forbids: such a client
        reads the chunks' sizes as part of the body.
        """
        self._cycle.chunked_encoding = False

    def detach(self, on_lost: Callable[[], None]) -> asyncio.Transport:
        """Return the transport, once the response has started; the request may end then.

        The server forgets the request and ignores everything else that the peer sends. The caller
        ends the response and closes the connection. ``on_lost`` is called, never before this
        method has returned, when the connection is closed or lost.
        """
        # uvicorn counts the request as answered, so it may return while the stream continues.
        self._cycle.response_complete = True
        return self._protocol.detach(on_lost)


def connection_of(scope: Mapping[str, Any]) -> RequestConnection | None:
    """Return the connection of a request, or None if another server runs the application."""
    offered: RequestConnection | None = (
        scope.get("extensions", {}).get(EXTENSION, {}).get("connection")
    )
    return offered


class StreamingProtocol(LimitedProtocol):
    """Puts a ``RequestConnection`` into each request's ``scope["extensions"]``."""

    _on_lost: Callable[[], None] | None = None

    def on_headers_complete(self) -> None:
        """Offer the connection to the request, whose task has not run yet."""
        super().on_headers_complete()
        # With this request's cycle: ``self.cycle`` becomes that of a request that the client has
        # sent before its answer.
        connection = RequestConnection(self, self.cycle)
        self.scope["extensions"] = {EXTENSION: {"connection": connection}}

    def detach(self, on_lost: Callable[[], None]) -> asyncio.Transport:
        """Release the request that is being answered, and everything kept for it."""
        self._on_lost = on_lost
        self.connections.note_busy(self)
        self.ignore_input()  # a peer sends no request after a stream
        # A paused transport would not notice that the peer has gone.
        self.flow.resume_reading()
        self.forget_requests()
        self.parser = None  # type: ignore[assignment]
        return self.transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Notify the stream, which has no task that could notice."""
        on_lost, self._on_lost = self._on_lost, None
        if on_lost is not None:
            on_lost()
        super().connection_lost(exc)


def _nothing() -> None:
    pass


class Server(uvicorn.Server):
    """A uvicorn that leaves signals to the process that runs it, and polls nothing.

    uvicorn 0.54 looks at ``should_exit``, and at its shutdown for open connections, ten times a
    second. Here both are awaited: an idle process sleeps, and a stop takes effect at once.
    ``max_connections`` are open at the same time; ``on_full`` is called when more are wanted.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        max_connections: int = sys.maxsize,
        on_full: Callable[[], None] = _nothing,
    ) -> None:
        self._exit = asyncio.Event()
        super().__init__(config)
        self.server_state.connections = self._open = Connections(max_connections, self._on_room)
        self._on_full = on_full
        self._acceptors: list[Acceptor] = []

    @property
    def should_exit(self) -> bool:
        """Whether the server is asked to stop; set it to stop the server at once."""
        return self._exit.is_set()

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        # uvicorn's constructor sets it to False, and some of its code to True.
        if value:
            self._exit.set()

    async def main_loop(self) -> None:
        """Serve until ``should_exit``, waking up for the ``Date`` header only."""
        # A tick whose number is a multiple of ten renews the header; uvicorn counts tenths.
        while not await self.on_tick(0):
            await wait_at_most(self._exit, DATE_SECONDS)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept the connections of listening sockets."""
        await super().startup(sockets=[])
        for listener in sockets or ():
            acceptor = Acceptor(listener, self._make_protocol, self._open, self._on_full)
            self._acceptors.append(acceptor)
            acceptor.listen()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening; wait for open requests, at most ``timeout_graceful_shutdown``."""
        for acceptor in self._acceptors:
            await acceptor.stop()
        for listener in sockets or ():
            listener.close()
        for connection in list(self._open):
            connection.shutdown()
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                await self._open.wait_until_empty()
                # An application may still run after its client has left.
                while self.server_state.tasks:
                    await asyncio.wait(set(self.server_state.tasks))
        except TimeoutError:
            log.warning("requests_cancelled", count=len(self.server_state.tasks))
            for task in self.server_state.tasks:
                task.cancel()

    def _make_protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    def _on_room(self) -> None:
        for acceptor in self._acceptors:
            acceptor.listen()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: uvicorn would raise them again and the process die without cleaning up."""
        yield


def make_server(
    app: Any,
    *,
    access_log: bool = False,
    forwarded_allow_ips: Sequence[str] = (),
    max_connections: int = sys.maxsize,
    on_full: Callable[[], None] = _nothing,
) -> Server:
    """Return a server for a listening socket; logs go where the process sends its own.

    ``forwarded_allow_ips`` are the proxies whose word about a client's address is trusted.
    ``max_connections`` and ``on_full``: see ``Server``.
    """
    if access_log:
        logger = logging.getLogger("uvicorn.access")
        logger.addFilter(DISCRETION)  # a logger keeps one, however often it is added
        logger.setLevel(logging.INFO)
    return Server(
        uvicorn.Config(
            ClientAddress(app, forwarded_allow_ips),
            http=StreamingProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=access_log,
            proxy_headers=False,  # uvicorn takes any text for an address
            server_header=False,
            timeout_graceful_shutdown=END_SECONDS,
        ),
        max_connections,
        on_full,
    )
