"""The gateway's subscription to Redis: one connection, opened anew whenever it is lost.

Subscribe first, then read the stored value, the newer id wins. redis-py re-subscribes silently
when it reconnects; every confirmation therefore leads to a reading of the stored value.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from gateway.bus import positions
from gateway.bus.history import History
from gateway.bus.refusal import refusing
from gateway.fanout.channel import Channel
from gateway.fanout.hub import Hub
from gateway.fanout.ordered_channel import OrderedChannel
from gateway.fanout.table_channel import TableChannel
from gateway.wire.feed_view import FeedView
from shared import message
from shared.bus import keys
from shared.bus.redis_source import COMMAND_TIMEOUT_SECONDS, REDIS_ERRORS, RedisSource
from shared.event_id import NEVER, EventId
from shared.waiting import wait_at_most

log = structlog.get_logger()

PING_SECONDS = 5.0
"""How often a quiet connection is asked for a sign of life."""

SILENCE_SECONDS = 12.0
"""After so long without a frame the peer is dead, hung or cut off, though the socket may stand."""

LOAD_AT_ONCE = 500

# A pub/sub object used while it reconnects raises RuntimeError; the connection is spent then.
LOST = (*REDIS_ERRORS, RuntimeError)


class Subscriber:
    """Keeps the hub supplied. Within a connection one task reads, one subscribes, one loads.

    ``inbox`` is a channel of this gateway's own; what comes there goes to ``on_message``.
    """

    def __init__(
        self,
        source: RedisSource,
        hub: Hub,
        feed: FeedView,
        *,
        inbox: str,
        on_message: Callable[[bytes], None],
        on_connect: Callable[[], None] = lambda: None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._source = source
        self._hub = hub
        self._feed = feed
        self._inbox = inbox.encode()
        self._on_message = on_message
        self._on_connect = on_connect
        self._jitter = jitter
        self._changed = asyncio.Event()
        self._confirmed = asyncio.Event()
        self._answered = asyncio.Event()
        self._question = 0
        self._to_load: dict[bytes, None] = {}
        self._awaited: set[bytes] = set()
        self._heard = 0.0
        self._told: str | None = None

    def topics_changed(self) -> None:
        """Compare what is subscribed with what the hub watches."""
        self._changed.set()

    async def run(self) -> None:
        """Read until cancelled, through every loss of Redis."""
        async with (
            self._source.client("gateway-subscriber", subscriber=True) as subscriber,
            self._source.client("gateway-loader") as loader,
        ):
            while True:
                try:
                    await self._connection(subscriber, loader)
                except* LOST as lost:
                    reason = str(lost.exceptions[0]) or type(lost.exceptions[0]).__name__
                    self._feed.on_redis(connected=False)
                    if reason != self._told:
                        log.warning("redis lost", redis=self._source.address, error=reason)
                    self._told = reason
                await asyncio.sleep(0.1 + 0.4 * self._jitter())

    async def _connection(self, subscriber: Redis, loader: Redis) -> None:
        pubsub = subscriber.pubsub()
        self._hub.hold()
        self._to_load.clear()
        wanted = dict(self._hub.channels)
        self._awaited = {keys.INGEST_STATUS.encode(), self._inbox, *wanted}
        self._heard = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as tasks:
                await pubsub.subscribe(*self._awaited)
                tasks.create_task(self._read(pubsub))
                tasks.create_task(self._subscribe(pubsub, wanted))
                tasks.create_task(self._load(pubsub, loader))
        finally:
            with suppress(*LOST):
                await pubsub.unsubscribe()  # fakeredis feeds a subscriber for ever otherwise
            with suppress(*LOST):
                await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _read(self, pubsub: PubSub) -> None:
        while True:
            received = await pubsub.get_message(timeout=None)
            self._heard = asyncio.get_running_loop().time()
            if received is None:
                continue
            if received["type"] == "message":
                self._take(received["channel"], received["data"])
            elif received["type"] == "subscribe":
                self._awaited.discard(received["channel"])
                if received["channel"] != self._inbox:
                    self._to_load[received["channel"]] = None
                if not self._awaited:
                    self._confirmed.set()
            elif received["type"] == "pong" and received["data"] == b"%d" % self._question:
                self._answered.set()

    def _take(self, channel: bytes, data: bytes) -> None:
        with refusing(channel):
            if channel == keys.INGEST_STATUS.encode():
                self._feed.on_report(message.unpack(data).body)
            elif channel == self._inbox:
                self._on_message(data)
            else:
                self._hub.publish(channel, data)

    async def _subscribe(self, pubsub: PubSub, subscribed: dict[bytes, Channel]) -> None:
        while True:
            self._changed.clear()
            wanted = dict(self._hub.channels)
            # A topic dropped and watched again is another channel, whose value was not read yet.
            new = [topic for topic, channel in wanted.items() if subscribed.get(topic) != channel]
            gone = subscribed.keys() - wanted.keys()
            if new:
                await pubsub.subscribe(*new)
            if gone:
                await pubsub.unsubscribe(*gone)
            if not new and not gone:
                self._check_silence()
                await pubsub.ping()
            subscribed = wanted
            await wait_at_most(self._changed, PING_SECONDS)

    def _check_silence(self) -> None:
        silence = asyncio.get_running_loop().time() - self._heard
        if silence > SILENCE_SECONDS:
            raise TimeoutError(f"nothing heard for {silence:.0f} s")

    async def _load(self, pubsub: PubSub, loader: Redis) -> None:
        """Read the stored value of every topic whose subscription was confirmed.

        After a loss it waits for all of them, since ordered events are sent in one order again.
        """
        history = History(loader)
        while True:
            await self._confirmed.wait()
            self._confirmed.clear()
            topics, self._to_load = list(self._to_load), {}
            newest = await self._load_values(loader, topics)
            channels = [channel for t in topics if (channel := self._hub.channels.get(t))]
            for channel in channels:
                if isinstance(channel, TableChannel):
                    (await positions.read(loader)).fill(channel)
            ordered = [channel for channel in channels if isinstance(channel, OrderedChannel)]
            fillings = await history.fillings(ordered, self._hub.cursor)
            await self._hear_everything(pubsub)
            self._hub.fill(fillings)
            self._hub.loaded(topics, newest)

    async def _load_values(self, loader: Redis, topics: list[bytes]) -> EventId:
        """Read and take values; return the highest id that Redis has given by now."""
        newest = NEVER
        with suppress(ValueError):  # not of ours
            newest = EventId.parse(await loader.get(keys.PUBLISHED) or str(NEVER))
        for begin in range(0, len(topics), LOAD_AT_ONCE):
            some = topics[begin : begin + LOAD_AT_ONCE]
            stored: list[Any] = await loader.mget([_stored_key(topic) for topic in some])
            for topic, value in zip(some, stored, strict=True):
                self._take_stored(topic, value)
        return newest

    async def _hear_everything(self, pubsub: PubSub) -> None:
        """Wait until what was published before now has been read from the subscription."""
        self._question += 1
        self._answered.clear()
        async with asyncio.timeout(COMMAND_TIMEOUT_SECONDS):
            await pubsub.ping(str(self._question))
            await self._answered.wait()

    def _take_stored(self, topic: bytes, value: bytes | None) -> None:
        if topic == keys.INGEST_STATUS.encode():
            log.info("redis connected", redis=self._source.address)
            self._told = None
            self._feed.on_redis(connected=True)
            self._on_connect()
            if value is not None:
                with refusing(topic):
                    self._feed.on_report(value)
            return
        if value is not None:
            with refusing(topic):
                self._hub.publish(topic, value, stored=True)


def _stored_key(topic: bytes) -> str:
    name = topic.decode()
    return name if name == keys.INGEST_STATUS else keys.last_key(name)
