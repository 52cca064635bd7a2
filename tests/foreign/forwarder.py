"""A balancer of the test's own: clients know its port, and it knows which gateway is behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.tcp_server import closing, copy, tcp_server


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
        await self._open.wait()
        address = self._target.removeprefix("http://").split(":")
        there, onward = await asyncio.open_connection(*address)
        async with closing(onward):
            await asyncio.gather(copy(reader, onward), copy(there, writer))


@asynccontextmanager
async def forwarder(target: str) -> AsyncIterator[Forwarder]:
    """Run a forwarder to a gateway's URL, on a free port."""
    made = Forwarder(target)
    async with tcp_server(made.carry) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made
