"""Connections of a peer that need not speak HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.limits import LIMIT_SECONDS


class Peer:
    """A socket that writes what it likes, and reads to the end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def rest(self) -> bytes:
        """Read until the server hangs up; fail if it does not."""
        async with asyncio.timeout(LIMIT_SECONDS):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def refusal(self) -> tuple[int, str, str]:
        """Read to the end; return status, code and message of the last answer."""
        answers = await self.rest()
        answer = answers[answers.rindex(b"HTTP/1.1 ") :]
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"\r\nconnection: close\r\n" in head + b"\r\n"
        assert b"\r\ncontent-type: application/json\r\n" in head + b"\r\n"
        error = json.loads(body)["error"]
        assert error["hint"]
        return int(head.split()[1]), error["code"], error["message"]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Peer]:
    """Connect to a server; the connection is reset at the end."""
    address = httpx.URL(url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        yield Peer(reader, writer)
    finally:
        writer.transport.abort()
