"""The parameters of streams, in a query or a body: names, forms, bounds, and meaning."""

from collections.abc import Mapping
from typing import Annotated, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.http.symbol_fields import (
    ANY_SYMBOLS,
    CHARTED_SYMBOLS,
    AnySymbol,
    AnySymbolOrAll,
    ChartedSymbol,
    NewsSymbolOrAll,
    Pair,
    Topic,
)
from shared import bar
from shared.bar import Timeframe
from shared.topics import ACCOUNT, BOOK, NEWS, ORDERS, POSITION, PRICE, QUOTE, STATUS, TRADE

MAX_INTERVAL_SECONDS = 60.0

Interval = Annotated[
    float,
    Meta(
        ge=0,
        le=MAX_INTERVAL_SECONDS,
        description="seconds between two updates of one topic, from 0 to 60; 0 sends every one, as "
        "ordered topics always do",
    ),
]


class StreamFields(msgspec.Struct, kw_only=True):
    """The parameters of every stream."""

    interval: Interval | UnsetType = UNSET
    padding: Annotated[
        float,
        Meta(
            ge=0,
            le=4096,
            description="the least number of bytes, up to 4096, of a comment that follows hello, "
            "ready, each heartbeat and bye, for a proxy that passes nothing smaller",
        ),
    ] = 0
    last_event_id: Annotated[
        str,
        Meta(
            description="the id of the newest event received, as 1795361721001-37, where the "
            "header Last-Event-ID cannot be sent",
            extra_json_schema={"pattern": "^([0-9]{1,19}-[0-9]{1,19})?$"},
        ),
    ] = ""


class TopicFields(StreamFields):
    """The parameters of a stream of many kinds."""

    topics: Annotated[
        list[Topic],
        Meta(
            description="topics as price:SPY,bar.1Min:SPY,news:*; a topic may have its own "
            "interval in seconds, as quote:SPY@1"
        ),
    ] = []


class SymbolFields(StreamFields):
    """The parameters of a stream of one kind."""

    symbols: Annotated[list[AnySymbol], Meta(description=ANY_SYMBOLS)] = []


class BookFields(StreamFields):
    """The parameters of a stream of order books."""

    symbols: Annotated[
        list[Pair],
        Meta(description="pairs as BTC/USD,ETH/USD; Alpaca has no books of stocks and options"),
    ] = []


class BarFields(StreamFields):
    """The parameters of a stream of bars."""

    symbols: Annotated[list[ChartedSymbol], Meta(description=CHARTED_SYMBOLS)] = []
    timeframe: Annotated[
        list[Timeframe],
        Meta(
            min_length=1,
            description="one or more of 1Min,5Min,15Min,1Hour,1Day; 1Min where none is given",
        ),
    ] = msgspec.field(default_factory=lambda: ["1Min"])


class NewsFields(StreamFields):
    """The parameters of a stream of news."""

    symbols: (
        Annotated[
            list[NewsSymbolOrAll],
            Meta(description=f"{CHARTED_SYMBOLS}; everything where none are given"),
        ]
        | UnsetType
    ) = UNSET


class PositionFields(StreamFields):
    """The parameters of a stream of positions."""

    symbols: (
        Annotated[
            list[AnySymbolOrAll],
            Meta(description=f"{ANY_SYMBOLS}; all open positions where none are given"),
        ]
        | UnsetType
    ) = UNSET


class KindStream(NamedTuple):
    """A stream of certain kinds of topics, and its parameters."""

    kinds: tuple[str, ...]
    fields: type[StreamFields] = SymbolFields


KIND_STREAMS: Mapping[str, KindStream] = {
    "prices": KindStream((PRICE, STATUS)),
    "trades": KindStream((TRADE,)),
    "quotes": KindStream((QUOTE,)),
    "bars": KindStream(tuple(bar.KINDS.values()), BarFields),
    "book": KindStream((BOOK,), BookFields),
    "news": KindStream((NEWS,), NewsFields),
    "positions": KindStream((POSITION, ACCOUNT), PositionFields),
    "account": KindStream((ACCOUNT,), StreamFields),
    "orders": KindStream((ORDERS,), StreamFields),
}
