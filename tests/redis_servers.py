"""Servers of Redis in every role that a failover knows: master, replica, sentinel, cluster node."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import BusyLoadingError

from shared.bus.errors import REDIS_ERRORS
from shared.bus.valkey_server import server_binary
from tests.ports import free_port
from tests.services import until
from tests.tcp_server import closing, copy, tcp_server

QUIET = ("--save", "", "--appendonly", "no", "--loglevel", "warning")


class RedisServer:
    """A running server; ``client`` speaks to it directly, on whatever it answers."""

    def __init__(self, port: int, process: asyncio.subprocess.Process) -> None:
        self.port = port
        self.process = process
        self.client = Redis(port=port, client_name="test")

    async def names(self) -> list[str]:
        """Return the names of its clients, apart from this test's own and from replicas."""
        clients = await self.client.client_list()
        return sorted(each["name"] for each in clients if each["name"] not in ("", "test"))

    async def is_used(self) -> bool:
        """Return whether it has clients other than this test and replicas."""
        return bool(await self.names())

    async def follow(self, master: "RedisServer | None") -> None:
        """Make it a replica, or a master."""
        if master is None:
            await self.client.replicaof("NO", "ONE")
        else:
            await self.client.replicaof("127.0.0.1", str(master.port))

    async def is_in_sync(self) -> bool:
        """Return whether it is a replica that has its master's data."""
        return (await self.client.info("replication")).get("master_link_status") == "up"

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        self.process.send_signal(number)


@asynccontextmanager
async def redis_server(
    folder: Path, *arguments: str, port: int = 0, binary: Path | None = None
) -> AsyncIterator[RedisServer]:
    """Run a server on loopback until the block is left."""
    port = port or free_port()
    process = await asyncio.create_subprocess_exec(
        str(binary or server_binary()),
        *arguments,
        *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )
    server = RedisServer(port, process)

    async def answers() -> bool:
        assert process.returncode is None, f"{arguments} ended with {process.returncode}"
        try:
            return bool(await server.client.ping())
        except BusyLoadingError:
            return True
        except REDIS_ERRORS:
            return False

    try:
        await until(answers)
        yield server
    finally:
        await server.client.aclose()
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def master_and_replica(folder: Path) -> AsyncIterator[tuple[RedisServer, RedisServer]]:
    """Run a master and a replica that has its data."""
    fast = (*QUIET, "--repl-diskless-sync-delay", "0")
    async with redis_server(folder, *fast) as master, redis_server(folder, *fast) as replica:
        await replica.follow(master)
        await until(replica.is_in_sync)
        yield master, replica


@asynccontextmanager
async def three_sentinels(folder: Path, master: RedisServer) -> AsyncIterator[Sequence[int]]:
    """Run three sentinels that watch the master ``mymaster``; yield their ports."""
    async with contextlib.AsyncExitStack() as running:
        sentinels = []
        for number in range(3):
            configuration = folder / f"sentinel-{number}.conf"
            configuration.write_text(
                f"sentinel monitor mymaster 127.0.0.1 {master.port} 2\n"
                "sentinel down-after-milliseconds mymaster 1000\n"
                "sentinel failover-timeout mymaster 3000\n"
            )
            server = redis_server(folder, str(configuration), "--sentinel")
            sentinels.append(await running.enter_async_context(server))

        async def know_each_other() -> bool:
            known: list[Any] = [await each.client.sentinel_master("mymaster") for each in sentinels]
            return all(
                state["num-other-sentinels"] == 2 and state["num-slaves"] == 1 for state in known
            )

        await until(know_each_other)
        yield [each.port for each in sentinels]


class MovingAddress:
    """An address that leads new connections to ``target``, and leaves open ones where they are.

    So do managed services that move a name to the new master.
    """

    def __init__(self, target: int, replaced: tuple[bytes, bytes] = (b"", b"")) -> None:
        self.target = target
        self._replaced = replaced

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it."""
        there, onward = await asyncio.open_connection("127.0.0.1", self.target)
        async with closing(onward):
            await asyncio.gather(copy(reader, onward), copy(there, writer, self._replaced))


@asynccontextmanager
async def moving_address(
    target: int, replaced: tuple[bytes, bytes] = (b"", b"")
) -> AsyncIterator[tuple[MovingAddress, str]]:
    """Run a forwarder; yield it and its URL.

    ``replaced``: some bytes of a server's answer, and what the forwarder sends in their place.
    """
    address = MovingAddress(target, replaced)
    async with tcp_server(address.forward) as port:
        yield address, f"redis://127.0.0.1:{port}/0"
