"""Everything that runs while this process holds the lease, put together and ended in order."""

import asyncio
import time
from contextlib import suppress

import structlog

from ingest.broker_desk import BrokerDesk
from ingest.bus.announcer import Announcer
from ingest.bus.connections import BusConnections
from ingest.bus.history_gaps import HistoryGaps
from ingest.bus.interest import InterestReader
from ingest.bus.lease import Lease
from ingest.bus.outbox import Outbox
from ingest.bus.publisher import Publisher
from ingest.bus.status_writer import StatusWriter
from ingest.bus.stored_account import StoredAccount
from ingest.bus.stored_prices import StoredPrices
from ingest.demand.wanted import Demand
from ingest.report import Report
from ingest.settings import IngestSettings
from ingest.stock_desk import StockDesk
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.alpaca_stream import AlpacaStream
from ingest.upstream.connection import CLOSE_SECONDS
from ingest.upstream.feed import Feed
from ingest.upstream.feed_error import FeedError
from ingest.upstream.feed_health import FeedHealth
from ingest.upstream.news import NewsSide
from shared.bus.errors import BusError
from shared.bus.redis_source import eviction_policy
from shared.cancellation import cancel

log = structlog.get_logger()

DRAIN_SECONDS = 1.0


class Leadership:
    """Everything that runs while this process holds the lease, made once it is held."""

    def __init__(
        self,
        settings: IngestSettings,
        rest: AlpacaRest,
        redis: BusConnections,
        lease: Lease,
        ingest_id: str,
    ) -> None:
        self._lease = lease
        self._settings = settings
        self._commands = redis.commands
        outbox = Outbox()
        announcer = Announcer(outbox, lambda symbol: self._broker.portfolio.reprice(symbol))
        demand = Demand(time.monotonic)
        self._publisher = Publisher(redis.publisher, lease, outbox, settings.price_ttl_seconds)
        self._interest = InterestReader(redis.commands, redis.subscriber, demand)
        self._stocks = StockDesk(settings, rest, StoredPrices(redis.commands), demand, announcer)
        self._broker = BrokerDesk(
            settings,
            rest,
            StoredAccount(redis.commands),
            demand,
            announcer,
            self._stocks.prices.by_symbol.get,
        )
        catch_up = self._stocks.snapshots.miss
        self._history_gaps = HistoryGaps(redis.commands, demand, announcer, catch_up)
        self._news_health = FeedHealth()
        self._news = Feed(self._connect_news, NewsSide(demand, announcer), self._news_health)
        self._report = Report(
            ingest_id, settings.alpaca_feed, self._stocks, self._publisher, outbox
        )
        self._status_due = asyncio.Event()
        self._status = StatusWriter(
            redis.commands,
            lease,
            ingest_id,
            next_id=self._publisher.next_id,
            compose=self._report.compose,
            changed=self._status_due,
        )
        for health in (self._stocks.health, self._news_health, self._broker.health):
            health.on_change = self._status_due.set
        self._report.add_stream("news", self._news, self._news_health)
        self._report.add_stream("account", self._broker.feed, self._broker.health)

    async def run(self, stop: asyncio.Event) -> None:
        """Lead until ``stop`` is set, then close the WebSockets first and give up the lease last.

        Raises:
            LeaseLostError: this process leads no more; in an exception group.
            FeedError: no stream is left that waiting could mend; in an exception group.
        """
        self._lease.republish_due.clear()  # nothing has been published yet
        try:
            await self._lead(stop)
        finally:
            with suppress(BusError):
                await self._lease.release()

    async def _lead(self, stop: asyncio.Event) -> None:
        await self._warn_of_eviction()
        async with asyncio.TaskGroup() as tasks:
            feeds = tasks.create_task(self._hold_feeds())
            others = [
                tasks.create_task(work)
                for work in (
                    self._lease.renew(),
                    self._publisher.run(),
                    self._interest.run(),
                    self._history_gaps.run(),
                    self._broker.run(),
                    self._stocks.snapshots.run(),
                    self._stocks.hours.run(),
                    self._stocks.watch(),
                    self._status.run(),
                    self._republish(),
                )
            ]
            await stop.wait()
            await cancel(feeds, patience=CLOSE_SECONDS + 1)
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await self._publisher.drain()
            await cancel(*others)

    async def _hold_feeds(self) -> None:
        """Hold every stream; one that has failed for good does not take the others with it.

        Without the market's streams the account's is no reason to go on.
        """
        market = (self._stocks.feed, self._news)
        account = (self._broker.feed,) if self._settings.alpaca_trade_updates else ()
        feeds = {asyncio.create_task(feed.run()): feed for feed in (*market, *account)}
        try:
            running = set(feeds)
            while True:
                ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                left = any(feeds[task].in_use and feeds[task] in market for task in running)
                for task in sorted(ended, key=lambda task: feeds[task] not in market):
                    error = task.exception()
                    if not isinstance(error, FeedError) or not left:
                        task.result()
                    log.error("alpaca refuses a stream; the others go on", error=str(error))
        finally:
            await cancel(*feeds, patience=CLOSE_SECONDS + 1)
            for task in feeds:  # one may have failed beside another
                if not task.cancelled():
                    task.exception()
            await self._status.write()

    async def _warn_of_eviction(self) -> None:
        policy = await eviction_policy(self._commands)
        self._report.eviction_policy = policy
        if policy not in (None, "noeviction"):
            log.warning("redis may evict the lease: set maxmemory-policy noeviction", policy=policy)

    def _connect_news(self) -> AlpacaStream:
        credentials = self._settings.credentials
        assert credentials is not None  # noqa: S101 - whoever made the settings has checked them
        return AlpacaStream(self._settings.news_endpoint, *credentials)

    async def _republish(self) -> None:
        while True:
            await self._lease.republish_due.wait()
            self._lease.republish_due.clear()
            self._stocks.publish_all()
            self._broker.publish_all()
