"""The parts of an ingest that the frames of a stream go through, up to the outbox.

They are put together as ``ingest/market_composition.py`` and ``ingest/composition.py`` do it.
Nothing here reaches Redis or Alpaca's REST API: the questions of the bars are not asked.
"""

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache

from redis.asyncio import Redis

from ingest.alpaca import messages, option_messages
from ingest.bars.bar_table import BarTable
from ingest.book_feed import BookFeed
from ingest.bus.announcer import Announcer
from ingest.bus.bar_store import BarStore
from ingest.bus.lease import Lease
from ingest.bus.outbox import Outbox, Publication
from ingest.charts import TIMEFRAMES, Charts
from ingest.demand.channels import CHANNELS, STATUSES, TRADES
from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand
from ingest.market.lag import Lag
from ingest.market.last_price import LastPrices
from ingest.market.market_hours import REGULAR, TRADES_IN, MarketHours
from ingest.market.plain_tape import option_tape, pair_tape
from ingest.market.symbol_states import StatesView, SymbolStates
from ingest.market.trading_day import PAIR_DAYS, STOCK_DAYS
from ingest.sentiment.headline_scorer import HeadlineScorer
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.bar_rest import BarRest
from ingest.upstream.frame import FrameReader
from ingest.upstream.malformed_data import MalformedData
from ingest.upstream.news_handler import NewsHandler
from shared.bus.keys import Keyspace, bar_bounds
from shared.bus.malformed_stored import MalformedStored
from shared.bus.rejections import Rejections
from shared.event_id import EventId
from shared.markets import CRYPTO, OPTIONS, STOCKS, Market
from shared.topics import EVERYTHING, NEWS, kind_of, topic

NOWHERE = "http://127.0.0.1:1"
"""No request is made to it."""


class Part(ABC):
    """Applies frames. ``outbox`` has the events."""

    def __init__(self) -> None:
        self.outbox = Outbox()

    @abstractmethod
    def apply(self, frame: bytes) -> None:
        """Decode a frame, and apply its messages."""

    @property
    @abstractmethod
    def problem(self) -> str:
        """The messages that could not be read, as a sentence."""

    def feed(self, frames: Iterable[bytes]) -> None:
        """Apply frames that are not measured, and drop their events."""
        for frame in frames:
            self.apply(frame)
            self.take()

    def take(self) -> list[Publication]:
        """Remove the events from the outbox and return them."""
        return self.outbox.take(len(self.outbox))

    def count(self) -> Counter[str]:
        """Remove the events from the outbox and return how many there are by name."""
        return Counter(each.event or kind_of(each.topic) for each in self.take())


class MarketPart(Part):
    """The part of a market: clients watch the topics of ``kinds`` for all symbols.

    ``subscribe`` has to be called once. No calendar is known, as in the first moments of an ingest:
    a calendar would make the figures depend on the time of the day. ``clock`` gives unix ns,
    ``monotonic`` seconds.
    """

    def __init__(
        self,
        market: Market,
        symbols: Collection[str],
        kinds: Sequence[str],
        *,
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._clock, self._monotonic = clock, monotonic
        self._symbols, self._channels = symbols, CHANNELS[market.name]
        self._decode = option_messages.decode if market is OPTIONS else messages.decode
        self._demand = Demand(monotonic, market)
        self._demand.update({topic(kind, symbol): 1 for kind in kinds for symbol in symbols})
        self._subscription = Subscription(None, channels=self._channels)
        self._announcer = Announcer(self.outbox)
        common = (self._demand, self._subscription, self._announcer)
        prices = _prices(market)
        self.charts = _charts(prices, market, *common, clock)
        table = self.charts.table
        for timeframe in (TIMEFRAMES[kind] for kind in kinds if kind in TIMEFRAMES):
            for symbol in symbols:
                table.watch(symbol, [timeframe], clock())
        self.books = BookFeed(*common, monotonic=monotonic) if market is CRYPTO else None
        self._states = _states(prices, market)
        shared = (Lag(), *common, table, self.books)
        self._reader = FrameReader(prices, self._states, *shared, name=market.name)

    def subscribe(self) -> None:
        """Accept that all channels of all symbols are subscribed."""
        everything = {channel.name: set(self._symbols) for channel in self._channels}
        self._subscription.on_acknowledged(everything)
        self.charts.on_subscription()
        self.charts.publish()
        if self.books is not None:
            self.books.on_subscription(self._monotonic())

    def apply(self, frame: bytes) -> None:
        """Decode a frame, and apply its messages."""
        self._reader.apply(self._decode(frame), self._clock() // 1000, self._monotonic())

    def look(self) -> None:
        """Announce the states that have changed, as a market does once a second."""
        subscribed = self._subscription.acknowledged
        view = StatesView(
            stream_live=True,
            stream_reason=None,
            session="regular",
            wanted=self._demand.symbols(),
            acknowledged=subscribed[TRADES],
            over_limit=frozenset(),
            rejected=frozenset(),
            heard=subscribed[STATUSES],
        )
        for status in self._states.evaluate(self._monotonic(), self._clock() / 1e9, view):
            self._announcer.status(status)

    @property
    def problem(self) -> str:
        """The messages that could not be read, as a sentence."""
        if unknown := self._reader.unknown:
            return f"Messages of unknown kinds: {dict(unknown)}."
        return _problem(self._reader.malformed)


class NewsPart(Part):
    """The part of the news: a client watches all of them."""

    def __init__(self, scorer: HeadlineScorer) -> None:
        super().__init__()
        demand = Demand(time.monotonic)
        demand.update({topic(NEWS, EVERYTHING): 1})
        self._handler = NewsHandler(demand, Announcer(self.outbox), scorer)

    def apply(self, frame: bytes) -> None:
        """Decode a frame, and apply its messages."""
        self._handler.apply(self._handler.decode(frame), time.time_ns() // 1000)

    @property
    def problem(self) -> str:
        """The messages that could not be read, as a sentence."""
        return _problem(self._handler.malformed)


def _problem(malformed: MalformedData) -> str:
    if malformed.first is None:
        return "No message is malformed."
    return f"{malformed.count:,} messages are malformed, the first one: {malformed.first}"


def _prices(market: Market) -> LastPrices:
    if market is CRYPTO:
        return LastPrices(MarketHours(trades_in=None), pair_tape)
    if market is OPTIONS:
        return LastPrices(MarketHours((), None, REGULAR), option_tape)
    return LastPrices(MarketHours((), None, TRADES_IN["sip"]))


def _states(prices: LastPrices, market: Market) -> SymbolStates:
    return SymbolStates(
        "sip",
        prices.has_price,
        prices.traded_at,
        lambda: prices.hours,
        has_halts=market is STOCKS,
    )


def _charts(
    prices: LastPrices,
    market: Market,
    demand: Demand,
    subscription: Subscription,
    announcer: Announcer,
    clock: Callable[[], int],
) -> Charts:
    def hours() -> MarketHours:
        return prices.hours

    table = BarTable(hours, PAIR_DAYS if market is CRYPTO else STOCK_DAYS)
    store, bounds = _store(), bar_bounds()
    rest = BarRest(_rest(), table, store, demand, announcer, hours, _next_id, bounds, clock=clock)
    return Charts(table, rest, store, demand, subscription, announcer, clock=clock)


def _next_id() -> EventId:
    return EventId(1, 1)


@cache
def _rest() -> AlpacaRest:
    return AlpacaRest("key", "secret", data_url=NOWHERE, trading_url=NOWHERE, feed="sip")


@cache
def _store() -> BarStore:
    client, names = Redis(), Keyspace()
    lease = Lease(client, names, "bench")
    return BarStore(client, names, lease, Rejections(), MalformedStored(), bar_bounds())
