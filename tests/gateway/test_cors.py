"""Pages of other origins: admitted by ``CORS_ORIGINS``, with readable errors."""

import httpx
import pytest

from gateway.http.cors import METHODS
from gateway.http.sinks import TransportSink
from shared.bus.redis_source import RedisSource
from tests.event_stream import open_stream
from tests.gateway.hubs import gateway_with_hub
from tests.services import running_gateway

MEMORY = "memory://"
PAGE = "https://app.example"
STREAM = "/api/stream/prices?symbols=SPY"


def _preflight(
    origin: str = PAGE, method: str = "GET", headers: str | None = None
) -> dict[str, str]:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    return asked if headers is None else {**asked, "Access-Control-Request-Headers": headers}


async def test_a_page_of_an_allowed_origin_may_read_a_stream_and_its_refusals() -> None:
    origins = f"{PAGE}, http://localhost:3000"
    async with (
        gateway_with_hub(RedisSource(MEMORY), cors_origins=origins, api_token="x") as (url, hub),
        httpx.AsyncClient(base_url=url, headers={"Origin": "http://localhost:3000"}) as client,
    ):
        refused = await client.get(STREAM)
        async with open_stream(
            url,
            symbols="SPY",
            headers={"Origin": PAGE, "Authorization": "Bearer x", "Last-Event-ID": "1-1"},
        ) as stream:
            await stream.until_kind("ready")
            [opened] = hub.clients.values()
            assert isinstance(opened.sink, TransportSink)

    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert stream.headers["access-control-allow-origin"] == PAGE
    assert stream.headers["access-control-allow-credentials"] == "true"
    assert stream.headers["access-control-expose-headers"] == "retry-after"
    assert "Origin" in stream.headers["vary"]


async def test_every_page_may_where_all_may_but_without_credentials() -> None:
    async with (
        running_gateway(RedisSource(MEMORY), cors_origins="*") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        answer = await client.get("/healthz", headers={"Origin": "https://any.example"})
        preflight = await client.options(STREAM, headers=_preflight("https://any.example"))

    for allowed in (answer, preflight):
        assert allowed.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in allowed.headers


async def test_a_browser_may_send_what_our_clients_send() -> None:
    sent = "authorization,cache-control,content-type,last-event-id"
    async with (
        running_gateway(RedisSource(MEMORY), cors_origins=PAGE, api_token="x") as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        for method in METHODS:
            allowed = await client.options(STREAM, headers=_preflight(PAGE, method, sent))
            assert allowed.status_code == 200, allowed.text
            assert allowed.headers["access-control-allow-origin"] == PAGE
            assert method in allowed.headers["access-control-allow-methods"]
            assert int(allowed.headers["access-control-max-age"]) > 600


@pytest.mark.parametrize(
    ("asked", "failure"),
    [
        (_preflight("https://app.example.evil"), "origin"),
        (_preflight("http://app.example"), "origin"),
        (_preflight("null"), "origin"),
        (_preflight(PAGE, "DELETE"), "method"),
        (_preflight(PAGE, "GET", "x-secret"), "headers"),
    ],
)
async def test_what_a_page_may_not_is_told_readably(asked: dict[str, str], failure: str) -> None:
    async with (
        running_gateway(RedisSource(MEMORY), cors_origins=PAGE) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        refused = await client.options(STREAM, headers=asked)

    assert refused.status_code == 400
    error = refused.json()["error"]
    assert error["code"] == "cors_refused"
    assert error["message"].startswith(f"Disallowed CORS {failure}")
    assert asked["Origin"] in error["message"]
    assert "CORS_ORIGINS" in error["hint"]
    if failure == "origin":
        assert "access-control-allow-origin" not in refused.headers


async def test_another_origin_is_not_named_in_an_answer() -> None:
    async with (
        running_gateway(RedisSource(MEMORY), cors_origins=PAGE) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        answer = await client.get("/healthz", headers={"Origin": "https://other.example"})

    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["vary"] == "Origin"


async def test_without_the_setting_nothing_is_said_of_origins() -> None:
    async with (
        running_gateway(RedisSource(MEMORY)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        answers = [
            await client.get("/healthz", headers={"Origin": PAGE}),
            await client.options("/healthz", headers=_preflight()),
        ]

    assert [answer.status_code for answer in answers] == [200, 204]
    for answer in answers:
        assert not any(name.startswith("access-control") for name in answer.headers)
