"""A stream as bytes: the head, each HTTP chunk by itself, and how it ended."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.limits import LIMIT_SECONDS


class RawStream:
    """The part of a response that was read so far. A gateway makes one chunk of each write.

    ``rest`` follows the last whole chunk; ``complete``: the response was ended properly.
    """

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self.head = b""
        self.chunks: list[bytes] = []
        self.rest = b""
        self.complete = False
        self._reader = reader

    @property
    def headers(self) -> dict[str, str]:
        """The headers, with names in lower case."""
        lines = self.head.decode().split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    @property
    def body(self) -> bytes:
        """Everything in whole chunks."""
        return b"".join(self.chunks)

    @property
    def blocks(self) -> list[list[tuple[str, str]]]:
        """The events of the body, each as its lines, taken apart at the first colon and space."""
        return [
            [line.partition(": ")[::2] for line in block.split("\n")]
            for block in self.body.decode().split("\n\n")[:-1]
        ]

    def values(self, field: str) -> list[str]:
        """Return the values of a field, of all events."""
        return [value for block in self.blocks for name, value in block if name == field]

    async def until(self, wanted: bytes, *, after: int = 0) -> None:
        """Read until the body holds something, after so many bytes of it."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while wanted not in self.body[after:]:
                assert await self._more(), f"ended before {wanted!r}"

    async def to_the_end(self) -> None:
        """Read until the response is complete or the connection lost."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while await self._more():
                pass

    async def _more(self) -> bool:
        try:
            data = await self._reader.read(65536)
        except ConnectionResetError:
            return False
        self.rest += data
        if not self.head and b"\r\n\r\n" in self.rest:
            self.head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        while self.head and not self.complete:
            size, newline, rest = self.rest.partition(b"\r\n")
            if not newline or len(rest) < int(size, 16) + 2:
                break
            chunk, self.rest = rest[: int(size, 16)], rest[int(size, 16) + 2 :]
            if chunk:
                self.chunks.append(chunk)
            else:
                self.complete = True
        return bool(data) and not self.complete


@asynccontextmanager
async def raw_stream(
    url: str, path: str = "/api/stream/prices", *, slow: bool = False, **query: str
) -> AsyncIterator[RawStream]:
    """Ask for a stream; it is read when the test says so. ``slow``: with the smallest buffers."""
    address = httpx.URL(url)
    connection = socket.socket()
    if slow:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, (address.host, address.port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=4096 if slow else 65536)
    writer.write(
        f"GET {path}?{httpx.QueryParams(query)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    )
    try:
        yield RawStream(reader)
    finally:
        writer.close()
