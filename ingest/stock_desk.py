"""All that concerns stocks while this process leads, put together."""

import asyncio
import time
from collections.abc import Set

from ingest.bus.announcer import Announcer
from ingest.bus.stored_prices import StoredPrices
from ingest.demand.channels import STOCK_CHANNELS, TEST_CHANNELS, TRADES
from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand
from ingest.market.day_bars import previous_closes
from ingest.market.lag import EXPECTED_MS, Lag
from ingest.market.last_price import LastPrices
from ingest.market.market_hours import TRADES_IN, MarketHours
from ingest.market.stream_silence import StreamSilence
from ingest.market.symbol_states import SymbolStates, View
from ingest.settings import IngestSettings
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.alpaca_stream import AlpacaStream
from ingest.upstream.feed import Feed
from ingest.upstream.feed_health import FeedHealth
from ingest.upstream.frame import FrameReader
from ingest.upstream.hours_refresh import HoursRefresh
from ingest.upstream.rest_prices import RestPrices
from ingest.upstream.snapshots import Snapshots
from ingest.upstream.stocks import StockSide
from shared.ingest_status import Session, TapeCounts

LOOK_SECONDS = 1.0

QUIET_LOOKS = 10
"""Every so many looks some of the quiet symbols are looked up: one may be mute, not quiet."""
QUIET_AT_ONCE = 100
QUIET_NS = 15_000_000_000

TEST_FEED = "test"


class StockDesk:
    """The stock stream with everything that it feeds and that watches over it."""

    def __init__(
        self,
        settings: IngestSettings,
        rest: AlpacaRest,
        stored: StoredPrices,
        demand: Demand,
        announcer: Announcer,
    ) -> None:
        feed = settings.alpaca_feed
        sessions = TRADES_IN[feed]
        self.health = FeedHealth()
        self.subscription = Subscription(
            settings.symbol_limit, channels=TEST_CHANNELS if feed == TEST_FEED else STOCK_CHANNELS
        )
        self.prices = LastPrices(MarketHours((), None, sessions))
        self.lag = Lag(EXPECTED_MS.get(feed, 0.0))
        self.states = SymbolStates()
        self._settings = settings
        self.demand = demand
        self._announcer = announcer
        self._reader = FrameReader(
            self.prices, self.states, self.lag, demand, self.subscription, announcer
        )
        sink = RestPrices(self.prices, self.states, demand, announcer)
        self.snapshots = Snapshots(
            rest,
            stored,
            demand,
            sink,
            polled=lambda: [*self.subscription.over_limit, *self.subscription.partly_over_limit],
            previous_closes=previous_closes,
        )
        self._side = StockSide(
            demand,
            self.subscription,
            self._reader,
            StreamSilence(),
            self.lag,
            self.snapshots,
            self.session,
            self.prices.timestamp_of,
        )
        self.feed = Feed(self._connect, self._side, self.health)
        self.hours = HoursRefresh(rest, self._take_hours, sessions)

    def session(self) -> Session:
        """Return the market's present session, for the feed in use."""
        return self.prices.hours.session_now(time.time_ns())

    def publish_all(self) -> None:
        """Announce everything that is known, for a new epoch or an empty Redis."""
        for last in self.prices.by_symbol.values():
            self._announcer.price(last, traded=False)
        for status in self.states.publish_all():
            self._announcer.status(status)

    async def watch(self) -> None:
        """Look once a second, until cancelled, at what only time tells."""
        looks = 0
        while True:
            view = self._view()
            for status in self.states.evaluate(time.monotonic(), time.time(), view):
                self._announcer.status(status)
            self.prices.forget_others(view.wanted)
            self.lag.look(time.time_ns() // 1000)
            self.snapshots.look_up(self.prices.take_doubtful())
            looks += 1
            if looks % QUIET_LOOKS == 0 and self.session() == "regular":
                self.snapshots.look_up(self._some_quiet_ones(looks // QUIET_LOOKS))
            await asyncio.sleep(LOOK_SECONDS)

    def tape(self) -> TapeCounts:
        """Return what came over the stream and what was made of it."""
        reader, counts = self._reader, self.prices.counts
        return TapeCounts(
            frames=reader.frames,
            ticks=reader.ticks,
            ineligible=counts.ineligible,
            late=counts.late,
            quarantined=counts.quarantined,
            corrected=counts.corrected,
            cancelled=counts.cancelled,
            malformed=reader.malformed + self.feed.malformed_frames,
            unsubscribed=reader.unsubscribed,
            unknown_conditions=dict(counts.unknown_conditions),
            unknown_messages=dict(reader.unknown),
        )

    def _connect(self) -> AlpacaStream:
        credentials = self._settings.credentials
        assert credentials is not None  # noqa: S101 - whoever made the settings has checked them
        return AlpacaStream(self._settings.stream_endpoint, *credentials)

    def _take_hours(self, hours: MarketHours) -> None:
        self.prices.hours = hours
        self.health.on_change()

    def rejected(self) -> list[str]:
        """Return the wanted symbols that Alpaca does not know, by its stream or by REST."""
        return sorted(self._rejected({want.symbol for want in self.demand.wanted()}))

    def _rejected(self, wanted: Set[str]) -> set[str]:
        known = self.prices.by_symbol
        unknown = {s for s in wanted if s in known and known[s].reason == "unknown_symbol"}
        return self.subscription.rejected | unknown

    def _view(self) -> View:
        wanted = {want.symbol for want in self.demand.wanted()}
        return View(
            feed_live=self.health.live,
            feed_reason=self.health.reason,
            session=self.session(),
            wanted=wanted,
            acknowledged=self.subscription.acknowledged[TRADES],
            over_limit=set(self.subscription.over_limit),
            rejected=self._rejected(wanted),
        )

    def _some_quiet_ones(self, turn: int) -> list[str]:
        """Return some of the subscribed symbols of which nothing came lately, others each turn."""
        lately = time.time_ns() - QUIET_NS
        quiet = [
            symbol
            for symbol in sorted(self.subscription.acknowledged[TRADES])
            if (self.prices.timestamp_of(symbol) or lately) < lately
        ]
        start = turn * QUIET_AT_ONCE % max(len(quiet), 1)
        return (quiet + quiet)[start : start + min(QUIET_AT_ONCE, len(quiet))]
