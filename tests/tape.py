"""Numbered prints, orders and articles, published by the ingest's own parts, as it publishes."""

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
from shared.news import News
from shared.order import Order, OrderUpdate
from shared.price import Price
from shared.topics import EVERYTHING
from shared.trade import Trade
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS

MOMENT = "2026-11-16T17:00:00.000000001Z"


class Tape:
    """Print n of each symbol has the id n and the price n; ``last`` is the newest n.

    ``whole``: there are an order n and an article n, too.
    """

    def __init__(
        self, symbols: tuple[str, ...], outbox: Outbox, publisher: Publisher, *, whole: bool
    ) -> None:
        self.symbols = symbols
        self._whole = whole
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
            if self._whole:
                self._announcer.order(_order(number))
                self._announcer.news(_article(number), [EVERYTHING])
        self.last += count

    async def publish(self, count: int) -> None:
        """Print so many times more; when it returns all of it is published."""
        self.offer(count)
        async with asyncio.timeout(LIMIT_SECONDS):
            await self._publisher.drain()


def _order(number: int) -> OrderUpdate:
    order = Order(id=str(number), symbol="SPY", status="new")
    return OrderUpdate(event="new", symbol="SPY", timestamp=MOMENT, order=order)


def _article(number: int) -> News:
    return News(
        id=str(number),
        headline=f"Headline {number}",
        summary="",
        author="",
        source="",
        url=None,
        symbols=[],
        created_at=MOMENT,
        updated_at=MOMENT,
    )


@asynccontextmanager
async def running_tape(
    source: RedisSource, *symbols: str, whole: bool = False
) -> AsyncIterator[Tape]:
    """Lead as an ingest does, until the block is left; ``whole``: with orders and news."""
    async with source.client("lease") as leading, source.client("publisher") as publishing:
        outbox, lease = Outbox(), Lease(leading, KEYSPACE, "ingest")
        publisher = Publisher(publishing, KEYSPACE, lease, outbox, 5, Rejections())
        assert await lease.claim()
        tasks = [asyncio.create_task(publisher.run()), asyncio.create_task(lease.renew())]
        try:
            yield Tape(symbols, outbox, publisher, whole=whole)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
