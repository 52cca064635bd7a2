"""The usual hand-written server: sse-starlette with a queue per client.

One subscriber reads Redis and puts each value into the queue of every client that watches it; a
task per client sends it. In its favour, each event is encoded once and passed on as bytes, and only
prices are sent (no ping). ``REDIS_URL`` is the address of Redis.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

PREFIX = "price:"
NO_PING = 3600

Queues = dict[str, set[asyncio.Queue[bytes]]]


class Relay:
    """The queues of the clients by topic, and the last event of each topic."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._queues: Queues = defaultdict(set)
        self._last: dict[str, bytes] = {}
        self._reading = asyncio.Lock()

    async def run(self) -> None:
        """Read Redis until cancelled."""
        pubsub = self._redis.pubsub()
        await pubsub.psubscribe(f"{PREFIX}*")
        async for received in pubsub.listen():
            if received["type"] == "pmessage":
                self._take(received["channel"].decode(), received["data"])

    async def events(self, topics: list[str]) -> AsyncIterator[bytes]:
        """Yield the stored event of each topic, then the published ones."""
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        for topic in topics:
            self._queues[topic].add(queue)
        try:
            await self._read_stored(topics)
            for topic in topics:
                yield self._last[topic]
            yield b"event: ready\ndata: {}\n\n"
            while True:
                yield await queue.get()
        finally:
            for topic in topics:
                self._queues[topic].discard(queue)

    async def _read_stored(self, topics: list[str]) -> None:
        async with self._reading:
            missing = [topic for topic in topics if topic not in self._last]
            if missing:
                stored: Any = await self._redis.mget([f"{{{topic}}}:last" for topic in missing])
                for topic, packed in zip(missing, stored, strict=True):
                    self._last.setdefault(topic, _event(packed))

    def _take(self, topic: str, packed: bytes) -> None:
        event = self._last[topic] = _event(packed)
        for queue in self._queues[topic]:
            queue.put_nowait(event)


def _event(packed: bytes) -> bytes:
    return b"event: price\ndata: %b\n\n" % packed.partition(b"\n")[2]


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with Redis.from_url(os.environ["REDIS_URL"], protocol=2, socket_timeout=None) as redis:
        app.state.relay = relay = Relay(redis)
        reading = asyncio.create_task(relay.run())
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.wait([reading])


async def _stream(request: Request) -> Response:
    topics = [f"{PREFIX}{symbol}" for symbol in request.query_params["symbols"].split(",")]
    relay: Relay = request.app.state.relay
    return EventSourceResponse(relay.events(topics), ping=NO_PING)


async def _ready(_: Request) -> Response:
    return PlainTextResponse("ready")


app = Starlette(
    routes=[Route("/stream", _stream), Route("/readyz", _ready)],
    lifespan=_lifespan,
)
