"""Everything that runs while this process holds the lease, put together and ended in order."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis

from ingest.bus.lease import Lease
from ingest.bus.outbox import Outbox
from ingest.bus.publisher import Publisher
from ingest.bus.status_report import StatusReport
from ingest.bus.stored_prices import StoredPrices
from ingest.demand.interest import Interest
from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand
from ingest.market.last_price import LastPrices
from ingest.market.market_hours import MarketHours
from ingest.settings import IngestSettings
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.alpaca_stream import AlpacaStream
from ingest.upstream.feed import Feed, FeedHealth
from ingest.upstream.first_prices import FirstPrices
from ingest.upstream.frame import FrameReader
from ingest.upstream.hours_refresh import HoursRefresh
from shared import rfc3339
from shared.event_id import EventId
from shared.ingest_status import IngestStatus
from shared.redis_source import REDIS_ERRORS, eviction_policy

log = structlog.get_logger()

DRAIN_SECONDS = 1.0


@dataclass(frozen=True)
class RedisClients:
    """The ingest's connections to Redis; they outlive a leadership."""

    commands: Redis
    publisher: Redis
    subscriber: Redis


class Leadership:
    """Everything that runs while this process holds the lease."""

    def __init__(
        self, settings: IngestSettings, rest: AlpacaRest, redis: RedisClients, ingest_id: str
    ) -> None:
        self.lease = Lease(redis.commands, ingest_id)
        self.lease.on_epoch = self._begin_epoch
        self._settings = settings
        self._ingest_id = ingest_id
        self._commands = redis.commands
        self._started = rfc3339.from_unix(time.time())
        self._health = FeedHealth()
        self._demand = Demand(time.monotonic)
        self._subscription = Subscription(settings.symbol_limit)
        self._prices = LastPrices(MarketHours())
        outbox = Outbox()
        self._reader = FrameReader(self._prices, self._subscription, outbox)
        self._publisher = Publisher(redis.publisher, self.lease, outbox, settings.price_ttl_seconds)
        self._interest = Interest(redis.commands, redis.subscriber, self._demand)
        self._status = StatusReport(
            redis.commands, self.lease, ingest_id, self._publisher.next_id, self._compose
        )
        self._health.on_change = self._status.changed.set
        self._hours = HoursRefresh(rest, self._take_hours)
        self._first_prices = FirstPrices(
            rest, StoredPrices(redis.commands), self._demand, self._prices, self._reader
        )
        self._feed = Feed(
            self._connect, self._demand, self._subscription, self._reader, self._health
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Lead until ``stop`` is set, then close the WebSocket first and give up the lease last."""
        try:
            await self._lead(stop)
        finally:
            with suppress(*REDIS_ERRORS):
                await self.lease.release()

    async def _lead(self, stop: asyncio.Event) -> None:
        await self._warn_of_eviction()
        async with asyncio.TaskGroup() as tasks:
            feed = tasks.create_task(self._hold_feed())
            others = [
                tasks.create_task(work)
                for work in (
                    self.lease.renew(),
                    self._publisher.run(),
                    self._interest.run(),
                    self._first_prices.run(),
                    self._hours.run(),
                    self._status.run(),
                )
            ]
            await stop.wait()
            feed.cancel()
            await asyncio.wait([feed])
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await self._publisher.drain()
            for task in others:
                task.cancel()
            await asyncio.wait(others)

    async def _warn_of_eviction(self) -> None:
        policy = await eviction_policy(self._commands)
        if policy not in (None, "noeviction"):
            log.warning("redis may evict the lease: set maxmemory-policy noeviction", policy=policy)

    def _connect(self) -> AlpacaStream:
        credentials = self._settings.credentials
        assert credentials is not None  # noqa: S101 - whoever made the settings has checked them
        return AlpacaStream(self._settings.stream_endpoint, *credentials)

    async def _hold_feed(self) -> None:
        try:
            await self._feed.run()
        finally:
            await self._status.now()

    def _begin_epoch(self, _: int) -> None:
        self._publisher.begin_epoch()
        self._reader.publish_all()

    def _take_hours(self, hours: MarketHours) -> None:
        self._prices.hours = hours
        self._status.changed.set()

    def _compose(self, event_id: EventId) -> IngestStatus:
        hours, health = self._prices.hours, self._health
        return IngestStatus(
            event_id=str(event_id),
            ingest_id=self._ingest_id,
            alpaca_connected=health.state == "live",
            state=health.state,
            reason=health.reason,
            since=rfc3339.from_unix(health.since),
            feed=self._settings.alpaca_feed,
            session=hours.session_now(time.time_ns()),
            next_open=hours.next_open(),
            next_close=hours.next_close(),
            lag_ms=None if self._reader.lag_ms is None else round(self._reader.lag_ms, 1),
            active_symbols=sorted(self._subscription.acknowledged),
            over_limit=self._subscription.over_limit,
            frames=self._reader.frames,
            ticks=self._reader.ticks,
            published=self._publisher.published,
            reconnects=health.reconnects,
            started=self._started,
        )
