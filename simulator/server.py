"""uvicorn, as the simulator runs it: inside of somebody's event loop, silent, without signals."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from simulator.transport import StreamProtocol


class Server(uvicorn.Server):
    """Tells when it listens, and leaves signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell when connections are being accepted."""
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever owns the process."""
        yield


def server_config(app: Starlette, ping_seconds: float) -> uvicorn.Config:
    """Return what the server is to do."""
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
        OSError: the address is taken, or not here.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    # asyncio forgets it for such sockets, and a second request would wait 40 ms for its answer.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
