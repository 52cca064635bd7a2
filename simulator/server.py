"""uvicorn as the simulator runs it: in the caller's event loop, silent, ignoring signals."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette

from simulator.streams.transport import StreamProtocol

DATE_SECONDS: Final = 1.0
"""How often the `Date` header of responses is renewed."""


class OpenConnections(set[Any]):
    """uvicorn's set of open connections, which can be waited for instead of polled."""

    def __init__(self) -> None:
        super().__init__()
        self._emptied = asyncio.Event()

    def discard(self, connection: object) -> None:
        """Remove a connection if it is there."""
        super().discard(connection)
        if not self:
            self._emptied.set()

    remove = discard
    """The WebSocket protocol uses one, the HTTP protocol the other."""

    async def wait_until_empty(self) -> None:
        """Wait until no connection is open."""
        # A connection that becomes a WebSocket leaves the set for a moment: look again.
        while self:
            self._emptied.clear()
            await self._emptied.wait()


class Server(uvicorn.Server):
    """A server that reports when it listens, handles no signals and polls nothing.

    uvicorn 0.54 looks at ``should_exit``, and at its shutdown for open connections, ten times a
    second, so that each simulator of a test would take 0.2 s to stop.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        self._exit = asyncio.Event()
        super().__init__(config)
        self.server_state.connections = self._open = OpenConnections()
        self.listening = asyncio.Event()

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
            with suppress(TimeoutError):
                async with asyncio.timeout(DATE_SECONDS):
                    await self._exit.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening; wait for open connections."""
        await self._stop_accepting()
        for listener in (*self.servers, *(sockets or ())):
            listener.close()
        for connection in list(self._open):
            connection.shutdown()
        # Without a limit: the simulator aborts the connections that do not close.
        await self._open.wait_until_empty()
        while self.server_state.tasks:
            await asyncio.wait(set(self.server_state.tasks))
        for server in self.servers:
            await server.wait_closed()

    async def _stop_accepting(self) -> None:
        """Accept no further connection; wait until each accepted one is among the open ones."""
        loop = asyncio.get_running_loop()
        for server in self.servers:
            for listener in server.sockets:
                loop.remove_reader(listener.fileno())
        # asyncio completes an accepted connection in two more iterations: the first creates its
        # transport, the second calls `connection_made`. Closing the listener before the first
        # makes the transport's constructor fail and leaves its socket open (`Server._attach`,
        # https://github.com/python/cpython/issues/109564). Before the second, the connection is
        # not yet among those that the shutdown closes.
        for _ in range(2):
            await asyncio.sleep(0)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and set the event that reports it."""
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the owner of the process."""
        yield


def server_config(app: Starlette, ping_seconds: float) -> uvicorn.Config:
    """Return the server's configuration."""
    return uvicorn.Config(
        app,
        ws=StreamProtocol,
        ws_ping_interval=ping_seconds,
        ws_ping_timeout=ping_seconds,
        lifespan="off",
        log_config=None,
        access_log=False,
    )


def listen(host: str, port: int) -> socket.socket:
    """Bind a listening socket.

    Raises:
        OSError: the address is in use, or not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    # asyncio does not set it for such sockets; a second request would wait 40 ms for its response.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
