"""Numbered minutes, published as the ingest publishes them, by its own parts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from ingest.bus.announcer import Announcer
from ingest.bus.bar_store import BarStore
from ingest.bus.lease import Lease
from ingest.bus.outbox import Outbox
from ingest.bus.publisher import Publisher
from shared import bar, rfc3339
from shared.bar import Bar, Timeframe
from shared.bus import keys
from shared.bus.malformed_stored import MalformedStored
from shared.bus.redis_source import RedisSource
from shared.bus.rejections import Rejections
from shared.topics import topic
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS

FIRST = 1_763_305_200
"""The start of minute 0: 15:00 in UTC."""


def start(minute: int) -> str:
    """Return the start of a minute."""
    return rfc3339.from_nanoseconds((FIRST + minute * 60) * 1_000_000_000)


def minute_of(timestamp: str) -> int:
    """Return the number of the minute that starts then."""
    return (rfc3339.to_nanoseconds(timestamp) // 1_000_000_000 - FIRST) // 60


def minute_bar(
    minute: int,
    close: float = 1.0,
    *,
    symbol: str = "SPY",
    revision: int = 0,
    final: bool = True,
    late: bool = False,
) -> Bar:
    """Return a bar that differs from others by its close."""
    return Bar(
        symbol=symbol,
        open=1.0,
        high=2.5,
        low=0.5,
        close=close,
        volume=100.0,
        trade_count=3,
        vwap=1.125,
        revision=revision,
        final=final,
        timestamp=start(minute),
        late=late,
    )


class Bars:
    """Publishes and stores the bars of any symbol."""

    def __init__(self, client: Redis, lease: Lease, outbox: Outbox, publisher: Publisher) -> None:
        self.client = client
        self.publisher = publisher
        self.announcer = Announcer(outbox)
        self.store = BarStore(
            client, KEYSPACE, lease, Rejections(), MalformedStored(), keys.bar_bounds()
        )

    async def publish(
        self, *bars: Bar, running: bool = False, timeframe: Timeframe = "1Min"
    ) -> None:
        """Publish bars; when it returns they are published."""
        for each in bars:
            self.announcer.bar(timeframe, each, running=running)
        await self.published()

    async def published(self) -> None:
        """Wait until everything that was announced is published."""
        async with asyncio.timeout(LIMIT_SECONDS):
            await self.publisher.drain()

    async def fill(self, *bars: Bar, since: int, timeframe: Timeframe = "1Min") -> None:
        """Store bars of one symbol, which is whole from a minute on."""
        name = topic(bar.KINDS[timeframe], bars[0].symbol)
        await self.store.fill(
            {name: bars}, self.publisher.next_id(), whole_since={name: FIRST + since * 60}
        )


@asynccontextmanager
async def running_bars(source: RedisSource) -> AsyncIterator[Bars]:
    """Lead as an ingest does, until the block is left."""
    async with source.client("lease") as leading, source.client("publisher") as publishing:
        outbox, lease = Outbox(), Lease(leading, KEYSPACE, "ingest")
        publisher = Publisher(publishing, KEYSPACE, lease, outbox, 5, Rejections())
        assert await lease.claim()
        tasks = [
            asyncio.create_task(publisher.run()),
            asyncio.create_task(publisher.follow_server()),
            asyncio.create_task(lease.renew()),
        ]
        try:
            yield Bars(leading, lease, outbox, publisher)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
