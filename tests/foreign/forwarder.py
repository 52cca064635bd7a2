"""A balancer of the test's own: clients know its port, and it knows which gateway is behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Forwarder:
    """Carries bytes between each client and the gateway that was its target when the client came.

    While it is on hold, newcomers are accepted and wait.
    """

    def __init__(self, target: str) -> None:
        self.url = ""
        self._target = target
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        """Let newcomers wait."""
        self._open.clear()

    def release(self, target: str) -> None:
        """Let newcomers through, to another gateway from now on."""
        self._target = target
        self._open.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it, which ends both."""
        try:
            await self._open.wait()
            there = await asyncio.open_connection(*self._target.removeprefix("http://").split(":"))
            async with asyncio.TaskGroup() as ways:
                ways.create_task(_copy(reader, there[1]))
                ways.create_task(_copy(there[0], writer))
        finally:
            writer.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
    finally:
        sink.close()


@asynccontextmanager
async def forwarder(target: str) -> AsyncIterator[Forwarder]:
    """Run a forwarder to a gateway's URL, on a free port."""
    made, carrying = Forwarder(target), set[asyncio.Task[None]]()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carrying.add(asyncio.create_task(made.carry(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        for task in carrying:
            task.cancel()
        if carrying:
            await asyncio.wait(carrying)
