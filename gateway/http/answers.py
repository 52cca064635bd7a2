"""The structs of the JSON answers and of the events of streams.

They are for the OpenAPI document; tests compare them with the actual answers.
"""

from collections.abc import Iterable, Mapping

import msgspec

from gateway.bus.gateway_report import GatewayReport
from gateway.wire import events
from shared.account import Account
from shared.asset import AssetType
from shared.bar import RELOAD, Bar, Reload, Timeframe
from shared.book import Book
from shared.gap import GAP, Gap
from shared.imbalance import Imbalance
from shared.ingest_status import IngestStatus, Session
from shared.luld import Luld
from shared.news import News
from shared.option_chain import OptionContract
from shared.order import OrderUpdate
from shared.position import Position
from shared.price import Price
from shared.quote import Quote
from shared.symbol_status import SymbolStatus
from shared.topics import (
    ACCOUNT,
    BARS,
    BOOK,
    IMBALANCE,
    LULD,
    NEWS,
    ORDERS,
    POSITION,
    PRICE,
    QUOTE,
    STATUS,
    TRADE,
)
from shared.trade import CANCEL, CORRECTION, Cancel, Correction, Trade

Events = Mapping[str, type[msgspec.Struct]]

PUBLISHED: Mapping[str, Events] = {
    PRICE: {PRICE: Price},
    STATUS: {STATUS: SymbolStatus},
    TRADE: {TRADE: Trade, CORRECTION: Correction, CANCEL: Cancel},
    QUOTE: {QUOTE: Quote},
    LULD: {LULD: Luld},
    IMBALANCE: {IMBALANCE: Imbalance},
    **{kind: {kind: Bar, RELOAD: Reload} for kind in BARS},
    NEWS: {NEWS: News},
    BOOK: {BOOK: Book},
    POSITION: {POSITION: Position},
    ACCOUNT: {ACCOUNT: Account},
    ORDERS: {ORDERS: OrderUpdate},
}
"""The events of each kind of topic; no ingest publishes books yet."""

ON_EVERY_STREAM: Events = {
    "hello": events.Hello,
    "feed": events.Feed,
    "ready": events.Ready,
    "heartbeat": events.Heartbeat,
    GAP: Gap,
    "bye": events.Bye,
}


def events_of(kinds: Iterable[str]) -> dict[str, type[msgspec.Struct]]:
    """Return the events that a stream of some kinds may carry, by their names."""
    found = dict(ON_EVERY_STREAM)
    for kind in kinds:
        found |= PUBLISHED[kind]
    return found


class FoundAsset(msgspec.Struct):
    """An asset that a search has found; ``exchange`` is Alpaca's name of it."""

    symbol: str
    name: str
    exchange: str
    type: AssetType


class Assets(msgspec.Struct, kw_only=True):
    """The results of a search, the best first, in the list that Alpaca had at ``as_of``."""

    as_of: str
    assets: list[FoundAsset]


class OptionChain(msgspec.Struct, kw_only=True):
    """The option chain of a stock as of ``as_of``, by expiration, strike and type.

    ``feed`` is Alpaca's name of the source. ``delayed``: its trades are fifteen minutes late.
    ``indicative``: its quotes are derived ones, and not the exchanges'.
    """

    underlying: str
    as_of: str
    feed: str
    delayed: bool
    indicative: bool
    contracts: list[OptionContract]


class Refusal(msgspec.Struct):
    """``code`` is for machines; ``message`` names the value, ``hint`` the remedy."""

    code: str
    message: str
    hint: str


class Refused(msgspec.Struct):
    """The reason why a request is rejected."""

    error: Refusal


class Prices(msgspec.Struct):
    """The last price of each requested symbol."""

    prices: dict[str, Price]


class Bars(msgspec.Struct):
    """The bars of each requested symbol, oldest first.

    ``complete_from``: of each symbol the time from which on these are all bars; null if unknown.
    ``last_event_id``: a stream that is opened with it continues after these bars.
    """

    timeframe: Timeframe
    bars: dict[str, list[Bar]]
    complete_from: dict[str, str | None]
    last_event_id: str


class Positions(msgspec.Struct):
    """The account, null unless the token has its scope, and the open positions by symbol."""

    account: Account | None
    positions: list[Position]


class StreamChanged(msgspec.Struct, kw_only=True):
    """The topics of a stream after a change; the merge ones with their intervals in seconds.

    ``invented``: the symbols of the topics whose data a simulator invents.
    """

    stream_id: str
    topics: list[str]
    intervals: dict[str, float]
    invented: list[str]


class Ticket(msgspec.Struct):
    """``ticket`` opens one stream; ``expires_in`` is in seconds."""

    ticket: str
    expires_in: int


class StreamsEnded(msgspec.Struct):
    """How many streams of a principal were ended, at all gateways together."""

    principal: str
    ended: int


class RedisState(msgspec.Struct):
    """Whether Redis answers this gateway, or the reason why not."""

    connected: bool
    error: str | None


class Status(msgspec.Struct):
    """The state of the whole system. ``stream_count`` is the number of active symbols.

    Symbols, reports and gateways are null if the token has scopes, and ``admin`` is none of them.
    """

    alpaca_connected: bool
    active_symbols: list[str] | None
    stream_count: int
    session: Session
    clients: int
    busy: int
    unauthorized: int
    feed: events.Feed
    ingest: IngestStatus | None
    discrepancy: str | None
    gateways: list[GatewayReport] | None
    redis: RedisState


class Alive(msgspec.Struct):
    """The process is alive."""

    alive: bool


class Readiness(msgspec.Struct):
    """Whether streams can be served, or the reason why not."""

    ready: bool
    reason: str | None
    feed_state: str
