"""Streams send the requested topics: by topic or by symbol, in a query or in a body."""

import asyncio
import gzip
import json
from typing import Any

import httpx
import msgspec
import pytest

from gateway.http import json_body, limits
from gateway.http.stream_fields import KIND_STREAMS
from shared.bus.redis_source import RedisSource
from shared.topics import BOOK, KINDS, POSITION, WITHOUT_SYMBOL
from tests.event_stream import EventStream, open_stream
from tests.gateway.ingest_stub import ingest_stub
from tests.gateway.published import EVENTS, publish_all
from tests.limits import LIMIT_SECONDS
from tests.services import running_gateway, until


def brought(stream: EventStream) -> list[str]:
    """Which of the published events have come."""
    return [event.kind for event in stream.events if event.data.get("event_id", "0-0") != "0-0"]


async def test_many_kinds_come_on_one_stream(any_source: RedisSource) -> None:
    topics = [f"{kind}:SPY" for kind in KINDS if kind not in {"news", BOOK, *WITHOUT_SYMBOL}]
    topics += ["book:BTC/USD", "news:*", *sorted(WITHOUT_SYMBOL)]
    async with (
        ingest_stub(any_source) as ingest,
        running_gateway(any_source) as url,
        open_stream(url, "/api/stream", topics=",".join(topics), interval="0") as stream,
    ):
        await stream.until_kind("ready")
        await publish_all(ingest)
        await stream.until(lambda s: s.of("gap"))

    assert stream.of("hello")[0]["topics"] == topics
    told = [e for e in stream.events if e.kind in EVENTS and e.data["event_id"] != "0-0"]
    assert [event.kind for event in told] == list(EVENTS)
    for event, (_, published) in zip(told, EVENTS.values(), strict=True):
        assert event.data.pop("event_id")
        assert event.data == msgspec.json.decode(msgspec.json.encode(published)), event.kind


@pytest.mark.parametrize(
    ("name", "query", "kinds"),
    [
        ("prices", {"symbols": "SPY"}, ["price", "status"]),
        ("trades", {"symbols": "SPY"}, ["trade", "correction", "cancel", "gap"]),
        ("quotes", {"symbols": "SPY"}, ["quote"]),
        ("bars", {"symbols": "SPY"}, ["bar.1Min", "reload"]),
        ("bars", {"symbols": "SPY", "timeframe": "5Min,1Day"}, ["bar.5Min", "bar.1Day"]),
        ("news", {}, ["news"]),
        ("account", {}, ["account"]),
        ("orders", {}, ["orders"]),
        ("positions", {"symbols": "SPY"}, ["position", "account"]),
    ],
)
async def test_a_stream_by_symbol_brings_its_kind_alone(
    source: RedisSource, name: str, query: dict[str, str], kinds: list[str]
) -> None:
    async with (
        ingest_stub(source) as ingest,
        running_gateway(source) as url,
        open_stream(url, f"/api/stream/{name}", interval="0", **query) as stream,
        open_stream(url, "/api/stream", topics="price:IBM", interval="0") as last,
    ):
        for each in (stream, last):
            await each.until_kind("ready")
        await publish_all(ingest)
        await ingest.publish(99, "IBM")
        await last.until(lambda s: s.of("price")[-1]["event_id"] == "1-99")
        await stream.until(lambda s: all(s.of(kind) for kind in kinds))

    assert [kind for kind in brought(stream) if kind in EVENTS] == kinds


@pytest.mark.parametrize("name", KIND_STREAMS)
async def test_what_nobody_publishes_yet_gives_no_event_and_no_error(
    any_source: RedisSource, name: str
) -> None:
    async with (
        running_gateway(any_source) as url,
        open_stream(
            url, f"/api/stream/{name}", symbols="BTC/USD" if name == "book" else "SPY"
        ) as stream,
    ):
        await stream.until_kind("ready")

    nothing = {"prices": ["price"], "positions": ["account"], "account": ["account"]}
    says_so = nothing.get(name, [])
    assert [event.kind for event in stream.events] == ["hello", *says_so, "feed", "ready"]


async def test_topics_that_nobody_publishes_yet_are_claimed_like_all(source: RedisSource) -> None:
    async with (
        ingest_stub(source) as ingest,
        running_gateway(source) as url,
        open_stream(url, "/api/stream", topics="book:BTC/USD,position:*") as stream,
    ):
        await stream.until_kind("ready")

        async def claimed() -> bool:
            claims = await ingest.client.hkeys("interest")
            return {claim.split()[1] for claim in claims} == {b"book:BTC/USD", b"position:*"}

        await until(claimed)

    assert {BOOK, POSITION} <= KINDS.keys()


async def test_the_effective_intervals_are_echoed(any_source: RedisSource) -> None:
    asked = "price:SPY@1,quote:SPY,trade:SPY,price:IBM@0.5"
    async with (
        running_gateway(any_source) as url,
        open_stream(url, "/api/stream", topics=asked, interval="0.5") as stream,
        open_stream(url, "/api/stream", topics="price:SPY,news:*") as plain,
    ):
        [hello] = await stream.until_kind("hello")
        [without] = await plain.until_kind("hello")

    assert hello["interval"] == 0.5
    assert hello["intervals"] == {"price:SPY": 1.0}
    assert hello["topics"] == ["price:SPY", "quote:SPY", "trade:SPY", "price:IBM"]
    assert "intervals" not in without


async def test_a_topic_is_conflated_by_its_own_interval(source: RedisSource) -> None:
    """Two clients of one topic: one wants every value, the other the newest of a long window."""
    async with (
        ingest_stub(source) as ingest,
        running_gateway(source) as url,
        open_stream(url, "/api/stream", topics="price:SPY@0,price:IBM", interval="60") as every,
        open_stream(url, "/api/stream", topics="price:SPY@60,price:IBM@0") as newest,
    ):
        for stream in (every, newest):
            await stream.until_kind("ready")
        await ingest.publish_many(range(1, 51))
        await ingest.publish(51, "IBM")
        await every.until(lambda s: len([p for p in s.of("price") if p["symbol"] == "SPY"]) == 51)
        await newest.until(lambda s: s.of("price")[-1]["event_id"] == "1-51")

    assert len([p for p in newest.of("price") if p["symbol"] == "SPY"]) < 10


@pytest.mark.parametrize(
    ("path", "body", "topics"),
    [
        (
            "/api/stream",
            {"topics": ["price:spy@2", "news:*"], "interval": 1, "last_event_id": "7-9"},
            ["price:SPY", "news:*"],
        ),
        ("/api/stream/prices", {"symbols": ["SPY"]}, ["price:SPY", "status:SPY"]),
        (
            "/api/stream/bars",
            {"symbols": ["SPY"], "timeframe": ["1Day", "1Min"]},
            ["bar.1Min:SPY", "bar.1Day:SPY"],
        ),
        ("/api/stream/news", {}, ["news:*"]),
    ],
)
async def test_a_posted_body_opens_the_same_stream(
    any_source: RedisSource, path: str, body: object, topics: list[str]
) -> None:
    async with running_gateway(any_source) as url, open_stream(url, path, body=body) as stream:
        await stream.until_kind("ready")

    assert stream.of("hello")[0]["topics"] == topics
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"


@pytest.mark.parametrize(
    "asked",
    [
        {"headers": {"Last-Event-ID": "1-3"}},
        {"headers": {"Last-Event-ID": "1-3"}, "last_event_id": "1-1"},
        {"headers": {"Last-Event-ID": "nonsense"}, "last_event_id": "1-3"},
        {"last_event_id": "1-3"},
        {"body": {"topics": ["trade:SPY"], "last_event_id": "1-3"}},
    ],
    ids=["header", "header first", "malformed header", "query", "body"],
)
async def test_a_stream_goes_on_after_the_event_that_it_names(
    any_source: RedisSource, asked: dict[str, Any]
) -> None:
    topic, trade = EVENTS["trade"]
    async with ingest_stub(any_source) as ingest, running_gateway(any_source) as url:
        for seq in range(1, 6):
            await ingest.tell(seq, topic, trade)
        async with open_stream(url, "/api/stream", **{"topics": topic, **asked}) as stream:
            await stream.until_kind("ready")
            await ingest.tell(6, topic, trade)
            await stream.until_kind("trade", 3)

    assert stream.of("hello")[0]["resumed"] is True
    assert [each["event_id"] for each in stream.of("trade")] == ["1-4", "1-5", "1-6"]


async def test_a_long_list_fits_into_a_body(any_source: RedisSource) -> None:
    symbols = [f"S{number}" for number in range(2000)]
    async with (
        running_gateway(any_source, max_topics_per_client=2000) as url,
        open_stream(url, "/api/stream/quotes", body={"symbols": symbols}) as stream,
    ):
        await stream.until_kind("ready")

    assert stream.of("hello")[0]["topics"] == [f"quote:{symbol}" for symbol in symbols]


GZIPPED = gzip.compress(b'{"topics": ["price:SPY"]}')

BODIES: list[tuple[dict[str, Any], int, str]] = [
    ({"content": b"{"}, 400, "bad_body"),
    ({"content": b'["price:SPY"]'}, 400, "bad_body"),
    ({"json": {"topics": "price:SPY"}}, 400, "bad_value"),
    ({"json": {"topic": ["price:SPY"]}}, 400, "misspelt"),
    ({"json": {"topics": ["price:SPY"], "interval": "1"}}, 400, "bad_value"),
    ({"json": {"topics": ["price:*"]}}, 400, "bad_topic"),
    ({"json": {"topics": ["price:A", "price:B", "price:C", "price:D"]}}, 400, "too_many_topics"),
    ({"json": {}}, 400, "no_topics"),
    ({}, 400, "no_topics"),
    ({"params": {"topics": "price:SPY"}}, 400, "no_topics"),
    ({"data": {"topics": "price:SPY"}}, 415, "unsupported_media_type"),
    ({"content": b"{}", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported_media_type"),
    ({"content": GZIPPED, "headers": {"Content-Encoding": "gzip"}}, 415, "unsupported_media_type"),
    ({"content": GZIPPED}, 415, "unsupported_media_type"),
    ({"content": '{"topics": []}'.encode("utf-16")}, 415, "unsupported_media_type"),
    ({"content": b"[" * (limits.BODY_BYTES + 1)}, 413, "body_too_large"),
]


@pytest.mark.parametrize(("sent", "status", "code"), BODIES)
async def test_a_body_that_cannot_be_served_is_refused(
    sent: dict[str, Any], status: int, code: str
) -> None:
    async with (
        running_gateway(RedisSource("memory://"), max_topics_per_client=3) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        answer = await client.post("/api/stream", **sent)

    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["hint"]


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON", ""])
async def test_json_is_read_however_its_type_is_written(media_type: str) -> None:
    async with (
        running_gateway(RedisSource("memory://")) as url,
        httpx.AsyncClient(base_url=url) as client,
        client.stream(
            "POST",
            "/api/stream",
            content=json.dumps({"topics": ["price:SPY"]}),
            headers={"Content-Type": media_type},
        ) as answer,
    ):
        assert answer.status_code == 200


async def test_a_body_that_does_not_end_is_refused_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_body, "READ_SECONDS", 0.05)
    async with running_gateway(RedisSource("memory://")) as url:
        address = httpx.URL(url)
        reader, writer = await asyncio.open_connection(address.host, address.port)
        async with asyncio.timeout(LIMIT_SECONDS):
            writer.write(
                b"POST /api/stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{"
            )
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()

    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"code":"request_timeout"' in answer


async def test_parameters_of_others_are_ignored(any_source: RedisSource) -> None:
    async with (
        running_gateway(any_source) as url,
        open_stream(url, "/api/stream", topics="price:SPY", _="1", utm_source="x") as stream,
    ):
        await stream.until_kind("ready")


@pytest.mark.parametrize("name", ["", *(f"/{name}" for name in KIND_STREAMS)])
async def test_no_stream_is_open_to_who_has_no_token(name: str) -> None:
    async with (
        running_gateway(RedisSource("memory://"), api_token="right-one") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        asked = {"topics": ["price:SPY"], "symbols": ["SPY"]}
        query = {field: value[0] for field, value in asked.items()}
        answers = [
            await client.get(f"/api/stream{name}", params=query),
            await client.post(f"/api/stream{name}", json=asked),
        ]

    assert [answer.status_code for answer in answers] == [401, 401]
