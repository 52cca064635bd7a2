"""The table of all endpoints: their parameters and their possible answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from gateway.http import answers, udf_answers
from gateway.http.assets import AssetFields
from gateway.http.chart_bars import BarQueryFields
from gateway.http.option_chain import ChainFields
from gateway.http.stored_values import PriceFields, StoredPositionFields
from gateway.http.stream_change import ChangeFields
from gateway.http.stream_fields import KIND_STREAMS, TopicFields
from gateway.http.tickets import TicketFields
from gateway.http.udf import UdfHistoryFields, UdfSearchFields, UdfSymbolFields
from shared.topics import KINDS

BEARER = ("bearer",)
BEARER_OR_TICKET = ("bearer", "ticket")

JSON = "application/json"
STREAM = "text/event-stream"


@dataclass(frozen=True)
class Operation:
    """One method of one path.

    ``answers`` are the structs of its JSON by status, or of the items if it is a list; if there is
    none, ``media_type`` is the type of the answer with 200. ``rejections`` are the other statuses.
    A stream carries ``kinds``.
    ``fields`` are in the query, or in the body of a POST. ``security`` names the schemes of which
    one is needed.
    """

    method: str
    path: str
    summary: str
    answers: Mapping[int, type[msgspec.Struct]] = field(default_factory=dict)
    is_list: bool = False
    media_type: str = JSON
    rejections: Sequence[int] = ()
    fields: type[msgspec.Struct] | None = None
    kinds: Sequence[str] = ()
    security: Sequence[str] = ()


def _streams(
    path: str, summary: str, fields: type[msgspec.Struct], kinds: Sequence[str]
) -> list[Operation]:
    """Return the two ways to open a stream."""
    return [
        Operation(
            method,
            path,
            summary + more,
            media_type=STREAM,
            rejections=rejections,
            fields=fields,
            kinds=kinds,
            security=BEARER_OR_TICKET,
        )
        for method, more, rejections in (
            ("GET", "", (400, 401, 403, 429, 503)),
            ("POST", ", for long lists", (400, 401, 403, 408, 413, 415, 429, 503)),
        )
    ]


OPERATIONS: Sequence[Operation] = (
    Operation("GET", "/", "The page, for people", media_type="text/html"),
    Operation("GET", "/assets/{name}", "Its files", media_type="*/*", rejections=(404,)),
    Operation(
        "GET",
        "/licenses.txt",
        "The licences of the packages in the page",
        media_type="text/plain",
        rejections=(404,),
    ),
    *_streams("/api/stream", "A stream of many kinds", TopicFields, list(KINDS)),
    *(
        operation
        for name, stream in KIND_STREAMS.items()
        for operation in _streams(
            f"/api/stream/{name}", f"A stream of {name}", stream.fields, stream.kinds
        )
    ),
    Operation(
        "POST",
        "/api/stream/ticket",
        "A ticket that opens one stream, for clients that cannot send a header",
        {201: answers.Ticket},
        rejections=(400, 401, 403, 408, 413, 415, 429, 503),
        fields=TicketFields,
        security=BEARER,
    ),
    Operation(
        "PATCH",
        "/api/stream/{stream_id}",
        "Other topics for a running stream, at any gateway",
        {200: answers.StreamChanged},
        rejections=(400, 401, 403, 404, 408, 409, 413, 415, 429, 503),
        fields=ChangeFields,
        security=BEARER_OR_TICKET,
    ),
    Operation(
        "DELETE",
        "/api/tokens/{principal}/streams",
        "The end of all streams of a token, at all gateways",
        {200: answers.StreamsEnded},
        rejections=(400, 401, 403, 429, 503),
        security=BEARER,
    ),
    Operation(
        "GET",
        "/api/stream/status",
        "The state of the whole system",
        {200: answers.Status},
        rejections=(401, 429),
        security=BEARER,
    ),
    Operation(
        "GET",
        "/api/prices",
        "The stored prices, once",
        {200: answers.Prices},
        rejections=(400, 401, 403, 429, 503),
        fields=PriceFields,
        security=BEARER,
    ),
    Operation(
        "GET",
        "/api/bars",
        "Bars for charts, once",
        {200: answers.Bars},
        rejections=(400, 401, 403, 429, 502, 503, 504),
        fields=BarQueryFields,
        security=BEARER,
    ),
    Operation(
        "GET",
        "/api/assets",
        "The symbols that a text means, with their names",
        {200: answers.Assets},
        rejections=(400, 401, 403, 429, 503),
        fields=AssetFields,
        security=BEARER,
    ),
    Operation(
        "GET",
        "/api/options/{underlying}",
        "The option chain of a stock, with implied volatility and greeks",
        {200: answers.OptionChain},
        rejections=(400, 401, 403, 429, 502, 503, 504),
        fields=ChainFields,
        security=BEARER,
    ),
    Operation(
        "GET",
        "/api/udf/config",
        "What the feed for TradingView's library can do",
        {200: udf_answers.UdfConfig},
        rejections=(401, 403, 429),
        security=BEARER,
    ),
    Operation(
        "GET",
        "/api/udf/symbols",
        "A symbol for TradingView's library",
        {200: udf_answers.UdfSymbol},
        rejections=(400, 401, 403, 429, 503),
        fields=UdfSymbolFields,
        security=BEARER,
    ),
    Operation(
        "GET",
        "/api/udf/search",
        "The symbols that a text means, for TradingView's library",
        {200: udf_answers.UdfFound},
        is_list=True,
        rejections=(400, 401, 403, 429, 503),
        fields=UdfSearchFields,
        security=BEARER,
    ),
    Operation(
        "GET",
        "/api/udf/history",
        "Bars for TradingView's library",
        {200: udf_answers.UdfHistory},
        rejections=(400, 401, 403, 429, 503),
        fields=UdfHistoryFields,
        security=BEARER,
    ),
    Operation(
        "GET",
        "/api/udf/time",
        "The gateway's time in unix seconds, for TradingView's library",
        media_type="text/plain",
        rejections=(401, 403, 429),
        security=BEARER,
    ),
    Operation(
        "GET",
        "/api/positions",
        "The account and the open positions, once",
        {200: answers.Positions},
        rejections=(400, 401, 403, 429, 503),
        fields=StoredPositionFields,
        security=BEARER,
    ),
    Operation("GET", "/healthz", "The process is alive", {200: answers.Alive}),
    Operation(
        "GET",
        "/readyz",
        "Whether streams can be served",
        dict.fromkeys((200, 503), answers.Readiness),
    ),
    Operation("GET", "/openapi.json", "This document"),
)
