"""Our services in the test's own loop, on real sockets, started and ended by ``async with``."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from gateway.composition import Surroundings
from gateway.service import GatewayService
from gateway.settings import GatewaySettings
from ingest.service import IngestService
from ingest.settings import IngestSettings
from shared.bus.redis_source import RedisSource
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator
from tests.limits import LIMIT_SECONDS


async def until(true: Callable[[], Awaitable[bool] | bool], seconds: float = LIMIT_SECONDS) -> None:
    """Wait until something holds; fail after a limit."""
    async with asyncio.timeout(seconds):
        while True:
            found = true()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running_gateway(
    source: RedisSource, *, around: Surroundings | None = None, **settings: Any
) -> AsyncIterator[str]:
    """Run a gateway on a free port; yield its URL."""
    given = {"host": "127.0.0.1", "port": 0, "lame_duck_seconds": 0, **settings}
    read = GatewaySettings(_env_file=None, **given)  # type: ignore[call-arg]
    service = GatewayService.bind(read, source, around)
    url = f"http://127.0.0.1:{service.port}"
    stop = asyncio.Event()
    task = asyncio.create_task(service.run(stop))
    try:
        yield url
    finally:
        stop.set()
        await task


def ingest_settings(simulator: Simulator, **settings: Any) -> IngestSettings:
    """Return settings that point at a simulator."""
    given = {
        "alpaca_paper_api_key": DEFAULT_KEY,
        "alpaca_paper_secret_key": DEFAULT_SECRET,
        "alpaca_stream_url": simulator.stream_url,
        "alpaca_data_url": simulator.rest_url,
        "alpaca_trading_url": simulator.rest_url,
        **settings,
    }
    return IngestSettings(_env_file=None, **given)  # type: ignore[call-arg]


def ingest_service(source: RedisSource, simulator: Simulator, **settings: Any) -> IngestService:
    """Return an ingest that uses a simulator with its default keys."""
    read = ingest_settings(simulator, **settings)
    assert read.access is not None
    return IngestService(read, read.access, source)


@asynccontextmanager
async def running_ingest(
    source: RedisSource, simulator: Simulator, **settings: Any
) -> AsyncIterator[IngestService]:
    """Run an ingest against a simulator."""
    service = ingest_service(source, simulator, **settings)
    stop = asyncio.Event()
    task = asyncio.create_task(service.run(stop))
    try:
        yield service
    finally:
        stop.set()
        await task
