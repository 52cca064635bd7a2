"""The parameters of streams, in a query or a body: names, forms, bounds, and meaning."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared import bar
from shared.bar import Timeframe
from shared.topics import (
    ACCOUNT,
    BARS,
    BOOK,
    KINDS,
    NEWS,
    ORDERED,
    ORDERS,
    POSITION,
    PRICE,
    QUOTE,
    STATUS,
    TRADE,
    WITH_EVERYTHING,
    WITHOUT_SYMBOL,
)

MAX_INTERVAL_SECONDS = 60.0

# The patterns are for readers of the OpenAPI document; here shared.topics decides.
_SYMBOL = r"[A-Za-z][A-Za-z0-9]{0,11}(\.[A-Za-z0-9]{1,4}){0,2}"
_ASSET = (
    rf"({_SYMBOL}|[A-Za-z0-9]{{2,10}}/[A-Za-z]{{3,5}}|[0-9][A-Za-z0-9]{{1,11}}"
    r"|[A-Za-z]{1,6}[0-9]?[0-9]{6}[CPcp][0-9]{8})"
)
_SECONDS = r"(60|[1-5]?[0-9](\.[0-9]+)?)"


def _topics_of(kinds: Iterable[str]) -> str:
    """Return the pattern of the topics of some kinds."""
    return "|".join(map(_topic_of, kinds))


def _topic_of(kind: str) -> str:
    if kind in WITHOUT_SYMBOL:
        return re.escape(kind)
    symbol = _ASSET if kind == POSITION else _SYMBOL
    return re.escape(kind) + (rf":({symbol}|\*)" if kind in WITH_EVERYTHING else f":{symbol}")


_WITH_INTERVAL = _topics_of(kind for kind in KINDS if kind not in ORDERED or kind in BARS)
_ORDERED_TOPIC = _topics_of(kind for kind in KINDS if kind in ORDERED and kind not in BARS)

Symbol = Annotated[str, Meta(extra_json_schema={"pattern": f"^{_SYMBOL}$"})]
Asset = Annotated[str, Meta(extra_json_schema={"pattern": f"^{_ASSET}$"})]
AssetOrAll = Annotated[str, Meta(extra_json_schema={"pattern": rf"^({_ASSET}|\*)$"})]
SymbolOrAll = Annotated[str, Meta(extra_json_schema={"pattern": rf"^({_SYMBOL}|\*)$"})]
PlainTopic = Annotated[str, Meta(extra_json_schema={"pattern": f"^({_topics_of(KINDS)})$"})]
Topic = Annotated[
    str,
    Meta(extra_json_schema={"pattern": rf"^(({_WITH_INTERVAL})(@{_SECONDS})?|{_ORDERED_TOPIC})$"}),
]
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

    symbols: Annotated[list[Symbol], Meta(description="stock symbols as SPY,IBM,BRK.B")] = []


class BarFields(SymbolFields):
    """The parameters of a stream of bars."""

    timeframe: Annotated[
        list[Timeframe],
        Meta(
            min_length=1,
            description="one or more of 1Min,5Min,15Min,1Hour,1Day; 1Min where none is given",
        ),
    ] = msgspec.field(default_factory=lambda: ["1Min"])


class AnySymbolFields(StreamFields):
    """The parameters of a stream that can carry everything of its kind."""

    symbols: (
        Annotated[
            list[SymbolOrAll],
            Meta(description="stock symbols as SPY,IBM; everything where none are given"),
        ]
        | UnsetType
    ) = UNSET


class PositionFields(AnySymbolFields):
    """The parameters of a stream of positions."""

    symbols: (
        Annotated[
            list[AssetOrAll],
            Meta(
                description="symbols as SPY,BTC/USD,AAPL240119C00100000; all open positions where "
                "none are given"
            ),
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
    "book": KindStream((BOOK,)),
    "news": KindStream((NEWS,), AnySymbolFields),
    "positions": KindStream((POSITION, ACCOUNT), PositionFields),
    "account": KindStream((ACCOUNT,), StreamFields),
    "orders": KindStream((ORDERS,), StreamFields),
}
