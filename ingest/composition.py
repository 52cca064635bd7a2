"""The parts of a leading ingest, put together with plain constructor calls.

They are made when the lease has been acquired and dropped when it is lost. A later leadership of
the same process starts with the values that are stored in Redis by then.

The order breaks the cycles. Events come first, because parts that are made before their reader set
them. The tape prices the positions: the portfolio reads the last prices, and the announcer notifies
the portfolio of each new one.
"""

import asyncio
import time
from dataclasses import dataclass

from ingest.account import BrokerAccount
from ingest.bars.bar_table import BarTable
from ingest.bus.announcer import Announcer
from ingest.bus.asset_store import AssetStore
from ingest.bus.bar_store import BarStore
from ingest.bus.history_ends import HistoryEnds
from ingest.bus.history_gaps import HistoryGaps
from ingest.bus.interest import InterestReader
from ingest.bus.lease import Lease
from ingest.bus.outbox import Outbox
from ingest.bus.publisher import Publisher
from ingest.bus.redis_clients import IngestRedisClients
from ingest.bus.requests import RequestResponder
from ingest.bus.returned_prices import ReturnedPrices
from ingest.bus.status_writer import StatusWriter
from ingest.bus.stored_account import StoredAccount
from ingest.bus.stored_prices import StoredPrices
from ingest.charts import Charts
from ingest.demand.channels import STOCK_CHANNELS, TEST_CHANNELS
from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand
from ingest.health_report import HealthReport
from ingest.leadership import Leadership, Work
from ingest.market.lag import EXPECTED_MS, Lag
from ingest.market.last_price import LastPrices
from ingest.market.market_hours import TRADES_IN, MarketHours
from ingest.market.stream_silence import StreamSilence
from ingest.market.symbol_states import SymbolStates
from ingest.market.withheld_trades import WithheldTrades
from ingest.portfolio.order_log import OrderLog
from ingest.portfolio.portfolio import Portfolio
from ingest.reach import UpstreamReach
from ingest.sentiment.headline_scorer import HeadlineScorer
from ingest.settings import AlpacaAccess, IngestSettings
from ingest.stocks import Stocks
from ingest.upstream.account_handler import AccountHandler
from ingest.upstream.account_stream import AccountStream
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.alpaca_stream import AlpacaStream
from ingest.upstream.asset_refresh import AssetRefresh
from ingest.upstream.bar_rest import BarRest
from ingest.upstream.broker_reports import BrokerReports
from ingest.upstream.frame import FrameReader
from ingest.upstream.hours_refresh import HoursRefresh
from ingest.upstream.news_handler import NewsHandler
from ingest.upstream.older_bars import OlderBars
from ingest.upstream.rest_prices import RestPrices
from ingest.upstream.snapshots import Snapshots
from ingest.upstream.stock_handler import StockHandler
from ingest.upstream.stream_group import StreamGroup
from ingest.upstream.stream_health import StreamHealth
from ingest.upstream.stream_holder import StreamHolder
from shared.bus.keys import bar_bounds
from shared.bus.malformed_stored import MalformedStored
from shared.bus.rejections import Rejections

TEST_FEED = "test"


def compose(
    settings: IngestSettings,
    access: AlpacaAccess,
    rest: AlpacaRest,
    redis: IngestRedisClients,
    lease: Lease,
    reach: UpstreamReach,
    *,
    ingest_id: str,
    eviction_policy: str | None,
) -> Leadership:
    """Make every part of a leadership."""
    status_due, account_changed = asyncio.Event(), asyncio.Event()
    demand = Demand(time.monotonic)
    prices = LastPrices(MarketHours((), None, TRADES_IN[settings.alpaca_feed]))
    portfolio = Portfolio(prices.last_price, time.monotonic, account_changed.set)
    outbox = Outbox()
    announcer, rejections = Announcer(outbox, portfolio.reprice), Rejections(status_due.set)
    publisher = _publisher(settings, redis, lease, outbox, rejections)
    malformed = MalformedStored()
    common = _Common(
        settings, access, rest, redis, rejections, malformed, demand, announcer, lease, status_due
    )

    charts = _charts(common, prices, lease, publisher)
    stocks = _stocks(common, prices, reach, charts)
    news_handler = NewsHandler(demand, announcer, HeadlineScorer.load())
    news = _news(common, news_handler)
    account = _account(common, portfolio, account_changed)
    streams = [stocks.stream, news, account.stream]
    reported = (ingest_id, access.feed, stocks, charts.table, streams, publisher, outbox)
    report = HealthReport(*reported, rejections, malformed, eviction_policy)
    # Without trade updates the account is read by REST alone.
    order_streams = [account.stream] if settings.alpaca_trade_updates else []
    parts = (stocks, charts, account, _assets(common, stocks))
    readers = _readers(common, stocks, news_handler, publisher, lease)
    return Leadership(
        lease=lease,
        publisher=publisher,
        status=_status_writer(common, lease, ingest_id, publisher, report),
        streams=StreamGroup(market=[stocks.stream, news], others=order_streams),
        works=[*readers, *(part.run for part in parts)],
        republish=[publisher.check, *(part.republish for part in parts)],
    )


def _publisher(
    settings: IngestSettings,
    redis: IngestRedisClients,
    lease: Lease,
    outbox: Outbox,
    rejections: Rejections,
) -> Publisher:
    return Publisher(
        redis.commands,
        redis.keyspace,
        lease,
        outbox,
        settings.price_ttl_seconds,
        rejections,
        bar_bounds=bar_bounds(settings.bar_history),
    )


@dataclass(frozen=True)
class _Common:
    """The parts that stocks, news and the account share."""

    settings: IngestSettings
    access: AlpacaAccess
    rest: AlpacaRest
    redis: IngestRedisClients
    rejections: Rejections
    malformed: MalformedStored
    demand: Demand
    announcer: Announcer
    lease: Lease
    # Set by each stream and by the hours, so that the status follows a change at once.
    status_due: asyncio.Event


def _assets(common: _Common, stocks: Stocks) -> AssetRefresh:
    commands, names = common.redis.commands, common.redis.keyspace
    store = AssetStore(commands, names, common.rejections, common.malformed)
    return AssetRefresh(common.rest, store, stocks.on_listed)


def _status_writer(
    common: _Common, lease: Lease, ingest_id: str, publisher: Publisher, report: HealthReport
) -> StatusWriter:
    return StatusWriter(
        common.redis.commands,
        common.redis.keyspace,
        lease,
        ingest_id,
        publisher.next_id,
        report.compose,
        common.status_due,
        common.rejections,
    )


def _readers(
    common: _Common, stocks: Stocks, news: NewsHandler, publisher: Publisher, lease: Lease
) -> list[Work]:
    """Return the work that follows what the gateways watch and request."""
    redis, demand = common.redis, common.demand
    commands, names, rejections = redis.commands, redis.keyspace, common.rejections
    malformed = common.malformed
    return [
        InterestReader(commands, redis.subscriber, names, demand, rejections, malformed).run,
        HistoryGaps(
            commands,
            names,
            demand,
            common.announcer,
            stocks.catch_up,
            news.continue_gap,
            rejections,
            malformed,
            publisher.verified,
            lease.epoch,
        ).run,
        HistoryEnds(commands, names, rejections).run,
        publisher.follow_server,
        _responder(common, stocks, lease).run,
    ]


def _responder(common: _Common, stocks: Stocks, lease: Lease) -> RequestResponder:
    redis = common.redis
    return RequestResponder(
        redis.commands,
        redis.subscriber,
        redis.keyspace,
        lease,
        OlderBars(common.rest, lambda: stocks.market_hours).answer,
        common.rejections,
        common.malformed,
        time.monotonic,
    )


def _charts(common: _Common, prices: LastPrices, lease: Lease, publisher: Publisher) -> Charts:
    redis, bounds = common.redis, bar_bounds(common.settings.bar_history)
    store = BarStore(
        redis.commands, redis.keyspace, lease, common.rejections, common.malformed, bounds
    )
    table = BarTable(lambda: prices.hours)
    rest = BarRest(
        common.rest,
        table,
        store,
        common.demand,
        common.announcer,
        lambda: prices.hours,
        publisher.next_id,
        bounds,
    )
    channels = TEST_CHANNELS if common.access.feed == TEST_FEED else STOCK_CHANNELS
    subscription = Subscription(common.settings.symbol_limit, channels=channels)
    return Charts(table, rest, store, common.demand, subscription, common.announcer)


def _stocks(common: _Common, prices: LastPrices, reach: UpstreamReach, charts: Charts) -> Stocks:
    access, demand, announcer = common.access, common.demand, common.announcer
    subscription = charts.subscription
    states = SymbolStates(access.feed, prices.has_price, prices.traded_at)
    delay_ns = int(common.rest.delay_seconds * 1e9)
    withheld = _withheld(prices, delay_ns)
    # A delayed feed is expected to lag by fifteen minutes.
    lag = Lag(EXPECTED_MS.get(access.feed, 0.0))
    reader = FrameReader(prices, states, lag, demand, subscription, announcer, charts.table)
    rest_prices = RestPrices(prices, states, withheld, demand, announcer, delay_ns=delay_ns)
    snapshots = _snapshots(common, rest_prices, charts, withheld)
    handler = StockHandler(
        demand,
        subscription,
        reader,
        StreamSilence(),
        lag,
        withheld,
        snapshots,
        # Looked up at each call: ``HoursRefresh`` replaces the hours.
        lambda: prices.hours.session_now(time.time_ns()),
        prices.timestamp_of,
        prices.streamed_ns_of,
        prices.newest_streamed_ns,
        charts,
    )

    # An object of alpaca-py serves one connection; each attempt makes a new one.
    def connect() -> AlpacaStream:
        return AlpacaStream(access.stock_endpoint, access.key, access.secret)

    return Stocks(
        stream=StreamHolder(connect, handler, StreamHealth(common.status_due), reach=reach),
        snapshots=snapshots,
        hours=_hours(common, prices),
        demand=demand,
        prices=prices,
        states=states,
        withheld=withheld,
        lag=lag,
        subscription=subscription,
        reader=reader,
        announcer=announcer,
        bars=charts,
    )


def _withheld(prices: LastPrices, delay_ns: int) -> WithheldTrades:
    return WithheldTrades(
        streamed_ns=prices.streamed_ns_of,
        known_ns=prices.timestamp_of,
        newest_streamed_ns=prices.newest_streamed_ns,
        delay_ns=delay_ns,
    )


def _snapshots(
    common: _Common, handler: RestPrices, charts: Charts, withheld: WithheldTrades
) -> Snapshots:
    subscription = charts.subscription

    # Symbols that got no slot in the stream, for their trades or for their quotes, and those that
    # the stream does not accept.
    def polled() -> list[str]:
        without_slot = [*subscription.over_limit, *subscription.partly_over_limit]
        return [*without_slot, *subscription.rejected, *subscription.partly_rejected]

    return Snapshots(
        common.rest,
        _stored_prices(common),
        common.demand,
        handler,
        polled=polled,
        withheld=withheld.missing_since,
        on_rescaled=charts.on_rescaled,
    )


def _stored_prices(common: _Common) -> ReturnedPrices:
    commands, names = common.redis.commands, common.redis.keyspace
    stored = StoredPrices(commands, names, common.rejections, common.malformed)
    lease, demand = common.lease, common.demand
    return ReturnedPrices(stored, commands, names, lambda: lease.epoch, demand.watches)


def _hours(common: _Common, prices: LastPrices) -> HoursRefresh:
    # The status contains the session, which depends on the hours.
    def apply(hours: MarketHours) -> None:
        prices.hours = hours
        common.status_due.set()

    return HoursRefresh(common.rest, apply, TRADES_IN[common.settings.alpaca_feed])


def _news(common: _Common, handler: NewsHandler) -> StreamHolder:
    access = common.access
    return StreamHolder(
        lambda: AlpacaStream(access.news_endpoint, access.key, access.secret),
        handler,
        StreamHealth(common.status_due),
    )


def _account(common: _Common, portfolio: Portfolio, changed: asyncio.Event) -> BrokerAccount:
    access, announcer = common.access, common.announcer
    # Earlier changes of orders are not news: a leader before this one may have announced them.
    orders = OrderLog(time.time_ns())
    handler = AccountHandler(portfolio, orders, announcer)
    return BrokerAccount(
        stream=StreamHolder(
            lambda: AccountStream(access.account_endpoint, access.key, access.secret),
            handler,
            StreamHealth(common.status_due),
        ),
        handler=handler,
        reports=BrokerReports(
            common.rest, common.demand, portfolio, orders, announcer, handler, changed.set
        ),
        stored=StoredAccount(
            common.redis.commands, common.redis.keyspace, common.rejections, common.malformed
        ),
        portfolio=portfolio,
        orders=orders,
        demand=common.demand,
        announcer=announcer,
        changed=changed,
        streams_orders=common.settings.alpaca_trade_updates,
    )
