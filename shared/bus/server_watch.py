"""Watches whether the connections of a process lead to the master.

After a failover that leaves the old master running as a replica, connections to it stay open.
A process that writes gets an error; one that only reads or listens would not notice.
"""

import asyncio
from contextlib import suppress

from redis.asyncio import Redis

from shared.bus.errors import (
    REDIS_ERRORS,
    BusBusyError,
    BusRejectedError,
    BusUnreachableError,
    BusUnusableError,
    bus_errors,
)
from shared.bus.redis_connection import role_and_mode
from shared.bus.redis_source import RedisSource
from shared.bus.sentinels import Sentinels
from shared.bus.settings import MEMORY_URL
from shared.first_error import first_error
from shared.topics import PRICE, topic

WATCH_SECONDS = 1.0


class ServerWatch:
    """Asks the server for its role, and the sentinels, if there are any, for the master."""

    def __init__(self, source: RedisSource, client: Redis) -> None:
        self._source = source
        self._client = client

    async def run(self) -> None:
        """Ask until cancelled.

        Raises:
            BusUnusableError: Redis is a cluster, or lacks the database of the URL.
        """
        if self._source.url.startswith(MEMORY_URL):
            return
        try:
            # Two tasks: a server that hangs must not keep the sentinels from being asked.
            async with asyncio.TaskGroup() as tasks:
                if self._source.sentinels is not None:
                    tasks.create_task(self._follow(self._source.sentinels))
                tasks.create_task(self._ask())
        except* BusUnusableError as group:
            raise first_error(group) from None

    async def _follow(self, sentinels: Sentinels) -> None:
        """Leave a server that the sentinels have replaced.

        A master that hangs answers nothing, and a network that is cut lets nothing through: only
        the sentinels know that another server is the master now.
        """
        while True:
            with suppress(*REDIS_ERRORS):
                host, port = await sentinels.master()
                if self._source.addresses - {(host, port)}:
                    self._source.leave_server(f"the sentinels name {host}:{port} as the master")
            await asyncio.sleep(WATCH_SECONDS)

    async def _ask(self) -> None:
        while True:
            # The parts of the program that use Redis report that it is unreachable.
            with suppress(BusUnreachableError, BusRejectedError, BusBusyError):
                await self._ask_server()
            await asyncio.sleep(WATCH_SECONDS)

    async def _ask_server(self) -> None:
        keyspace = self._source.keyspace
        with bus_errors():
            answer = await self._client.execute_command("HELLO")  # type: ignore[no-untyped-call]
            role, _ = role_and_mode(answer)
            if role not in (None, "master"):
                self._source.leave_server(f"this server is a {role} now")
                return
            # A server that loads its data answers HELLO, but no other command. The proxy of a
            # cluster may show itself as one server, but rejects two keys at once.
            await self._client.mget(*(keyspace.last(topic(PRICE, s)) for s in ("A", "B")))
        self._source.on_master()
