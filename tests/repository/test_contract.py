"""What the code offers to the outside is what the reference says, and no more."""

import ast
import re
from collections.abc import Mapping
from typing import get_args

import msgspec
import pytest
from starlette.routing import Route

from gateway.bus.gateway_report import GatewayReport
from gateway.http import answers, app
from gateway.http.assets import AssetsEndpoint
from gateway.http.chart_bars import BarQueryFields, ChartBarsEndpoint
from gateway.http.fields import properties_of
from gateway.http.health import Health
from gateway.http.openapi import OpenApi
from gateway.http.option_chain import ChainFields, OptionChainEndpoint
from gateway.http.page import Page
from gateway.http.stored_values import StoredPositionFields, StoredValues
from gateway.http.stream_change import ChangeFields, StreamChange
from gateway.http.stream_fields import BarFields, NewsFields, PositionFields, TopicFields
from gateway.http.streams import Streams
from gateway.http.tickets import Tickets
from gateway.http.token_streams import TokenStreams
from gateway.http.udf import Udf, UdfHistoryFields, UdfSearchFields, UdfSymbolFields
from gateway.wire import events
from gateway.wire.events import ByeReason, NoPriceReason
from gateway.wire.principal import SCOPES
from ingest.upstream.upstream_error import _MEANING
from shared import topics
from shared.account import Account
from shared.alarm import Alarm, AlarmCode
from shared.bar import RELOAD, Bar, Reload
from shared.book import Book
from shared.bus import keys
from shared.gap import GAP, Gap, GapReason
from shared.imbalance import Imbalance
from shared.ingest_status import FeedState, IngestStatus, Session, StreamStatus, TapeCounts
from shared.luld import Luld
from shared.news import News
from shared.order import OrderUpdate
from shared.position import Position
from shared.price import Price
from shared.quote import Quote
from shared.symbol_status import SymbolState, SymbolStatus
from shared.trade import Cancel, Correction, Trade
from tests.keyspace import KEYSPACE
from tests.repository.documents import codes, document, rows, section, words
from tests.repository.tree import ROOT, modules, source_modules, syntax

PAGE = "reference.md"

SERVED: Mapping[str, type[msgspec.Struct]] = {
    "hello": events.Hello,
    "price": Price,
    "status": SymbolStatus,
    "trade": Trade,
    "correction": Correction,
    "cancel": Cancel,
    "quote": Quote,
    "luld": Luld,
    "book": Book,
    "imbalance": Imbalance,
    "bar.1Min": Bar,
    "bar.5Min": Bar,
    "bar.15Min": Bar,
    "bar.1Hour": Bar,
    "bar.1Day": Bar,
    RELOAD: Reload,
    "news": News,
    "position": Position,
    "account": Account,
    "orders": OrderUpdate,
    GAP: Gap,
    "feed": events.Feed,
    "ready": events.Ready,
    "heartbeat": events.Heartbeat,
    "bye": events.Bye,
}


def told(title: str) -> str:
    """Return a part of the reference."""
    return section(PAGE, title)


def fields(struct: type[msgspec.Struct]) -> set[str]:
    """Return what the JSON of an event has beside its id."""
    return {field.encode_name for field in msgspec.structs.fields(struct)} - {"event_id"}


def routes() -> list[Route]:
    """Return what the gateway serves; the table needs no part of a running gateway."""
    return app.routes(
        app.Endpoints(
            streams=Streams.__new__(Streams),
            stream_change=StreamChange.__new__(StreamChange),
            tickets=Tickets.__new__(Tickets),
            token_streams=TokenStreams.__new__(TokenStreams),
            stored=StoredValues.__new__(StoredValues),
            chart_bars=ChartBarsEndpoint.__new__(ChartBarsEndpoint),
            options=OptionChainEndpoint.__new__(OptionChainEndpoint),
            assets=AssetsEndpoint.__new__(AssetsEndpoint),
            udf=Udf.__new__(Udf),
            health=Health.__new__(Health),
            page=Page.__new__(Page),
            openapi=OpenApi.__new__(OpenApi),
        )
    )


def test_every_endpoint_is_in_the_reference_and_no_other() -> None:
    offered = {
        f"{method} {route.path}" for route in routes() for method in (route.methods or set())
    }
    named = set(re.findall(r"`((?:GET|POST|PATCH|PUT|DELETE) /[^?`]*)", told("Endpoints")))

    assert named == {each for each in offered if not each.startswith("HEAD ")}


def test_what_may_be_asked_for_is_in_the_reference() -> None:
    known = (
        TopicFields,
        BarFields,
        NewsFields,
        PositionFields,
        BarQueryFields,
        ChainFields,
        StoredPositionFields,
        ChangeFields,
        UdfSymbolFields,
        UdfSearchFields,
        UdfHistoryFields,
    )
    table = rows(told("Endpoints"), "in the query or the body")

    assert {name for cell in table for name in codes(cell)} == {
        name for struct in known for name in properties_of(struct)
    }


def test_every_event_is_in_the_reference_with_its_fields() -> None:
    table = {
        name: text for cell, text in rows(told("Events"), "event").items() for name in codes(cell)
    }

    assert table.keys() == SERVED.keys()
    for name, struct in SERVED.items():
        assert fields(struct) - words(table[name]) == set(), name


def test_every_event_is_in_the_openapi_document() -> None:
    assert answers.events_of(topics.KINDS) == SERVED


def test_every_kind_of_topic_is_in_the_reference_and_no_other() -> None:
    table = {
        topics.kind_of(topic): text
        for cell, text in rows(told("Topics"), "topic").items()
        for topic in codes(cell)
    }

    assert {kind: text.startswith("yes |") for kind, text in table.items()} == topics.KINDS


def test_every_event_that_anybody_makes_has_its_place_above() -> None:
    """A struct that has its own encoder, or belongs to the gateway, is an event."""
    made = {
        node.name
        for path in [*modules("shared"), ROOT / "gateway" / "wire" / "events.py"]
        if "encode = msgspec.json.Encoder().encode" in path.read_text()
        for node in syntax(path).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }
    reports = {"IngestStatus", "StreamStatus", "TapeCounts", "BarCounts"}
    stored = {"Asset", "AssetList"}
    parts = {"Leg", "LegExecution", "Order", "Sentiment"}

    known = {struct.__name__ for struct in SERVED.values()}
    assert made == known | reports | stored | parts


def test_every_state_and_reason_is_in_the_reference() -> None:
    text = words(told("Events"))
    served = {"shutdown", "slow", "unavailable", "busy"}

    assert set(get_args(NoPriceReason)) | {"unknown_symbol"} <= text
    assert {*get_args(FeedState), "down", "ingest_lost"} <= text
    assert served <= set(get_args(ByeReason)) & text


@pytest.mark.parametrize(
    ("title", "header", "allowed"),
    [
        ("Events", "state", SymbolState),
        ("Events", "session", Session),
        ("Events", "reason", GapReason),
        ("Alarms", "code", AlarmCode),
    ],
)
def test_a_table_of_the_reference_has_all_values_and_no_other(
    title: str, header: str, allowed: object
) -> None:
    named = [value for cell in rows(told(title), header) for value in codes(cell)]

    assert sorted(named) == sorted(get_args(allowed))


@pytest.mark.parametrize(
    ("header", "struct"), [("field", IngestStatus), ("field of `tape`", TapeCounts)]
)
def test_the_ingests_report_is_in_the_reference_field_by_field(
    header: str, struct: type[msgspec.Struct]
) -> None:
    table = rows(told("The ingest's report"), header)
    named = [field for cell in table for field in codes(cell)]

    assert sorted(named) == sorted(field.name for field in msgspec.structs.fields(struct))


def test_what_is_in_the_lists_of_the_report_is_in_the_reference() -> None:
    table = rows(told("The ingest's report"), "field")

    assert fields(StreamStatus) <= words(table["`streams`"])
    assert fields(Alarm) <= words(table["`alarms`"])


def test_every_refusal_is_in_the_reference() -> None:
    source = "\n".join(path.read_text() for path in source_modules())
    refusals = set(
        re.findall(r"(?:ApiError|__init__)\(\s*(?:status=)?\d{3},\s*code=\"(\w+)\"", source)
    )

    assert len(refusals) > 10
    assert refusals <= words(told("Errors"))


def test_every_error_of_alpacas_is_in_the_reference() -> None:
    named = {int(code) for code in re.findall(r"\b[45]\d\d\b", told("Errors"))}

    assert set(_MEANING) - named == set()


def test_every_redis_key_is_in_the_reference() -> None:
    text = told("Redis")
    names = {value for value in vars(KEYSPACE).values() if isinstance(value, str) and value}

    assert {name for name in names if f"`{name}`" not in text} == set()
    for made in ("gateway:<id>", "{streams}:<id>", "ticket:<sha256>"):
        assert f"`{made}`" in text
    for kind in (topics.PRICE, topics.STATUS, topics.QUOTE, topics.POSITION):
        assert f"`{KEYSPACE.last(topics.topic(kind, 'SPY'))}`" in text
    assert f"`{KEYSPACE.last(topics.ACCOUNT)}`" in text


def test_every_scope_is_in_the_reference_and_no_other() -> None:
    table = rows(told("Endpoints"), "scope")

    assert [scope for cell in table for scope in codes(cell)] == list(SCOPES)


def test_every_history_is_in_the_reference_with_its_length() -> None:
    table = rows(told("Redis"), "key or channel")

    assert set(keys.HISTORY_LENGTHS) == topics.ORDERED
    for kind, length in keys.HISTORY_LENGTHS.items():
        alone = kind in topics.WITHOUT_SYMBOL
        key = KEYSPACE.history(kind if alone else topics.topic(kind, "SPY"))
        [value] = [rest for first, rest in table.items() if f"`{key}`" in first]
        assert str(length) in words(value), kind


def test_the_lives_of_keys_in_the_reference_are_those_of_the_code() -> None:
    table = rows(told("Redis"), "key or channel")
    lives = {
        "`ingest:lease` `ingest:epoch`": f"{keys.LEASE_MILLISECONDS / 1000:g} s",
        "`ingest:status`, key and channel": f"{keys.INGEST_STATUS_MILLISECONDS / 1000:g} s",
        f"`{KEYSPACE.interest}`": f"{keys.INTEREST_MILLISECONDS // 1000} s",
        "`gateway:<id>`": f"{keys.GATEWAY_SECONDS} s",
        "`{streams}:<id>`": f"{keys.STREAMS_MILLISECONDS // 1000} s",
        "`ticket:<sha256>`": f"{keys.TICKET_SECONDS} s",
    }

    for key, life in lives.items():
        assert life in table[key].rpartition(" | ")[2], key
    assert keys.LAST_SECONDS == keys.HISTORY_SECONDS == 7 * 24 * 3600  # "a week"


def test_what_a_gateway_reports_is_in_the_reference() -> None:
    known = fields(GatewayReport) - {"gateway_id", "started"}

    assert known <= words(rows(told("Redis"), "key or channel")["`gateway:<id>`"])


def test_the_parts_of_the_reference_are_where_others_look_for_them() -> None:
    assert re.findall(r"^## (.+)$", document(PAGE), re.MULTILINE) == [
        "Settings",
        "Endpoints",
        "Events",
        "Symbols",
        "Topics",
        "Redis",
        "The ingest's report",
        "Alarms",
        "Errors",
    ]
