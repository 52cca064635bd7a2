"""Rejected requests: status, code, the value by name, and the remedy."""

import asyncio
from typing import Any

import httpx
import pytest

from shared.bus.redis_source import RedisSource
from tests.services import running_gateway

MEMORY = "memory://"

BAD_QUERIES = [
    ("/api/stream/prices", "no_symbols", "no symbols were requested"),
    ("/api/stream/prices?symbols=", "no_symbols", "no symbols were requested"),
    ("/api/stream/prices?symbols=%20", "no_symbols", "no symbols were requested"),
    ("/api/stream/prices?symbols=SPY,,IBM", "bad_symbol", "an empty symbol"),
    ("/api/stream/prices?symbols=SPY,", "bad_symbol", "an empty symbol"),
    ("/api/stream/prices?symbols=SPY,1BM", "bad_symbol", "'1BM'"),
    ("/api/stream/prices?symbols=BTC/US", "bad_symbol", "'BTC/US'"),
    ("/api/stream/prices?symbols=SPY%0Aid:9", "bad_symbol", r"'SPY\nid:9'"),
    ("/api/stream/prices?symbols=stra%C3%9Fe", "bad_symbol", "'straße'"),
    ("/api/stream/prices?symbols=A,B,C,D", "too_many_symbols", "4 symbols were requested"),
    ("/api/stream/prices?symbols=SPY&interval=", "bad_value", "interval='': "),
    ("/api/stream/prices?symbols=SPY&interval=fast", "bad_value", "interval='fast': "),
    ("/api/stream/prices?symbols=SPY&interval=-1", "bad_value", "interval=-1: "),
    ("/api/stream/prices?symbols=SPY&interval=61", "bad_value", "interval=61: "),
    ("/api/stream/prices?symbols=SPY&interval=nan", "bad_value", "interval=nan: "),
    ("/api/stream/prices?symbols=SPY&interval=inf", "bad_value", "interval=inf: "),
    ("/api/prices", "no_symbols", "no symbols were requested"),
    ("/api/prices?symbols=A,B,C,D", "too_many_symbols", "4 symbols were requested"),
    ("/api/prices?symbols=BTC/US", "bad_symbol", "'BTC/US'"),
    ("/api/prices?symbol=SPY", "misspelt", "there is no 'symbol'"),
    ("/api/stream", "no_topics", "no topics were requested"),
    ("/api/stream?topics=feed:SPY", "bad_topic", "'feed:SPY'"),
    ("/api/stream/trades?symbols=*", "bad_symbol", "'*'"),
    ("/api/stream/bars?symbols=SPY&timeframe=2Hour", "bad_value", "'2Hour'"),
    ("/api/stream/news?last_event_id=x", "bad_value", "last_event_id: 'x'"),
    ("/api/bars", "no_symbols", "no symbols were requested"),
    ("/api/bars?symbols=SPY&limit=0", "bad_value", "limit=0"),
    ("/api/bars?symbols=SPY&timeframe=1Min,1Day", "bad_value", "timeframe='1Min,1Day'"),
]

WRONG_TOKENS: list[bytes | None] = [
    None,
    b"",
    b"Bearer",
    b"Bearer wrong",
    b"Bearer right-one ,old-one",
    b"Bearer right",
    b"Bearer right-onee",
    b"Basic cmlnaHQtb25lOg==",
    b"right-one",
    b"Bearer \xff\xfe",
    b"Bearer t\xc3\xb6ken-",
    b"Bearer right-one\xa0",
    b"Bearer \x85right-one",
]

RIGHT_TOKENS = [
    b"Bearer right-one",
    b"bearer old-one",
    b"Bearer  right-one",
    "Bearer töken".encode(),
]

WRONG_METHODS = [
    ("PUT", "/api/stream/prices?symbols=SPY", {"GET", "HEAD", "POST"}),
    ("DELETE", "/api/stream", {"GET", "HEAD", "POST"}),
    ("POST", "/api/bars", {"GET", "HEAD"}),
    ("DELETE", "/api/prices", {"GET", "HEAD"}),
    ("GET", "/api/stream/ticket", {"POST"}),
    ("PUT", "/healthz", {"GET", "HEAD"}),
]


def _error(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    [error] = answer.json().values()
    assert set(error) == {"code", "message", "hint"}
    assert error["code"] == code
    assert error["hint"]
    return dict(error)


async def test_a_bad_query_is_refused_by_the_value_that_is_wrong() -> None:
    async with (
        running_gateway(RedisSource(MEMORY), max_topics_per_client=3) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        for path, code, says in BAD_QUERIES:
            error = _error(await client.get(path), 400, code)
            assert says in error["message"], path


async def test_an_unknown_path_is_named() -> None:
    async with (
        running_gateway(RedisSource(MEMORY)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        for path in ("/nowhere", "/api", "/api/stream/x", "/assets/x.js", "/assets/..%2Fapp.py"):
            error = _error(await client.get(path), 404, "unknown_path")
            assert error["message"].startswith("GET /")


async def test_a_wrong_method_is_told_the_right_one() -> None:
    async with (
        running_gateway(RedisSource(MEMORY)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        for method, path, allowed in WRONG_METHODS:
            answer = await client.request(method, path)
            assert _error(answer, 405, "wrong_method")["message"].startswith(method)
            assert set(answer.headers["allow"].split(", ")) == {*allowed, "OPTIONS"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/stream/prices?symbols=SPY"),
        ("GET", "/api/stream/status"),
        ("GET", "/api/prices?symbols=SPY"),
        ("GET", "/api/bars?symbols=SPY"),
        ("POST", "/api/stream/ticket"),
    ],
)
async def test_without_the_right_token_nothing_is_served(method: str, path: str) -> None:
    async with (
        running_gateway(RedisSource(MEMORY), api_token="right-one,töken") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        for token in WRONG_TOKENS:
            headers = {} if token is None else {b"Authorization": token}
            answer = await client.request(method, path, headers=headers)
            error = _error(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "right-one" not in answer.text
            assert "Authorization: Bearer" in error["hint"]


@pytest.mark.parametrize("tokens", [("right-one", "wrong"), ("wrong", "right-one")])
async def test_of_two_tokens_none_lets_in(tokens: tuple[str, str]) -> None:
    async with (
        running_gateway(RedisSource(MEMORY), api_token="right-one") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        sent = [("Authorization", f"Bearer {token}") for token in tokens]
        for path in ("/api/prices?symbols=SPY", "/api/stream/prices?symbols=SPY"):
            error = _error(await client.get(path, headers=sent), 401, "unauthorized")
            assert "more than one" in error["message"]


async def test_each_of_several_tokens_lets_in() -> None:
    async with (
        running_gateway(RedisSource(MEMORY), api_token="old-one, right-one, töken") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        for sent in RIGHT_TOKENS:
            headers = {b"Authorization": sent}
            answer = await client.get("/api/prices?symbols=SPY", headers=headers)
            assert answer.status_code == 200, sent


async def test_a_platforms_health_checks_need_no_token() -> None:
    async with (
        running_gateway(RedisSource(MEMORY), api_token="right-one") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        statuses = [(await client.get(path)).status_code for path in ("/healthz", "/")]
        ready = await client.get("/readyz")

    assert statuses == [200, 200]
    assert ready.status_code in (200, 503)


async def test_what_is_no_http_is_refused_and_harms_nobody() -> None:
    async with running_gateway(RedisSource(MEMORY)) as url:
        address = httpx.URL(url)
        for garbage in (
            b"\x16\x03\x01\x00\xa5",
            b"GET\r\n\r\n",
            b"\r\n\r\n\r\n",
            b"PRI * HTTP/2.0",
        ):
            _, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(garbage)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{url}/healthz")).json() == {"alive": True}
