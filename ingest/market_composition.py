"""The parts of one market, put together with plain constructor calls."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from ingest.bars.bar_table import BarTable
from ingest.book_feed import BookFeed
from ingest.bus.announcer import Announcer
from ingest.bus.bar_store import BarStore
from ingest.bus.lease import Lease
from ingest.bus.publisher import Publisher
from ingest.bus.redis_clients import IngestRedisClients
from ingest.bus.returned_prices import ReturnedPrices
from ingest.bus.stored_prices import StoredPrices
from ingest.charts import Charts
from ingest.demand.channels import STATUSES
from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand
from ingest.market.lag import Lag
from ingest.market.last_price import LastPrices
from ingest.market.market_hours import MarketHours
from ingest.market.stream_silence import StreamSilence
from ingest.market.symbol_states import SymbolStates
from ingest.market.withheld_trades import WithheldTrades
from ingest.market_data import MarketData
from ingest.market_terms import MarketTerms
from ingest.reach import UpstreamReach
from ingest.upstream.asset_halts import AssetHalts
from ingest.upstream.bar_rest import BarRest
from ingest.upstream.frame import FrameReader
from ingest.upstream.imbalance_gaps import ImbalanceGaps
from ingest.upstream.market_handler import MarketHandler
from ingest.upstream.rest_prices import RestPrices
from ingest.upstream.snapshots import Snapshots
from ingest.upstream.stream_health import StreamHealth
from ingest.upstream.stream_holder import StreamHolder
from shared.bus.malformed_stored import MalformedStored
from shared.bus.rejections import Rejections


@dataclass(frozen=True)
class Common:
    """The parts that all markets share.

    ``status_due`` is set by each stream and by the hours, so that the status follows a change at
    once.
    """

    redis: IngestRedisClients
    rejections: Rejections
    malformed: MalformedStored
    announcer: Announcer
    lease: Lease
    publisher: Publisher
    status_due: asyncio.Event
    bar_store: BarStore
    bar_bounds: Mapping[str, int]


def compose_market(common: Common, terms: MarketTerms, reach: UpstreamReach | None) -> MarketData:
    """Make the parts of a market; ``reach`` learns from each attempt to connect."""
    prices, demand, announcer = terms.prices, terms.demand, common.announcer
    charts = _charts(common, terms)
    subscription, states = charts.subscription, _states(terms)
    delay_ns = int(terms.rest.delay_seconds * 1e9)
    withheld = _withheld(prices, delay_ns)
    lag = Lag(terms.expected_lag_ms)
    books = BookFeed(demand, subscription, announcer) if terms.has_books else None
    shared = (lag, demand, subscription, announcer, charts.table, books)
    indicative = terms.is_indicative
    reader = FrameReader(prices, states, *shared, name=terms.name, is_indicative=indicative)
    known = (prices, states, withheld, demand, announcer)
    rest_prices = RestPrices(*known, delay_ns=delay_ns, is_indicative=indicative)
    imbalances = ImbalanceGaps(demand, subscription, announcer)
    health = StreamHealth(common.status_due)
    snapshots = _snapshots(common, terms, rest_prices, charts, withheld, health)
    used = (StreamSilence(), lag, withheld, snapshots, prices, charts, imbalances, books)
    handler = MarketHandler(
        terms.name,
        demand,
        subscription,
        reader,
        *used,
        decode=terms.decode,
        always_needed=terms.always_needed,
    )
    return MarketData(
        stream=StreamHolder(terms.connect, handler, health, reach=reach),
        snapshots=snapshots,
        hours=terms.hours,
        demand=demand,
        prices=prices,
        states=states,
        withheld=withheld,
        lag=lag,
        subscription=subscription,
        reader=reader,
        announcer=announcer,
        bars=charts,
        books=books,
        imbalances=imbalances,
        asset_halts=_asset_halts(terms, states),
        rest=terms.rest,
    )


def _states(terms: MarketTerms) -> SymbolStates:
    prices = terms.prices
    return SymbolStates(
        terms.feed,
        prices.has_price,
        prices.traded_at,
        lambda: prices.hours,
        has_halts=any(each.name == STATUSES for each in terms.channels),
    )


def _asset_halts(terms: MarketTerms, states: SymbolStates) -> AssetHalts | None:
    if terms.asset_rest is None:
        return None
    return AssetHalts(terms.asset_rest, states.halts.on_listing)


def _withheld(prices: LastPrices, delay_ns: int) -> WithheldTrades:
    return WithheldTrades(
        streamed_ns=prices.streamed_ns_of,
        known_ns=prices.timestamp_of,
        newest_streamed_ns=prices.newest_streamed_ns,
        delay_ns=delay_ns,
    )


def _charts(common: Common, terms: MarketTerms) -> Charts:
    store, demand = common.bar_store, terms.demand

    def hours() -> MarketHours:
        return terms.prices.hours

    table = BarTable(hours, terms.days)
    rest = BarRest(
        terms.rest,
        table,
        store,
        demand,
        common.announcer,
        hours,
        common.publisher.next_id,
        common.bar_bounds,
    )
    subscription = Subscription(terms.limit, channels=terms.channels, limits=terms.limits)
    return Charts(table, rest, store, demand, subscription, common.announcer)


def _snapshots(
    common: Common,
    terms: MarketTerms,
    handler: RestPrices,
    charts: Charts,
    withheld: WithheldTrades,
    health: StreamHealth,
) -> Snapshots:
    subscription, demand = charts.subscription, terms.demand

    # Symbols that got no slot in the stream, for their trades or for their quotes, and those that
    # the stream does not accept.
    def polled() -> list[str]:
        if health.failed:
            return sorted(demand.symbols())
        without_slot = [*subscription.over_limit, *subscription.partly_over_limit]
        return [*without_slot, *subscription.rejected, *subscription.partly_rejected]

    return Snapshots(
        terms.rest,
        _stored_prices(common, demand),
        demand,
        handler,
        polled=polled,
        withheld=withheld.missing_since,
        on_rescaled=charts.on_rescaled,
    )


def _stored_prices(common: Common, demand: Demand) -> ReturnedPrices:
    commands, names = common.redis.commands, common.redis.keyspace
    stored = StoredPrices(commands, names, common.rejections, common.malformed)
    lease = common.lease
    return ReturnedPrices(stored, commands, names, lambda: lease.epoch, demand.watches)
