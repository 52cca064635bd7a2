"""Everything that is answered once: prices, status, health; and Starlette's own client."""

import asyncio

import httpx
import pytest
from starlette.testclient import TestClient

from gateway.bus.redis_clients import gateway_redis_clients
from gateway.composition import Surroundings, compose, compose_app
from gateway.http.open_files import OpenFiles
from gateway.settings import GatewaySettings
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from tests.event_stream import open_stream
from tests.gateway.ingest_stub import ingest_stub
from tests.limits import LIMIT_SECONDS
from tests.services import running_gateway, until


async def _ready(client: httpx.AsyncClient, status: int = 200) -> httpx.Response:
    async def answers() -> bool:
        return (await client.get("/readyz")).status_code == status

    await until(answers)
    return await client.get("/readyz")


async def test_prices_are_the_stored_values_as_they_are(any_source: RedisSource) -> None:
    async with (
        ingest_stub(any_source) as ingest,
        running_gateway(any_source) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        await ingest.store(7, "SPY")
        answer = await client.get("/api/prices?symbols=spy,IBM")

    prices = answer.json()["prices"]
    assert list(prices) == ["SPY", "IBM"]
    assert (prices["SPY"]["event_id"], prices["SPY"]["price"]) == ("1-7", 0.07)
    assert (prices["IBM"]["price"], prices["IBM"]["reason"]) == (None, "no_trade_seen")


async def test_symbols_given_several_times_are_one_list(any_source: RedisSource) -> None:
    async with running_gateway(any_source) as url, httpx.AsyncClient(base_url=url) as client:
        answer = await client.get("/api/prices?symbols=SPY&symbols=IBM,BAC")

    assert list(answer.json()["prices"]) == ["SPY", "IBM", "BAC"]


async def test_status_has_the_fields_of_the_contract(any_source: RedisSource) -> None:
    async with (
        ingest_stub(any_source) as ingest,
        running_gateway(any_source) as url,
        httpx.AsyncClient(base_url=url) as client,
        open_stream(url, symbols="SPY") as stream,
    ):
        await ingest.report(3)
        await stream.until(lambda s: s.of("feed") and s.of("feed")[-1]["state"] == "live")
        status = (await client.get("/api/stream/status")).json()

    assert set(status) == {
        "alpaca_connected",
        "active_symbols",
        "stream_count",
        "session",
        "clients",
        "busy",
        "unauthorized",
        "feed",
        "ingest",
        "discrepancy",
        "gateways",
        "redis",
    }
    assert status["alpaca_connected"] is True
    assert status["active_symbols"] == ["IBM", "SPY"]
    assert status["stream_count"] == 2
    assert (status["session"], status["clients"]) == ("regular", 1)
    assert status["redis"] == {"connected": True, "error": None}
    assert status["feed"]["state"] == "live"
    assert status["ingest"]["event_id"] == "1-3"
    assert status["discrepancy"] is None
    [gateway] = status["gateways"]
    assert (gateway["clients"], gateway["topics"], gateway["stalled"]) == (1, 2, 0)


async def test_status_adds_up_all_gateways(any_source: RedisSource) -> None:
    async with (
        running_gateway(any_source) as url,
        running_gateway(any_source) as other,
        httpx.AsyncClient() as client,
    ):

        async def both() -> bool:
            status = (await client.get(f"{other}/api/stream/status")).json()
            return len(status["gateways"]) == 2

        await until(both)
        async with open_stream(other, symbols="SPY") as stream:
            await stream.until_kind("ready")
            status = (await client.get(f"{other}/api/stream/status")).json()

    assert status["clients"] == 1
    assert status["alpaca_connected"] is False
    assert url != other


async def test_without_redis_status_still_answers_and_says_so(valkey: ValkeyServer) -> None:
    async with (
        running_gateway(RedisSource(valkey.url)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        await valkey.stop()
        answer = await client.get("/api/stream/status")

    assert answer.status_code == 200
    assert answer.json()["redis"]["connected"] is False
    assert answer.json()["redis"]["error"]
    assert (answer.json()["alpaca_connected"], answer.json()["stream_count"]) == (False, 0)


async def test_alive_says_nothing_of_redis_but_ready_does(valkey: ValkeyServer) -> None:
    async with (
        running_gateway(RedisSource(valkey.url)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        ready = await _ready(client)
        await valkey.stop()
        unready = await _ready(client, 503)
        alive = await client.get("/healthz")

    # A missing ingest is missing at every gateway.
    assert ready.json() == {
        "ready": True,
        "reason": "ingest_lost: no ingest reports",
        "feed_state": "down",
    }
    assert unready.json()["ready"] is False
    assert unready.json()["reason"].startswith("redis_unavailable")
    assert alive.json() == {"alive": True}


async def test_after_an_answer_the_same_connection_can_open_a_stream(
    any_source: RedisSource,
) -> None:
    async with running_gateway(any_source) as url:
        address = httpx.URL(url)
        reader, writer = await asyncio.open_connection(address.host, address.port)
        async with asyncio.timeout(LIMIT_SECONDS):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b'{"alive":true}')
            writer.write(b"GET /api/stream/prices?symbols=SPY HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"event: ready")
        writer.close()
        await writer.wait_closed()

    assert head.startswith(b"HTTP/1.1 200")


@pytest.mark.slow
@pytest.mark.parametrize("symbols", ["SPY", "SPY,IBM"])
def test_starlettes_test_client_reads_a_stream(symbols: str) -> None:
    """It offers neither a transport nor a socket: the portable path alone."""

    async def application(scope: object, receive: object, send: object) -> None:
        settings = GatewaySettings(_env_file=None)  # type: ignore[call-arg]
        around = Surroundings()
        async with gateway_redis_clients(RedisSource("memory://")) as redis:
            gateway = compose(settings, redis, around, OpenFiles(1_000, 100, around.clock))
            topics = [f"price:{symbol}" for symbol in symbols.split(",")]
            for channel in gateway.hub.watch(dict.fromkeys(topics, 0.0)):
                channel.loaded.set()
            app = compose_app(settings, redis, gateway, around)
            await app(scope, receive, send)  # type: ignore[arg-type]

    with TestClient(application, "http://localhost").stream(
        "GET", f"/api/stream/prices?symbols={symbols}"
    ) as answer:
        received = b""
        for piece in answer.iter_bytes():
            received += piece
            if b"event: ready" in received:
                break

    assert answer.status_code == 200
    assert received.startswith(b"event: hello\nretry: ")
    assert received.count(b"event: price") == len(symbols.split(","))
