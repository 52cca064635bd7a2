"""The connections of one client to Redis: few, shared by all its commands, closed when idle.

redis-py's own pools raise if all connections are in use, or (its blocking one) can lose one when a
task that returns it is cancelled. Neither closes a connection that a rush has opened.
"""

import asyncio
from typing import Any

from redis.asyncio.connection import ConnectionPool

from shared.bus.errors import PoolExhaustedError

IDLE_SECONDS = 10.0
"""How long an unused connection stays open, if another one is used meanwhile."""

WAIT_SECONDS = 10.0
"""How long a command waits until a connection is free. A thousand requests at once are served in
less than that even by a busy machine; if Redis hangs, the crowd must not wait for ever."""


class BoundedPool(ConnectionPool):
    """At most ``limit`` connections, opened when they are needed.

    A command first reserves one with ``reserve``, in the order of arrival, and ends with ``free``.
    A subscription has a pool for itself, and reserves nothing.
    """

    def __init__(self, limit: int, **options: Any) -> None:
        super().__init__(max_connections=limit, **options)
        self._free = asyncio.Semaphore(limit)

    async def reserve(self) -> None:
        """Wait until fewer than ``limit`` commands run.

        Raises:
            PoolExhaustedError: they ran for too long.
        """
        if not self._free.locked():
            await self._free.acquire()  # returns at once
            return
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise PoolExhaustedError(
                f"all {self.max_connections} connections to Redis were in use for "
                f"{WAIT_SECONDS:g} s"
            ) from None

    def free(self) -> None:
        """End a reservation."""
        self._free.release()

    async def get_connection(self, *_: Any, **__: Any) -> Any:
        """Return a connected connection; the newest idle one, so that the others can be closed."""
        connection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            await self.ensure_connection(connection)
        except BaseException:
            # Cancelled in the middle of the handshake: the next answer would be another command's.
            connection.discard()
            self._return(connection)
            raise
        return connection

    async def release(self, connection: Any) -> None:
        """Take a connection back."""
        self._return(connection)

    def _return(self, connection: Any) -> None:
        # No await before the end: a cancelled task still returns its connection.
        self._in_use_connections.remove(connection)
        if not connection.is_connected:
            return
        now = asyncio.get_running_loop().time()
        connection.idle_since = now
        idle: list[Any] = self._available_connections
        idle.append(connection)
        # The oldest is first. Each returned connection is the occasion to look: a gateway uses one
        # every few seconds at least.
        while idle[0].idle_since < now - IDLE_SECONDS:
            idle.pop(0).discard()

    def addresses(self) -> set[tuple[str, int]]:
        """Return the hosts and ports of the open connections."""
        connections: list[Any] = [*self._available_connections, *self._in_use_connections]
        return {(each.host, each.port) for each in connections if each.is_connected}

    def close_all(self) -> None:
        """Close every connection. Commands that wait for an answer fail with a lost connection."""
        idle: list[Any] = self._available_connections
        while idle:
            idle.pop().discard()
        used: set[Any] = self._in_use_connections
        for connection in used:
            connection.abort()
