"""A gateway whose stop event the test holds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gateway.service import GatewayService
from gateway.settings import GatewaySettings
from shared.bus.redis_source import RedisSource
from tests.limits import LIMIT_SECONDS


class Stoppable:
    """A gateway in the test's loop, which ends when ``stop`` is set."""

    def __init__(self, source: RedisSource, settings: dict[str, Any]) -> None:
        given = {"host": "127.0.0.1", "port": 0, "lame_duck_seconds": 0, **settings}
        self._service = GatewayService.bind(
            GatewaySettings(_env_file=None, **given),  # type: ignore[call-arg]
            source,
        )
        self.url = f"http://127.0.0.1:{self._service.port}"
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self._service.run(self.stop))

    async def ended(self) -> None:
        """Wait for its end, which it reaches by itself."""
        async with asyncio.timeout(LIMIT_SECONDS):
            await self.task


@asynccontextmanager
async def stoppable(source: RedisSource, **settings: Any) -> AsyncIterator[Stoppable]:
    """Run a gateway until its ``stop`` is set, at the latest by the end of the block."""
    gateway = Stoppable(source, settings)
    try:
        yield gateway
    finally:
        gateway.stop.set()
        await gateway.ended()
