"""The network between a client and a server on loopback, which a test can cut and repair."""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Self

CHUNK_BYTES = 65536


class Link:
    """Carries connections to a port. Use it as a context manager."""

    def __init__(self, port: int = 0) -> None:
        self._to = port
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()
        self._transports: set[asyncio.WriteTransport] = set()
        self._passes = asyncio.Event()
        self._passes.set()

    @property
    def port(self) -> int:
        """The port on which it listens."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def lead_to(self, port: int) -> None:
        """Carry later connections to another port."""
        self._to = port

    def cut(self, *, reset: bool = False) -> None:
        """Pass nothing on, in either direction, as if packets were dropped.

        ``reset`` ends the present connections first, as a firewall does that starts again.
        """
        self._passes.clear()
        if reset:
            for transport in [*self._transports]:
                _reset(transport)

    def repair(self) -> None:
        """Pass everything on again, also the bytes sent meanwhile."""
        self._passes.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        if self._pumps:
            await asyncio.wait(self._pumps)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pumps.add(task)
        try:
            await self._passes.wait()
            with suppress(OSError):
                there = await asyncio.open_connection("127.0.0.1", self._to)
                await self._both_ways((reader, writer), there)
        except asyncio.CancelledError:
            pass  # asyncio would report it: this task belongs to its server
        finally:
            self._pumps.discard(task)
            writer.transport.abort()

    async def _both_ways(
        self,
        here: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        there: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        transports = {here[1].transport, there[1].transport}
        self._transports |= transports
        pumps = [
            asyncio.create_task(self._pump(here[0], there[1])),
            asyncio.create_task(self._pump(there[0], here[1])),
        ]
        try:
            await asyncio.wait(pumps)
        finally:
            self._transports -= transports
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)
            there[1].transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on until the sender ends; then end the other side in the same way."""
        try:
            while data := await reader.read(CHUNK_BYTES):
                await self._passes.wait()
                writer.write(data)
                await writer.drain()
            await self._passes.wait()
            writer.close()
        except OSError:
            await self._passes.wait()
            _reset(writer.transport)


def _reset(transport: asyncio.WriteTransport) -> None:
    """End a connection with a TCP reset."""
    raw = transport.get_extra_info("socket")
    with suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
