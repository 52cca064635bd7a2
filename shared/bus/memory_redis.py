"""Clients of the fakeredis behind ``memory://``."""

import asyncio
import math

from fakeredis import FakeAsyncRedis, FakeServer
from fakeredis.aioredis import FakeAsyncRedisConnection
from redis.asyncio import Redis


class _CancellableConnection(FakeAsyncRedisConnection):
    """A connection that avoids ``asyncio.wait_for``, which fakeredis uses.

    On Python 3.11 it can swallow a cancellation: a task cancelled while a message arrives would
    not end.
    """

    async def can_read(self, timeout: float | None = 0) -> bool:  # noqa: ASYNC109 - fakeredis' name
        if timeout == 0:
            return await super().can_read(0)
        try:
            async with asyncio.timeout(None if timeout == math.inf else timeout):
                return await super().can_read(None)
        except TimeoutError:
            return False


def memory_client(server: FakeServer) -> Redis:
    """Return a client of ``server``; all clients of one server see the same data.

    Its commands have no time limit: no network can lose them, and a process that did not run for a
    while would take its own pause for an unreachable Redis.
    """
    return FakeAsyncRedis(
        server=server,
        protocol=2,
        connection_class=_CancellableConnection,
        socket_timeout=None,  # redis-py's own makes every write an asyncio.wait_for as well
    )
