"""A WebSocket server that says what a test wants, for what no honest Alpaca sends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgpack
from websockets.asyncio.server import ServerConnection, serve

from tests.tcp_server import tcp_server

WELCOME = msgpack.packb([{"T": "success", "msg": "connected"}])
AUTHENTICATED = msgpack.packb([{"T": "success", "msg": "authenticated"}])

Script = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def websocket_server(script: Script) -> AsyncIterator[str]:
    """Run a script for each connection; yield the URL."""
    async with serve(script, "127.0.0.1", 0, close_timeout=1) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def saying(*frames: bytes | str) -> Script:
    """Return a script: welcome, accept any keys, send frames, then listen until the end."""

    async def script(connection: ServerConnection) -> None:
        await connection.send(WELCOME)
        await connection.recv()
        for frame in (AUTHENTICATED, *frames):
            await connection.send(frame)
        await connection.wait_closed()

    return script


def packed(*messages: dict[str, Any]) -> bytes:
    """Return messages as one frame."""
    frame: bytes = msgpack.packb(list(messages))
    return frame


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[tuple[str, list[bool]]]:
    """Answer each connection with some bytes and close it, or say nothing to it (None).

    Yields the URL and a list that gets True at each connection that the client has ended.
    """
    ended: list[bool] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is not None:
            writer.write(answer)
        else:
            await reader.read()
            ended.append(True)

    async with tcp_server(talk) as port:
        yield f"ws://127.0.0.1:{port}", ended


def http_answer(status: str) -> bytes:
    """Return an HTTP answer in place of an upgrade."""
    return f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
