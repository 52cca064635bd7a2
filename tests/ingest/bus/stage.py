"""A publisher at work, the events that it publishes, and those that clients receive."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis

from ingest.bus.lease import Lease
from ingest.bus.outbox import Outbox, Publication
from ingest.bus.publisher import Publisher
from ingest.bus.publisher import _encoded as encoded
from shared import message
from shared.bus import keys
from shared.bus.errors import REDIS_ERRORS
from shared.bus.redis_source import RedisSource
from shared.bus.rejections import Rejections
from shared.event_id import EventId
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS

SCRIPT = files("ingest.bus").joinpath("publish.lua").read_text(encoding="utf-8")


def value(topic: str, number: int, *, traded: bool = True) -> Publication:
    return Publication(topic, b'{"n":%d}' % number, traded)


def printed(number: int, event: str | None = None, topic: str = "trade:SPY") -> Publication:
    moment = f"2026-11-16T17:00:00.{number + 1:09d}Z"
    return Publication(topic, b'{"n":%d,"timestamp":"%b"}' % (number, moment.encode()), event=event)


async def run_script(
    client: Redis, epoch: int, first: int, *events: Publication, confirmed: str = "", run: str = ""
) -> int | bytes:
    """Publish a batch; return what the script answers."""
    args: list[Any] = [
        epoch,
        first,
        first + len(events) - 1,
        confirmed,
        run,
        5000,
        600,
        600,
        KEYSPACE.key_prefix,
        KEYSPACE.channel_prefix,
        KEYSPACE.ingest_status_channel,
        encoded(events, keys.bar_bounds()),
    ]
    names = [KEYSPACE.epoch, KEYSPACE.published, KEYSPACE.histories, KEYSPACE.recorded_since]
    answer: int | bytes = await client.register_script(SCRIPT)(keys=names, args=args)
    return answer


class Listener:
    """Everything that was published on some topics."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, EventId, dict[str, Any]]] = []
        self.events: list[str | None] = []

    def ids(self, topic: str) -> list[EventId]:
        return [event_id for name, event_id, _ in self.messages if name == topic]

    def numbers(self, topic: str) -> list[int]:
        return [body["n"] for name, _, body in self.messages if name == topic and "n" in body]


@asynccontextmanager
async def listening(source: RedisSource, *topics: str) -> AsyncIterator[Listener]:
    """Listen like a gateway, and reconnect when Redis was unreachable."""
    listener = Listener()
    subscribed = asyncio.Event()

    async def listen() -> None:
        async with source.client("listener", subscriber=True) as client:
            pubsub = client.pubsub()
            await pubsub.subscribe(*topics)
            while True:
                try:
                    got = await pubsub.get_message(timeout=LIMIT_SECONDS)
                except REDIS_ERRORS:
                    await asyncio.sleep(0.02)
                    continue
                if got is None:
                    continue
                if got["type"] == "subscribe":
                    subscribed.set()
                    continue
                event_id, body, event = message.unpack(got["data"])
                listener.messages.append((got["channel"].decode(), event_id, json.loads(body)))
                listener.events.append(event)

    task = asyncio.create_task(listen())
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            await subscribed.wait()
        yield listener
    finally:
        task.cancel()
        await asyncio.wait([task])


class Stage:
    """A publisher at work, with what it stands on."""

    def __init__(self, client: Redis, publishing: Redis, ttl_seconds: float) -> None:
        self.client = client
        self.outbox = Outbox()
        self.lease = Lease(client, KEYSPACE, "ingest")
        self.publisher = Publisher(
            publishing, KEYSPACE, self.lease, self.outbox, ttl_seconds, Rejections()
        )

    async def publish(self, *publications: Publication) -> None:
        for each in publications:
            self.outbox.offer(each)
        async with asyncio.timeout(LIMIT_SECONDS):
            await self.publisher.drain()

    async def history(self, topic: str) -> list[tuple[EventId, dict[str, Any], bytes | None]]:
        """Return an ordered topic's stored events: id, JSON, name."""
        entries: Any = await self.client.xrange(KEYSPACE.history(topic))
        return [
            (EventId.parse(entry), json.loads(fields[b"data"]), fields.get(b"event"))
            for entry, fields in entries
        ]

    async def beginning(self, topic: str) -> str | None:
        """Return where a topic's history begins, as it is stored."""
        stored: Any = await self.client.hget(KEYSPACE.histories, topic)
        return None if stored is None else stored.decode()

    async def last(self, topic: str) -> tuple[EventId, dict[str, Any]] | None:
        stored = await self.client.get(KEYSPACE.last(topic))
        if stored is None:
            return None
        assert isinstance(stored, bytes)
        event_id, body, _ = message.unpack(stored)
        return event_id, json.loads(body)


@asynccontextmanager
async def publishing(source: RedisSource, ttl_seconds: float = 5) -> AsyncIterator[Stage]:
    async with source.client("lease") as client, source.client("publisher") as other:
        stage = Stage(client, other, ttl_seconds)
        assert await stage.lease.claim()
        tasks = [
            asyncio.create_task(stage.publisher.run()),
            asyncio.create_task(stage.lease.renew()),
        ]
        try:
            yield stage
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
