"""A TCP server of a test's own, which leaves no connection behind.

``asyncio.start_server`` alone leaves the connections that are open at its end to whichever test
runs when they are collected, and that test fails with a ``ResourceWarning``.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

ROUNDS_TO_ACCEPT = 4
"""Of the loop, between asyncio's ``accept`` of a connection and the call of our function."""

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]


@asynccontextmanager
async def tcp_server(talk: Talk) -> AsyncIterator[int]:
    """Serve each connection by ``talk`` on a free port of 127.0.0.1, and yield the port.

    A connection is closed when its ``talk`` ends. At the end of the server those that still run
    are cancelled. A client that has gone is no error; any other error is raised at the end.
    """
    carrying: set[asyncio.Task[None]] = set()
    failures: list[BaseException] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            async with closing(writer):
                await talk(reader, writer)

    def end(task: asyncio.Task[None]) -> None:
        carrying.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            failures.append(failure)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(carry(reader, writer))
        carrying.add(task)
        task.add_done_callback(end)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for _ in range(ROUNDS_TO_ACCEPT):
            await asyncio.sleep(0)
        for task in carrying:
            task.cancel()
        if carrying:
            await asyncio.wait(carrying)
    if failures:
        raise BaseExceptionGroup("the server's connections", failures)


@asynccontextmanager
async def closing(*writers: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Close connections at the end: written bytes are sent, unless an error ends them."""
    try:
        yield
        for writer in writers:
            writer.close()
            await writer.wait_closed()
    finally:
        for writer in writers:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


async def copy(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    replaced: tuple[bytes, bytes] = (b"", b""),
) -> None:
    """Pass on bytes until the sender ends or either side is lost; then close the other side.

    ``replaced``: some bytes, and those that are sent in their place.
    """
    old, new = replaced
    with suppress(OSError):
        while some := await reader.read(1 << 16):
            writer.write(some.replace(old, new) if old else some)
            await writer.drain()
    writer.close()
