"""The parts of a leading ingest, put together with plain constructor calls.

They are made when the lease has been acquired and dropped when it is lost. A later leadership of
the same process starts with the values that are stored in Redis by then.

The order breaks the cycles. Events come first, because parts that are made before their reader set
them. The tape prices the positions: the portfolio reads the last prices, and the announcer notifies
the portfolio of each new one.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from ingest.account import BrokerAccount
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
from ingest.bus.status_writer import StatusWriter
from ingest.bus.stored_account import StoredAccount
from ingest.capture.recorder import Recorder
from ingest.capture.tap import NO_TAP, Tap
from ingest.demand.wanted import Demand
from ingest.health_report import HealthReport
from ingest.leadership import Leadership, Work
from ingest.market.lag import EXPECTED_MS
from ingest.market.last_price import LastPrices
from ingest.market.market_hours import REGULAR, TRADES_IN, MarketHours
from ingest.market.plain_tape import option_tape, pair_tape
from ingest.market_composition import Common, compose_market
from ingest.market_data import MarketData
from ingest.market_terms import TermsMaker
from ingest.portfolio.asset_class import CRYPTO as CRYPTO_CLASS
from ingest.portfolio.asset_class import US_EQUITY, US_OPTION
from ingest.portfolio.order_log import OrderLog
from ingest.portfolio.portfolio import Portfolio
from ingest.reach import UpstreamReach
from ingest.request_answers import RequestAnswers
from ingest.sentiment.headline_scorer import HeadlineScorer
from ingest.settings import AlpacaAccess, IngestSettings
from ingest.unserved_market import UnservedMarket
from ingest.upstream.account_handler import AccountHandler
from ingest.upstream.account_stream import AccountStream
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.alpaca_stream import AlpacaStream
from ingest.upstream.asset_refresh import AssetRefresh
from ingest.upstream.broker_reports import BrokerReports
from ingest.upstream.news_handler import NewsHandler
from ingest.upstream.older_bars import BarSource, OlderBars
from ingest.upstream.option_chains import OptionChains
from ingest.upstream.option_rest import INDICATIVE, OptionRest
from ingest.upstream.stream_group import StreamGroup
from ingest.upstream.stream_health import StreamHealth
from ingest.upstream.stream_holder import StreamHolder
from shared.bus.keys import bar_bounds
from shared.bus.malformed_stored import MalformedStored
from shared.bus.rejections import Rejections
from shared.markets import CRYPTO, OPTIONS, STOCKS, Market, MarketName, market_of
from shared.price import Price
from shared.topics import IMBALANCE, NEWS

VENUE = "us"
"""The crypto feed of Alpaca's own venue, where its orders execute: positions have its prices."""


class _Part(Protocol):
    """Runs while this process leads, and announces its known values again on request."""

    async def run(self) -> None: ...

    def republish(self) -> None: ...


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
    recorder: Recorder | None = None,
) -> Leadership:
    """Make every part of a leadership."""
    status_due, account_changed = asyncio.Event(), asyncio.Event()
    prices = _prices(access)
    portfolio = Portfolio(
        _last_price_in(prices), time.monotonic, account_changed.set, priced=_priced(access)
    )
    outbox = Outbox()
    announcer, rejections = Announcer(outbox, portfolio.reprice), Rejections(status_due.set)
    publisher = _publisher(settings, redis, lease, outbox, rejections)
    malformed, bounds = MalformedStored(), bar_bounds(settings.bar_history)
    store = BarStore(redis.commands, redis.keyspace, lease, rejections, malformed, bounds)
    shared = (redis, rejections, malformed, announcer, lease, publisher, status_due, store, bounds)
    own = _Own(settings, access, rest, Common(*shared), _demands(), recorder)
    markets, account = _markets(own, prices, reach), _account(own, portfolio, account_changed)
    named = (ingest_id, access.feed, eviction_policy)
    return _leadership(own, markets, account, outbox, named)


def _leadership(
    own: "_Own",
    markets: Mapping[MarketName, MarketData],
    account: BrokerAccount,
    outbox: Outbox,
    named: tuple[str, str, str | None],
) -> Leadership:
    """Put the parts together; ``named``: this ingest's id, its feed, Redis' eviction policy."""
    common, (ingest_id, feed, eviction_policy) = own.common, named
    publisher = common.publisher
    news_handler = NewsHandler(own.demand, common.announcer, HeadlineScorer.load())
    news = _news(own, news_handler)
    market_streams = [each.stream for each in markets.values()]
    streams = [*market_streams, news, account.stream]
    reported = (ingest_id, feed, list(markets.values()), streams, publisher, outbox)
    found = (common.rejections, common.malformed, eviction_policy, own.recorder)
    report = HealthReport(*reported, *found)
    missing = _without_stream(own.access)
    unserved = [_unserved(own, market, why) for market, why in missing.items()]
    parts: list[_Part] = [*markets.values(), *unserved, account]
    assets = _assets(own, list(markets.values()))
    # Without trade updates the account is read by REST alone.
    others = [account.stream] if own.settings.alpaca_trade_updates else []
    return Leadership(
        lease=common.lease,
        publisher=publisher,
        status=_status_writer(own, ingest_id, report),
        streams=StreamGroup(market=[*market_streams, news], others=others),
        works=[
            *_readers(own, markets, news_handler),
            *(part.run for part in parts),
            assets.run,
        ],
        republish=[publisher.check, *(part.republish for part in parts)],
    )


@dataclass(frozen=True)
class _Own:
    """The parts of this leadership that its markets, news and the account need."""

    settings: IngestSettings
    access: AlpacaAccess
    rest: AlpacaRest
    common: Common
    demands: Mapping[MarketName, Demand]
    recorder: Recorder | None

    def tap(self, stream: str) -> Tap:
        """Return the tap of a new connection of a stream, by the stream's name in a capture."""
        return NO_TAP if self.recorder is None else self.recorder.tap(stream)

    @property
    def demand(self) -> Demand:
        """The demand that also follows news and histories."""
        return self.demands["stocks"]


def _demands() -> Mapping[MarketName, Demand]:
    return {each.name: Demand(time.monotonic, each) for each in (STOCKS, CRYPTO, OPTIONS)}


def _prices(access: AlpacaAccess) -> Mapping[MarketName, LastPrices]:
    hours = MarketHours((), None, TRADES_IN[access.feed])
    found: dict[MarketName, LastPrices] = {
        "stocks": LastPrices(hours, is_delayed=access.feed in EXPECTED_MS)
    }
    if access.crypto_feed is not None:
        around_the_clock = MarketHours(trades_in=None)
        found["crypto"] = LastPrices(around_the_clock, pair_tape)
    if access.option_feed is not None:
        is_delayed = access.option_feed == INDICATIVE
        hours = MarketHours((), None, REGULAR)
        found["options"] = LastPrices(hours, option_tape, is_delayed=is_delayed)
    return found


def _last_price_in(prices: Mapping[MarketName, LastPrices]) -> Callable[[str], Price | None]:
    def last_price(symbol: str) -> Price | None:
        market = market_of(symbol)
        tapes = None if market is None else prices.get(market.name)
        return None if tapes is None else tapes.last_price(symbol)

    return last_price


def _priced(access: AlpacaAccess) -> Set[str]:
    """Return the classes of assets whose positions have the tape's prices."""
    found = {US_EQUITY}
    if access.crypto_feed == VENUE:
        found.add(CRYPTO_CLASS)
    # Trades that are fifteen minutes old value nothing.
    if access.option_feed not in (None, INDICATIVE):
        found.add(US_OPTION)
    return found


def _without_stream(access: AlpacaAccess) -> Mapping[Market, str]:
    """Return the markets that this ingest does not serve, and the reasons."""
    found = dict[Market, str]()
    if access.crypto_feed is None:
        found[CRYPTO] = "Pairs are not served: ALPACA_CRYPTO_FEED is off."
    if access.option_feed is None:
        found[OPTIONS] = "Options are not served: ALPACA_OPTION_FEED is off."
    return found


def _markets(
    own: _Own, prices: Mapping[MarketName, LastPrices], reach: UpstreamReach
) -> dict[MarketName, MarketData]:
    """Make the parts of each market; stocks are the first."""
    status_due = own.common.status_due.set
    terms = TermsMaker(own.settings, own.access, own.rest, own.demands, prices, own.tap)
    found: dict[MarketName, MarketData] = {
        "stocks": compose_market(own.common, terms.stocks(status_due), reach)
    }
    if own.access.crypto_feed is not None:
        found["crypto"] = compose_market(own.common, terms.crypto(own.access.crypto_feed), None)
    if own.access.option_feed is not None:
        found["options"] = compose_market(own.common, terms.options(own.access.option_feed), None)
    return found


def _unserved(own: _Own, market: Market, reason: str) -> UnservedMarket:
    return UnservedMarket(own.demands[market.name], own.common.announcer, reason)


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


def _assets(own: _Own, markets: Sequence[MarketData]) -> AssetRefresh:
    common = own.common
    commands, names = common.redis.commands, common.redis.keyspace
    store = AssetStore(commands, names, common.rejections, common.malformed)

    def on_listed(symbols: Set[str]) -> None:
        for each in markets:
            each.on_listed(symbols)

    return AssetRefresh(own.rest, store, on_listed)


def _status_writer(own: _Own, ingest_id: str, report: HealthReport) -> StatusWriter:
    common = own.common
    return StatusWriter(
        common.redis.commands,
        common.redis.keyspace,
        common.lease,
        ingest_id,
        common.publisher.next_id,
        report.compose,
        common.status_due,
        common.rejections,
    )


def _readers(own: _Own, markets: Mapping[MarketName, MarketData], news: NewsHandler) -> list[Work]:
    """Return the work that follows what the gateways watch and request."""
    common = own.common
    redis, publisher, rejections = common.redis, common.publisher, common.rejections
    commands, names, malformed = redis.commands, redis.keyspace, common.malformed
    demands = list(own.demands.values())

    def served(symbol: str) -> MarketData | None:
        market = market_of(symbol)
        return None if market is None else markets.get(market.name)

    def catch_up(symbol: str, since: float) -> None:
        if (market := served(symbol)) is not None:
            market.catch_up(symbol, since)

    def delay_of(symbol: str) -> float:
        market = served(symbol)
        return 0.0 if market is None else market.rest.delay_seconds

    return [
        InterestReader(commands, redis.subscriber, names, demands, rejections, malformed).run,
        HistoryGaps(
            commands,
            names,
            own.demand,
            common.announcer,
            catch_up,
            {NEWS: news.continue_gap, IMBALANCE: markets["stocks"].continue_imbalance_gap},
            rejections,
            malformed,
            publisher.verified,
            common.lease.epoch,
            delay_of,
        ).run,
        HistoryEnds(commands, names, rejections).run,
        publisher.follow_server,
        _responder(own, markets).run,
    ]


def _responder(own: _Own, markets: Mapping[MarketName, MarketData]) -> RequestResponder:
    common = own.common
    sources: dict[MarketName, BarSource] = {
        name: BarSource(each.rest, each.market_hours, each.bars.table.days)
        for name, each in markets.items()
        if name != "options"  # Alpaca streams no bars of them
    }
    bars, chains = OlderBars(sources, own.rest.malformed), _chains(own, markets)
    return RequestResponder(
        common.redis.commands,
        common.redis.subscriber,
        common.redis.keyspace,
        common.lease,
        RequestAnswers(bars, chains).answer,
        common.rejections,
        common.malformed,
        time.monotonic,
    )


def _chains(own: _Own, markets: Mapping[MarketName, MarketData]) -> OptionChains | None:
    if own.access.option_feed is None:
        return None
    rest = OptionRest(own.rest, own.access.option_feed)
    return OptionChains(rest, markets["options"].market_hours)


def _news(own: _Own, handler: NewsHandler) -> StreamHolder:
    access = own.access
    return StreamHolder(
        lambda: AlpacaStream(access.news_endpoint, access.key, access.secret, own.tap("news")),
        handler,
        StreamHealth(own.common.status_due),
    )


def _account(own: _Own, portfolio: Portfolio, changed: asyncio.Event) -> BrokerAccount:
    access, common = own.access, own.common
    announcer = common.announcer
    # Earlier changes of orders are not news: a leader before this one may have announced them.
    orders = OrderLog(time.time_ns())
    handler = AccountHandler(portfolio, orders, announcer)
    return BrokerAccount(
        stream=StreamHolder(
            lambda: AccountStream(
                access.account_endpoint, access.key, access.secret, own.tap("account")
            ),
            handler,
            StreamHealth(common.status_due),
        ),
        handler=handler,
        reports=BrokerReports(
            own.rest, own.demand, portfolio, orders, announcer, handler, changed.set
        ),
        stored=StoredAccount(
            common.redis.commands, common.redis.keyspace, common.rejections, common.malformed
        ),
        portfolio=portfolio,
        orders=orders,
        demands=list(own.demands.values()),
        announcer=announcer,
        changed=changed,
        streams_orders=own.settings.alpaca_trade_updates,
    )
