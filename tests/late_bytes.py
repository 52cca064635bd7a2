"""A relay in front of Redis that delays the bytes of some connections, as a network may."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from shared.bus.redis_source import RedisSource
from tests.tcp_server import closing, tcp_server


class LateBytes:
    """Carries bytes between clients and Redis.

    ``url`` is its address. ``waiting`` is set once bytes of a client are held back, ``answered``
    once Redis has answered such bytes after their release.
    """

    def __init__(self, host: str, port: int) -> None:
        self.url = ""
        self.waiting = asyncio.Event()
        self.answered = asyncio.Event()
        self._address = host, port
        self._open: dict[asyncio.StreamWriter, asyncio.Event] = {}
        """For each client an event that is clear while its bytes are held back."""

    def hold(self) -> None:
        """Hold back further bytes of the present clients; later connections are not affected."""
        for is_open in self._open.values():
            is_open.clear()

    def cut(self) -> None:
        """End the connections of the clients whose bytes are held back; the bytes stay."""
        for writer, is_open in self._open.items():
            if not is_open.is_set():
                writer.close()

    def release(self) -> None:
        """Pass on the bytes that were held back, also those of clients that have left."""
        for is_open in self._open.values():
            is_open.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry the bytes of one client, until Redis closes the connection or the task ends."""
        is_open, is_late = asyncio.Event(), asyncio.Event()
        is_open.set()
        self._open[writer] = is_open
        from_redis, to_redis = await asyncio.open_connection(*self._address)

        async def to_server() -> None:
            while data := await reader.read(65536):
                if not is_open.is_set():
                    self.waiting.set()
                    await is_open.wait()
                    is_late.set()
                to_redis.write(data)

        async def to_client() -> None:
            while data := await from_redis.read(65536):
                if is_late.is_set():
                    self.answered.set()
                writer.write(data)

        async with closing(to_redis):
            await asyncio.gather(to_server(), to_client())


@asynccontextmanager
async def late_bytes(source: RedisSource) -> AsyncIterator[LateBytes]:
    """Run a relay in front of a Redis on a free port."""
    address = urlsplit(source.url)
    assert address.hostname is not None
    assert address.port is not None
    relay = LateBytes(address.hostname, address.port)
    async with tcp_server(relay.carry) as port:
        relay.url = f"redis://127.0.0.1:{port}/0"
        yield relay
