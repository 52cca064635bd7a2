"""uvicorn as the simulator runs it: in the caller's event loop, silent, ignoring signals."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from simulator.transport import StreamProtocol


class Server(uvicorn.Server):
    """A server that reports when it listens and handles no signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

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
