"""What ``ingest:status`` says, composed of what the parts know."""

import time

from ingest.bus.outbox import Outbox
from ingest.bus.publisher import Publisher
from ingest.demand.channels import TRADES
from ingest.market.alarms import Alarms, Facts, StreamFacts
from ingest.stock_desk import StockDesk
from ingest.upstream.feed import Feed
from ingest.upstream.feed_health import FeedHealth
from shared import rfc3339
from shared.alarm import Alarm
from shared.event_id import EventId
from shared.ingest_status import IngestStatus, StreamStatus

STOCKS = "stocks"


class Report:
    """Composes the ingest's status. ``eviction_policy``: Redis', where it is known."""

    def __init__(
        self, ingest_id: str, feed: str, stocks: StockDesk, publisher: Publisher, outbox: Outbox
    ) -> None:
        self.eviction_policy: str | None = None
        self._ingest_id = ingest_id
        self._feed = feed
        self._stocks = stocks
        self._publisher = publisher
        self._outbox = outbox
        self._alarms = Alarms()
        self._hours_known_at = time.monotonic()
        self._started = rfc3339.from_unix(time.time())
        self._streams: dict[str, tuple[Feed, FeedHealth]] = {}
        self.add_stream(STOCKS, stocks.feed, stocks.health)

    def add_stream(self, name: str, feed: Feed, health: FeedHealth) -> None:
        """Tell of one more stream, once it is in use."""
        self._streams[name] = feed, health

    def compose(self, event_id: EventId) -> IngestStatus:
        """Return the status as it is now."""
        stocks, health = self._stocks, self._stocks.health
        hours = stocks.prices.hours
        lag_ms = stocks.lag.ms
        return IngestStatus(
            event_id=str(event_id),
            ingest_id=self._ingest_id,
            alpaca_connected=health.live,
            state=health.state,
            reason=health.reason,
            since=rfc3339.from_unix(health.since),
            feed=self._feed,
            session=stocks.session(),
            next_open=hours.next_open(),
            next_close=hours.next_close(),
            lag_ms=None if lag_ms is None else round(lag_ms, 1),
            active_symbols=sorted(stocks.subscription.acknowledged[TRADES]),
            over_limit=stocks.subscription.over_limit,
            rejected=stocks.rejected(),
            alarms=self._current_alarms(),
            streams=[
                StreamStatus(
                    name=name,
                    state=health.state,
                    reason=health.reason,
                    since=rfc3339.from_unix(health.since),
                    reconnects=health.reconnects,
                )
                for name, (feed, health) in self._streams.items()
                if feed.in_use
            ],
            tape=stocks.tape(),
            published=self._publisher.published,
            conflated=self._outbox.conflated,
            lost=self._outbox.lost,
            reconnects=health.reconnects,
            started=self._started,
        )

    def _current_alarms(self) -> list[Alarm]:
        stocks, now = self._stocks, time.time()
        counts = stocks.prices.counts
        return self._alarms.look(
            time.monotonic(),
            Facts(
                streams=[
                    StreamFacts(name, health.state, health.reason, health.code, now - health.since)
                    for name, (feed, health) in self._streams.items()
                    if feed.in_use
                ],
                hours_unknown_seconds=self._hours_unknown_seconds(),
                lag_ms=stocks.lag.ms,
                lag_alarm=stocks.lag.alarm,
                over_limit=len(stocks.subscription.over_limit),
                limit=stocks.subscription.limit,
                left_out=stocks.demand.left_out,
                rejected=stocks.rejected(),
                redis_waiting_seconds=self._publisher.waiting_seconds,
                redis_conflated=self._outbox.conflated,
                events_lost=self._outbox.lost,
                unknown_conditions=counts.unknown_conditions,
                quarantined=counts.quarantined,
                rest_failing_seconds=stocks.snapshots.failing_seconds,
                rest_error=stocks.snapshots.error,
                eviction_policy=self.eviction_policy,
            ),
        )

    def _hours_unknown_seconds(self) -> float:
        now = time.monotonic()
        if self._stocks.session() != "unknown":
            self._hours_known_at = now
        return now - self._hours_known_at
