"""``PATCH /api/stream/{stream_id}``: other topics for a stream, whichever gateway is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from gateway.bus import inbox
from gateway.wire.stream_id import StreamId
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from tests.event_stream import EventStream, open_stream
from tests.gateway.ingest_stub import ingest_stub
from tests.limits import LIMIT_SECONDS
from tests.services import running_gateway

ONE = {"Authorization": "Bearer one"}
OTHER = {"Authorization": "Bearer other"}


def stream_id(stream: EventStream) -> str:
    found: str = stream.of("hello")[0]["stream_id"]
    return found


async def patch(
    url: str, stream: str, headers: dict[str, str] | None = None, **body: Any
) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.patch(f"{url}/api/stream/{stream}", json=body, headers=headers or {})


@asynccontextmanager
async def two_gateways(source: RedisSource, **settings: Any) -> AsyncIterator[tuple[str, str]]:
    async with running_gateway(source, **settings) as one, running_gateway(source, **settings) as b:
        yield one, b


@pytest.mark.parametrize("asked", [0, 1], ids=["its own gateway", "another gateway"])
async def test_what_is_added_comes_with_its_value_and_what_is_removed_no_more(
    any_source: RedisSource, asked: int
) -> None:
    async with (
        ingest_stub(any_source) as ingest,
        two_gateways(any_source) as urls,
        open_stream(urls[0], symbols="SPY", interval="0") as stream,
    ):
        await stream.until_kind("ready")
        await ingest.store(1, "IBM")
        answer = await patch(
            urls[asked], stream_id(stream), add=["price:IBM@0", "trade:IBM"], remove=["price:SPY"]
        )
        await stream.until_kind("ready", 2)
        await ingest.publish(2, "SPY")
        await ingest.publish(3, "IBM")
        await stream.until(lambda s: s.of("price")[-1]["event_id"] == "1-3")

    assert answer.status_code == 200
    assert answer.json() == {
        "stream_id": stream_id(stream),
        "topics": ["status:SPY", "price:IBM", "trade:IBM"],
        "intervals": {"status:SPY": 0.0, "price:IBM": 0.0},
        "invented": [],
    }
    told = [(price["symbol"], price["event_id"]) for price in stream.of("price")]
    assert told == [("SPY", "0-0"), ("IBM", "1-1"), ("IBM", "1-3")]
    assert len(stream.of("hello")) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"add": ["price:$"]}, "bad_topic"),
        ({"remove": ["prise:SPY"]}, "bad_topic"),
        ({"added": ["price:IBM"]}, "misspelt"),
        ({"add": "price:IBM"}, "bad_value"),
        ({"add": ["trade:IBM@1"]}, "bad_value"),
        ({"add": ["price:IBM"], "interval": 61}, "bad_value"),
        ({"remove": ["price:SPY", "status:SPY"]}, "no_topics"),
        ({"add": ["price:A", "price:B", "price:C"]}, "too_many_topics"),
    ],
)
async def test_a_change_that_cannot_be_made_is_refused_and_changes_nothing(
    source: RedisSource, body: dict[str, Any], code: str
) -> None:
    async with (
        ingest_stub(source) as ingest,
        running_gateway(source, max_topics_per_client=3) as url,
        open_stream(url, symbols="SPY", interval="0") as stream,
    ):
        await stream.until_kind("ready")
        answer = await patch(url, stream_id(stream), **body)
        await ingest.publish(1)
        await stream.until(lambda s: s.of("price")[-1]["event_id"] == "1-1")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert len(stream.of("ready")) == 1


@pytest.mark.parametrize("gateway", ["nobody-1-abc", "its own"])
async def test_an_unknown_stream_is_told(source: RedisSource, gateway: str) -> None:
    async with running_gateway(source) as url, open_stream(url, symbols="SPY") as stream:
        await stream.until_kind("ready")
        own = StreamId.parse(stream_id(stream)).gateway_id
        asked = str(StreamId(own if gateway == "its own" else gateway, 2 * "0123456789ab"))
        answer = await patch(url, asked, add=["price:SPY"])

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_stream")
    assert asked in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "name", "status", "allowed"),
    [
        ("GET", "pricess", 404, ""),
        ("PATCH", "pricess", 404, ""),
        ("PATCH", "prices", 405, "GET, HEAD, POST, OPTIONS"),
        ("OPTIONS", "prices", 204, "GET, HEAD, POST, OPTIONS"),
        ("OPTIONS", "a-1-b-0123456789abcdef01234567", 204, "PATCH, OPTIONS"),
        ("GET", "a-1-b-0123456789abcdef01234567", 405, "PATCH, OPTIONS"),
    ],
)
async def test_the_path_of_a_stream_that_runs_is_no_other(
    source: RedisSource, method: str, name: str, status: int, allowed: str
) -> None:
    async with running_gateway(source) as url, httpx.AsyncClient() as client:
        answer = await client.request(method, f"{url}/api/stream/{name}")

    assert answer.status_code == status
    assert {*answer.headers.get("allow", "").split(", ")} == {*allowed.split(", ")}


async def test_a_change_of_nothing_tells_what_there_is(source: RedisSource) -> None:
    async with running_gateway(source) as url, open_stream(url, symbols="SPY") as stream:
        await stream.until_kind("ready")
        answer = await patch(url, stream_id(stream))

    assert answer.json()["topics"] == ["price:SPY", "status:SPY"]


async def test_only_who_opened_a_stream_may_change_it(source: RedisSource) -> None:
    async with (
        running_gateway(source, api_token="one,other") as url,
        open_stream(url, symbols="SPY", headers=ONE) as stream,
    ):
        await stream.until_kind("ready")
        nobody = await patch(url, stream_id(stream), add=["price:IBM"])
        other = await patch(url, stream_id(stream), OTHER, add=["price:IBM"])
        owner = await patch(url, stream_id(stream), ONE, add=["price:IBM"])

    assert [each.status_code for each in (nobody, other, owner)] == [401, 404, 200]


async def test_a_ticket_lets_a_browser_change_its_stream_to_what_the_ticket_allows(
    source: RedisSource,
) -> None:
    async def ticket(url: str) -> str:
        async with httpx.AsyncClient(headers=ONE) as client:
            answer = await client.post(
                f"{url}/api/stream/ticket", json={"topics": ["price:SPY", "price:IBM"]}
            )
        found: str = answer.json()["ticket"]
        return found

    async with (
        two_gateways(source, api_token="one") as (url, other_url),
        open_stream(url, symbols="SPY", ticket=await ticket(url)) as stream,
    ):
        await stream.until_kind("ready")
        allowed = f"{stream_id(stream)}?ticket={await ticket(url)}"
        answer = await patch(other_url, allowed, add=["price:IBM", "status:IBM"])
        again = await patch(other_url, allowed, add=["price:IBM"])
        more = f"{stream_id(stream)}?ticket={await ticket(url)}"
        refused = await patch(other_url, more, add=["price:IBM", "price:AIG"])

    assert answer.status_code == 200
    assert again.status_code == 401
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "topic_denied")
    assert "price:AIG" in refused.json()["error"]["message"]


async def test_a_ticket_neither_removes_nor_names_topics_that_it_is_not_for(
    source: RedisSource,
) -> None:
    async def ticket(url: str, *topics: str) -> str:
        async with httpx.AsyncClient(headers=ONE) as client:
            answer = await client.post(f"{url}/api/stream/ticket", json={"topics": topics})
        return f"?ticket={answer.json()['ticket']}"

    async with (
        running_gateway(source, api_token="one") as url,
        open_stream(url, symbols="SPY", headers=ONE) as stream,
    ):
        await stream.until_kind("ready")
        change = stream_id(stream) + await ticket(url, "news:*")
        emptied = await patch(url, change, add=["news:*"], remove=["price:SPY", "status:SPY"])
        added = await patch(url, change, add=["news:SPY"], remove=["news:IBM"])
        whole = await patch(url, stream_id(stream), ONE)
        removed = await patch(
            url, stream_id(stream) + await ticket(url, "price:SPY"), remove=["price:SPY"]
        )

    assert (emptied.status_code, emptied.json()["error"]["code"]) == (403, "topic_denied")
    assert "price:SPY status:SPY" in emptied.json()["error"]["message"]
    assert added.json()["topics"] == ["news:SPY"]
    assert added.json()["intervals"] == {}
    assert whole.json()["topics"] == ["price:SPY", "status:SPY", "news:SPY"]
    assert removed.json()["topics"] == ["status:SPY"]


async def test_without_redis_a_stream_of_another_gateway_cannot_be_changed(
    source: RedisSource, valkey: ValkeyServer
) -> None:
    async with (
        two_gateways(source) as (url, other_url),
        open_stream(url, symbols="SPY") as stream,
    ):
        await stream.until_kind("ready")
        await valkey.stop()
        answer = await patch(other_url, stream_id(stream), add=["price:IBM"])

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "redis_unavailable")


async def test_a_gateway_that_does_not_answer_is_not_waited_for_for_ever(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "ANSWER_SECONDS", 0.1)
    async with source.client("deaf") as client, running_gateway(source) as url:
        deaf = client.pubsub()
        await deaf.subscribe("gateway:deaf")
        async with asyncio.timeout(LIMIT_SECONDS):
            assert await deaf.get_message(timeout=None) is not None  # it listens
        answer = await patch(url, "deaf-0123456789abcdef01234567", add=["price:IBM"])
        await deaf.unsubscribe()
        await deaf.aclose()  # type: ignore[no-untyped-call]

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "redis_unavailable")
    assert "the gateway deaf did not respond" in answer.text


@pytest.mark.parametrize("packed", [b"", b"{}", b'{"type":"change"}', b"\xff"])
async def test_what_is_no_question_ends_nothing(source: RedisSource, packed: bytes) -> None:
    async with (
        source.client("stranger") as client,
        ingest_stub(source) as ingest,
        running_gateway(source) as url,
        open_stream(url, symbols="SPY", interval="0") as stream,
    ):
        await stream.until_kind("ready")
        gateway = StreamId.parse(stream_id(stream)).gateway_id
        assert await client.publish(f"gateway:{gateway}", packed) == 1
        await ingest.publish(1)
        await stream.until(lambda s: s.of("price")[-1]["event_id"] == "1-1")
