"""Sentinels: which server is the master at present."""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

ASK_TIMEOUT_SECONDS = 0.5
"""For connecting to one sentinel and its answer; the next one is asked after that."""


class Sentinels:
    """Asks one sentinel after another, first the one that answered last.

    ``connections`` are one for each sentinel. Each is open only while it is asked.
    """

    def __init__(self, connections: Sequence[AbstractConnection], service: str) -> None:
        self._connections = list(connections)
        self._service = service
        self._asking = asyncio.Lock()

    async def master(self) -> tuple[str, int]:
        """Return the host and the port of the master.

        Raises:
            redis.exceptions.ConnectionError: no sentinel answers, or none knows the master.
        """
        failures = []
        # One at a time: after a failover many connections ask at once.
        async with self._asking:
            for connection in list(self._connections):
                try:
                    answer = await self._ask(connection)
                except (RedisError, OSError) as error:
                    failures.append(str(error) or "no answer")
                    continue
                if answer:
                    self._connections.remove(connection)
                    self._connections.insert(0, connection)
                    return answer[0].decode(), int(answer[1])
                failures.append(f"a sentinel knows no master {self._service!r}")
        raise RedisConnectionError(f"no sentinel names the master: {'; '.join(failures)}")

    def distrust(self) -> None:
        """Ask another sentinel first, because the server that this one has named is no master.

        A sentinel that is cut off from the others continues to name the old master.
        """
        self._connections.append(self._connections.pop(0))

    async def _ask(self, connection: Any) -> Any:
        async with asyncio.timeout(ASK_TIMEOUT_SECONDS):
            try:
                await connection.connect()
                await connection.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service)
                return await connection.read_response()
            finally:
                await connection.disconnect(nowait=True)
