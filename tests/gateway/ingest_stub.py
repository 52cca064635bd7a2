"""What an ingest writes to Redis, without an ingest."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from msgspec.structs import replace
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from shared import ingest_status, message, rfc3339
from shared.bar import Bar
from shared.bus import keys
from shared.bus.beginning import SINCE
from shared.bus.redis_source import RedisSource
from shared.event_id import EventId
from shared.ingest_status import FeedState
from shared.topics import ORDERED, kind_of, price_topic
from tests.ingest_report import healthy
from tests.keyspace import KEYSPACE


class IngestStub:
    """Publishes prices and reports under the ids that the test gives."""

    def __init__(self, client: Redis) -> None:
        self.client = client

    async def publish(self, seq: int, symbol: str = "SPY", *, epoch: int = 1) -> None:
        """Store and publish a price, as the ingest's script does."""
        topic, packed = price_topic(symbol), self.packed(seq, symbol, epoch)
        async with self.client.pipeline() as batch:
            batch.set(KEYSPACE.last(topic), packed)
            batch.publish(topic, packed)
            note(batch, EventId(epoch, seq))
            await batch.execute()

    async def publish_many(self, seqs: range, symbol: str = "SPY") -> None:
        """Publish prices in one round trip."""
        topic = price_topic(symbol)
        async with self.client.pipeline(transaction=False) as batch:
            for seq in seqs:
                batch.publish(topic, self.packed(seq, symbol))
            batch.set(KEYSPACE.last(topic), self.packed(seqs[-1], symbol))
            note(batch, EventId(1, seqs[-1]))
            await batch.execute()

    async def store(self, seq: int, symbol: str = "SPY", *, epoch: int = 1) -> None:
        """Store a price of which no gateway hears."""
        await self.client.set(KEYSPACE.last(price_topic(symbol)), self.packed(seq, symbol, epoch))

    @staticmethod
    def packed(seq: int, symbol: str = "SPY", epoch: int = 1) -> bytes:
        event_id = EventId(epoch, seq)
        body = json.dumps({"symbol": symbol, "price": seq / 100, "filler": "x" * 80}).encode()
        return message.pack(event_id, message.stamp(event_id, body))

    async def tell(
        self,
        seq: int,
        topic: str,
        event: msgspec.Struct,
        name: str | None = None,
        *,
        epoch: int = 1,
    ) -> None:
        """Publish any event, as the ingest's script does; the ordered ones with their history."""
        event_id = EventId(epoch, seq)
        stamped = message.stamp(event_id, msgspec.json.encode(event))
        packed = message.pack(event_id, stamped, name)
        async with self.client.pipeline() as batch:
            if kind_of(topic) in ORDERED:
                named: dict[Any, Any] = {} if name is None else {"event": name}
                batch.xadd(KEYSPACE.history(topic), {"data": stamped, **named}, id=str(event_id))
            elif name is None:
                batch.set(KEYSPACE.last(topic), packed)
            if isinstance(event, Bar):
                start = rfc3339.to_nanoseconds(event.timestamp) // 1_000_000_000
                batch.zremrangebyscore(KEYSPACE.bars(topic), start, start)
                batch.zadd(KEYSPACE.bars(topic), {packed: start})
            batch.publish(topic, packed)
            note(batch, event_id)
            await batch.execute()

    async def report(
        self, seq: int, state: FeedState = "live", *, epoch: int = 1, **fields: Any
    ) -> None:
        """Report as a leading ingest does."""
        event_id = EventId(epoch, seq)
        told = replace(
            healthy(event_id, ["IBM", "SPY"]),
            **{
                "ingest_id": "stub",
                "feed": "iex",
                "state": state,
                "alpaca_connected": state == "live",
                "lag_ms": 3.5,
                **fields,
            },
        )
        body = ingest_status.encode(told)
        await self.client.set(KEYSPACE.ingest_status, body, px=keys.INGEST_STATUS_MILLISECONDS)
        await self.client.publish(KEYSPACE.ingest_status_channel, message.pack(event_id, body))


def note(batch: Pipeline, event_id: EventId) -> None:
    """Note the newest event, and that Redis has had every one, as the ingest's script does."""
    batch.hsetnx(KEYSPACE.histories, SINCE, "0-0")
    batch.set(KEYSPACE.published, str(event_id))


@asynccontextmanager
async def ingest_stub(source: RedisSource) -> AsyncIterator[IngestStub]:
    """Yield an ``IngestStub`` with a separate connection."""
    async with source.client("stub") as client:
        yield IngestStub(client)
