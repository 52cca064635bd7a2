"""Tickets: how a browser's EventSource, which sends no header, is let in."""

import asyncio
import gzip
import hashlib
import json
from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.api_error import ApiError
from gateway.http.tickets import topics_of
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from tests.event_stream import open_stream
from tests.services import running_gateway

GUESSED = "A" * 32
TOKEN = {"Authorization": "Bearer right-one"}


async def _issue(url: str, *topics: str) -> str:
    body = {"topics": topics} if topics else None
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{url}/api/stream/ticket", headers=TOKEN, json=body)
    assert answer.status_code == 201
    assert answer.json()["expires_in"] == 30
    ticket: str = answer.json()["ticket"]
    return ticket


async def _status(url: str, **query: str) -> int:
    async with (
        httpx.AsyncClient() as client,
        client.stream("GET", f"{url}/api/stream/prices", params={"symbols": "SPY", **query}) as got,
    ):
        return got.status_code


async def test_a_ticket_opens_one_stream_and_no_second(any_source: RedisSource) -> None:
    async with running_gateway(any_source, api_token="right-one") as url:
        ticket = await _issue(url)
        async with open_stream(url, symbols="SPY", ticket=ticket) as stream:
            await stream.until_kind("ready")

        assert await _status(url, ticket=ticket) == 401


async def test_any_gateway_accepts_it(any_source: RedisSource) -> None:
    async with (
        running_gateway(any_source, api_token="right-one") as url,
        running_gateway(any_source, api_token="right-one") as other,
    ):
        assert await _status(other, ticket=await _issue(url)) == 200


@pytest.mark.slow
async def test_a_ticket_sent_many_times_at_once_to_two_gateways_opens_one_stream(
    source: RedisSource,
) -> None:
    async with (
        running_gateway(source, api_token="right-one") as url,
        running_gateway(source, api_token="right-one") as other,
    ):
        for _ in range(5):
            ticket = await _issue(url)
            statuses = await asyncio.gather(
                *(_status(gateway, ticket=ticket) for gateway in (url, other) for _ in range(4))
            )
            assert sorted(statuses) == [200, *[401] * 7]


async def test_a_ticket_opens_the_topics_that_it_is_for_and_names_the_others(
    any_source: RedisSource,
) -> None:
    async with running_gateway(any_source, api_token="right-one") as url:
        ticket = await _issue(url, "price:spy", "status:IBM", "news:*")
        async with open_stream(url, symbols="SPY,IBM,BAC", ticket=ticket) as stream:
            await stream.until_kind("ready")

    [hello] = stream.of("hello")
    assert hello["topics"] == ["price:SPY", "status:SPY", "status:IBM"]
    assert hello["denied"] == ["price:IBM", "price:BAC", "status:BAC"]
    assert {price["symbol"] for price in stream.of("price")} == {"SPY"}


async def test_a_ticket_of_which_nothing_is_asked_for_opens_nothing(
    any_source: RedisSource,
) -> None:
    async with (
        running_gateway(any_source, api_token="right-one") as url,
        httpx.AsyncClient() as client,
    ):
        ticket = await _issue(url, "quote:SPY", "price:IBM")
        answer = await client.get(f"{url}/api/stream/prices?symbols=SPY&ticket={ticket}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "topic_denied")
    assert "price:SPY status:SPY" in answer.json()["error"]["message"]


@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "text/plain"])
async def test_an_empty_body_may_have_any_type(media_type: str) -> None:
    headers = {**TOKEN, "Content-Type": media_type}
    async with (
        running_gateway(RedisSource("memory://"), api_token="right-one") as url,
        httpx.AsyncClient(base_url=url, headers=headers) as client,
    ):
        answer = await client.post("/api/stream/ticket", content=b"")

    assert answer.status_code == 201


async def test_a_byte_order_mark_before_the_json_is_ignored() -> None:
    async with (
        running_gateway(RedisSource("memory://"), api_token="right-one") as url,
        httpx.AsyncClient(base_url=url, headers=TOKEN) as client,
    ):
        body = '{"topics": ["price:SPY"]}'.encode("utf-8-sig")
        answer = await client.post("/api/stream/ticket", content=body)

    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("encoding", "body", "says"),
    [
        ("gzip", gzip.compress(b"{}", mtime=0), "'gzip'"),
        ("br", b"{}", "'br'"),
        ("", gzip.compress(b"{}", mtime=0), "compressed with gzip"),
        ("", "{}".encode("utf-16"), "in UTF-16"),
    ],
)
async def test_a_body_in_another_encoding_is_rejected_by_its_name(
    encoding: str, body: bytes, says: str
) -> None:
    async with (
        running_gateway(RedisSource("memory://"), api_token="right-one") as url,
        httpx.AsyncClient(base_url=url, headers=TOKEN) as client,
    ):
        headers = {"Content-Encoding": encoding}
        answer = await client.post("/api/stream/ticket", headers=headers, content=body)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (415, "unsupported_media_type")
    assert says in error["message"]


BAD_BODIES = [
    ("{", "bad_body", "truncated"),
    ("SPY", "bad_body", "malformed"),
    ("[]", "bad_body", "not a JSON object"),
    ('{"topics": "price:SPY"}', "bad_value", 'topics="price:SPY"'),
    ('{"topics": null}', "bad_value", "topics=null"),
    ('{"topics": ["price:SPY", 7]}', "bad_value", 'topics=["price:SPY", 7]'),
    ('{"topic": ["price:SPY"]}', "misspelt", "'topic'"),
    ('{"symbols": ["SPY"]}', "misspelt", "'symbols'"),
    ('{"topics": []}', "no_topics", "topics is empty"),
    ('{"topics": ["spot:SPY"]}', "bad_topic", "'spot:SPY'"),
    ('{"topics": ["SPY"]}', "bad_topic", "'SPY'"),
    ('{"topics": ["price:SPY", "price:1BM"]}', "bad_topic", "'price:1BM'"),
    ('{"topics": ["price:SPY@1"]}', "bad_topic", "'price:SPY@1'"),
    ('{"topics": ["price:*"]}', "bad_topic", "'price:*'"),
    ('{"topics": ["price:A", "price:B", "price:C", "price:D"]}', "too_many_topics", "4 topics"),
]


@pytest.mark.parametrize(("body", "code", "says"), BAD_BODIES)
async def test_a_ticket_is_refused_by_the_value_that_is_wrong(
    body: str, code: str, says: str
) -> None:
    async with (
        running_gateway(
            RedisSource("memory://"), api_token="right-one", max_topics_per_client=3
        ) as url,
        httpx.AsyncClient() as client,
    ):
        answer = await client.post(f"{url}/api/stream/ticket", headers=TOKEN, content=body)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, code)
    assert says in error["message"]
    assert error["hint"]


@pytest.mark.parametrize("body", ["", "{}"])
async def test_a_ticket_that_names_no_topics_opens_whatever_the_token_may_watch(
    any_source: RedisSource, body: str
) -> None:
    async with (
        running_gateway(any_source, api_token="right-one") as url,
        httpx.AsyncClient() as client,
    ):
        answer = await client.post(f"{url}/api/stream/ticket", headers=TOKEN, content=body)
        ticket = answer.json()["ticket"]
        async with open_stream(url, symbols="SPY", ticket=ticket) as stream:
            [hello] = await stream.until_kind("hello")

    assert (hello["topics"], hello["denied"]) == (["price:SPY", "status:SPY"], [])


@given(
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.just("topics") | st.text(), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_the_body_is_it_is_understood_or_refused(body: bytes) -> None:
    with suppress(ApiError):
        topics = topics_of(body, 10)
        assert topics is None or len(topics) > 0


@pytest.mark.parametrize("body", [b'{"topics":' + b"[" * 100_000, b'{"topics":["\xff"]}'])
def test_a_body_that_is_made_to_break_the_decoder_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError, match="the body is not a JSON object"):
        topics_of(body, 10)


async def test_a_ticket_that_another_version_stored_is_unknown(any_source: RedisSource) -> None:
    async with (
        running_gateway(any_source, api_token="right-one") as url,
        any_source.client("test") as client,
    ):
        ticket = await _issue(url)
        [key] = [key async for key in client.scan_iter(match="ticket:*")]
        await client.set(key, b"{}")

        assert await _status(url, ticket=ticket) == 401


async def test_neither_a_mistake_nor_a_head_costs_the_ticket(any_source: RedisSource) -> None:
    async with running_gateway(any_source, api_token="right-one") as url:
        ticket = await _issue(url, "price:SPY", "status:SPY")

        assert await _status(url, ticket=ticket, symbols="$$$") == 400
        assert await _status(url, ticket=ticket, symbols="IBM") == 403
        async with httpx.AsyncClient() as client:
            posted = f"{url}/api/stream/prices?ticket={ticket}"
            assert (await client.post(posted, content=b"{")).status_code == 400
            head = await client.head(f"{url}/api/stream/prices?symbols=SPY&ticket={ticket}")
        assert head.status_code == 200
        assert await _status(url, ticket=ticket) == 200


@pytest.mark.parametrize("ticket", ["", "unknown", GUESSED, "a" * 5000, "\x00", "*"])
async def test_an_unknown_ticket_is_refused(any_source: RedisSource, ticket: str) -> None:
    async with running_gateway(any_source, api_token="right-one") as url:
        assert await _status(url, ticket=ticket) == 401


async def test_the_token_does_without_a_ticket(any_source: RedisSource) -> None:
    async with (
        running_gateway(any_source, api_token="right-one") as url,
        open_stream(url, symbols="SPY", ticket="stale", headers=TOKEN) as stream,
    ):
        await stream.until_kind("ready")


async def test_a_ticket_opens_nothing_but_streams(any_source: RedisSource) -> None:
    async with (
        running_gateway(any_source, api_token="right-one") as url,
        httpx.AsyncClient() as client,
    ):
        ticket = await _issue(url)
        answer = await client.get(f"{url}/api/prices?symbols=SPY&ticket={ticket}")

    assert answer.status_code == 401


async def test_only_its_hash_is_stored_and_not_for_long(any_source: RedisSource) -> None:
    async with (
        running_gateway(any_source, api_token="right-one") as url,
        any_source.client("test") as client,
    ):
        ticket = await _issue(url)
        [key] = [key async for key in client.scan_iter(match="ticket:*")]
        value, life = await client.get(key), await client.ttl(key)

    assert key == b"ticket:" + hashlib.sha256(ticket.encode()).hexdigest().encode()
    assert ticket.encode() not in (value or b"")
    assert json.loads(value or b"") == {
        "principal": hashlib.sha256(b"right-one").hexdigest()[:12],
        "topics": None,
        "scopes": None,
    }
    assert 0 < life <= 30


@pytest.mark.slow
async def test_no_two_tickets_are_alike(source: RedisSource) -> None:
    async with running_gateway(source, api_token="right-one") as url:
        tickets = {await _issue(url) for _ in range(20)}

    assert len(tickets) == 20
    assert all(len(ticket) >= 32 for ticket in tickets)


async def test_without_redis_a_ticket_is_not_refused_but_postponed(valkey: ValkeyServer) -> None:
    async with (
        running_gateway(RedisSource(valkey.url), api_token="right-one") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        ticket = await _issue(url)
        await valkey.stop()
        answers = [
            await client.post("/api/stream/ticket", headers=TOKEN),
            await client.get(f"/api/stream/prices?symbols=SPY&ticket={ticket}"),
            await client.get("/api/prices?symbols=SPY", headers=TOKEN),
        ]

    for answer in answers:
        assert answer.status_code == 503, answer.text
        assert answer.json()["error"]["code"] == "redis_unavailable"
        assert int(answer.headers["retry-after"]) >= 1


async def test_a_sender_that_has_proved_nothing_does_not_learn_where_redis_is() -> None:
    unreachable = RedisSource("redis://127.0.0.1:1")
    async with (
        running_gateway(unreachable, api_token="right-one") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        answer = await client.get(f"/api/stream/prices?symbols=SPY&ticket={GUESSED}")

    assert answer.status_code == 503
    assert "127.0.0.1" not in answer.text


@pytest.mark.parametrize("ticket", ["x", "", GUESSED[1:], GUESSED + "A", GUESSED[1:] + "."])
async def test_a_ticket_of_an_impossible_form_is_rejected_before_redis_is_asked(
    ticket: str,
) -> None:
    # A ticket that Redis is asked about gets 503 here.
    async with running_gateway(RedisSource("redis://127.0.0.1:1"), api_token="right-one") as url:
        assert await _status(url, ticket=ticket) == 401


async def test_without_a_token_set_a_ticket_is_not_asked_for(any_source: RedisSource) -> None:
    async with running_gateway(any_source) as url:
        assert await _status(url) == 200
        assert await _status(url, ticket="unknown") == 200
