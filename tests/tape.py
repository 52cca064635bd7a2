"""Numbered prints, published as the ingest publishes them, by its own parts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ingest.bus.announcer import Announcer
from ingest.bus.lease import Lease
from ingest.bus.outbox import Outbox
from ingest.bus.publisher import Publisher
from shared.bus.redis_source import RedisSource
from shared.bus.rejections import Rejections
from shared.price import Price
from shared.trade import Trade
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS

MOMENT = "2026-11-16T17:00:00.000000001Z"


class Tape:
    """Print n of each symbol has the id n and the price n; ``last`` is the newest n."""

    def __init__(self, symbols: tuple[str, ...], outbox: Outbox, publisher: Publisher) -> None:
        self.symbols = symbols
        self.last = 0
        self._announcer = Announcer(outbox)
        self._publisher = publisher

    def offer(self, count: int) -> None:
        """Print so many times more; it is published soon."""
        for number in range(self.last + 1, self.last + count + 1):
            for symbol in self.symbols:
                common: dict[str, Any] = {
                    "symbol": symbol,
                    "price": float(number),
                    "size": 100.0,
                    "exchange": "V",
                    "conditions": ("@",),
                    "tape": "B",
                    "timestamp": MOMENT,
                    "received": number,
                }
                self._announcer.trade(Trade(id=str(number), eligible=True, **common))
                self._announcer.price(Price(session="regular", **common), traded=True)
        self.last += count

    async def publish(self, count: int) -> None:
        """Print so many times more; when it returns all of it is published."""
        self.offer(count)
        async with asyncio.timeout(LIMIT_SECONDS):
            await self._publisher.drain()


@asynccontextmanager
async def running_tape(source: RedisSource, *symbols: str) -> AsyncIterator[Tape]:
    """Lead as an ingest does, until the block is left."""
    async with source.client("lease") as leading, source.client("publisher") as publishing:
        outbox, lease = Outbox(), Lease(leading, KEYSPACE, "ingest")
        publisher = Publisher(publishing, KEYSPACE, lease, outbox, 5, Rejections())
        assert await lease.claim()
        tasks = [asyncio.create_task(publisher.run()), asyncio.create_task(lease.renew())]
        try:
            yield Tape(symbols, outbox, publisher)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
