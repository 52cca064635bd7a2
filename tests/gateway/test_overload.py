"""A full gateway: new clients are asked to retry, connected ones notice nothing."""

import asyncio
import json
import signal
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from httpx_sse import aconnect_sse
from starlette.types import Message

from gateway import composition
from gateway.bus.subscriptions import StreamOpening
from gateway.http.stream_response import StreamResponse
from gateway.wire.sse import SSE
from shared.bus import keys
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from tests.event_stream import EventStream, open_stream
from tests.gateway.fakes import Bench
from tests.gateway.ingest_stub import ingest_stub
from tests.gateway.lease import subscriptions_of
from tests.gateway.portable import Run
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS
from tests.programs import Program, program, ready
from tests.services import running_gateway, until

PATH = "/api/stream/prices?symbols=SPY"
EVENT_SOURCE = {"Accept": "text/event-stream"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def from_address(address: str) -> dict[str, str]:
    """Return what a balancer on loopback says of its client."""
    return {"X-Forwarded-For": address}


async def refused(url: str, **headers: str) -> bool:
    """Request a stream as curl does; return whether it was rejected, and occupy no place."""
    async with (
        httpx.AsyncClient() as client,
        client.stream("GET", url + PATH, headers=headers) as got,
    ):
        assert got.status_code in (200, 429)
        return got.status_code == 429


async def stay(stack: AsyncExitStack, url: str, **headers: str) -> EventStream:
    """Open a stream that lasts as long as the stack."""
    stream = await stack.enter_async_context(open_stream(url, symbols="SPY", headers=headers))
    await stream.until_kind("ready")
    return stream


async def test_a_full_gateway_sends_an_event_source_away_with_a_time_to_come_back(
    any_source: RedisSource, run: Run
) -> None:
    async with (
        run(any_source, max_clients=1) as url,
        open_stream(url, symbols="SPY") as inside,
        httpx.AsyncClient() as client,
    ):
        await inside.until_kind("ready")
        answers = [await client.get(url + PATH, headers=EVENT_SOURCE) for _ in range(20)]
        async with open_stream(url, symbols="SPY") as outside:
            await outside.until(lambda s: s.ended)

    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache, no-store, no-transform"
        assert answer.headers["connection"] == "close"
    [bye] = outside.events
    assert (bye.kind, bye.data["reason"], bye.id) == ("bye", "busy", "")
    assert bye.retry == bye.data["retry_ms"]
    assert composition.BUSY_RETRY_MS[0] <= bye.data["retry_ms"] <= composition.BUSY_RETRY_MS[1]
    assert len({answer.content for answer in answers}) > 10, "they would come back together"


async def test_other_clients_are_refused_with_429(any_source: RedisSource, run: Run) -> None:
    async with (
        run(any_source, max_clients=1) as url,
        open_stream(url, symbols="SPY") as inside,
        httpx.AsyncClient() as client,
    ):
        await inside.until_kind("ready")
        answer = await client.get(url + PATH)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (429, "busy")
    assert "1 streams open" in error["message"]
    assert "MAX_CLIENTS" in error["hint"]
    assert 5 <= int(answer.headers["retry-after"]) <= 15


async def test_those_inside_go_on_and_who_leaves_makes_room(
    any_source: RedisSource, run: Run
) -> None:
    async with (
        ingest_stub(any_source) as ingest,
        run(any_source, max_clients=2) as url,
        open_stream(url, symbols="SPY", interval="0") as inside,
    ):
        await inside.until_kind("ready")
        async with open_stream(url, symbols="SPY") as second:
            await second.until_kind("ready")
            for seq in range(1, 11):
                assert await refused(url)
                await ingest.publish(seq)
            await inside.until(lambda s: s.of("price")[-1]["event_id"] == "1-10")

        async def room() -> bool:
            return not await refused(url)

        await until(room)
        assert not inside.ended


async def test_neither_a_head_nor_a_refused_request_nor_one_that_vanishes_keeps_a_place(
    any_source: RedisSource,
) -> None:
    async with (
        running_gateway(any_source, max_clients=1, api_token="right-one") as url,
        httpx.AsyncClient(headers=bearer("right-one")) as client,
    ):
        for _ in range(3):
            assert (await client.head(url + PATH)).status_code == 200
            assert (await client.get(f"{url}/api/stream/prices?symbols=$")).status_code == 400
            assert (await client.get(url + PATH, headers=bearer("wrong"))).status_code == 401
        address = httpx.URL(url)
        for _ in range(3):
            _, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            writer.transport.abort()

        async def room() -> bool:
            return not await refused(url, **bearer("right-one"))

        await until(room)


async def test_a_stream_that_cannot_begin_gives_its_place_back() -> None:
    given_back: list[bool] = []
    hub = Bench().hub
    async with RedisSource("memory://").client("test") as client:
        response = StreamResponse(
            subscriptions_of(client, hub),
            StreamOpening(
                stream_id="g-1",
                intervals={"price:SPY": 0.0},
                greeting=b"",
                encoder=SSE,
                principal="ann",
                on_end=lambda _: given_back.append(True),
            ),
        )

        async def nobody(message: Message) -> None:
            raise OSError("the peer is gone")

        async def nothing() -> Message:
            raise AssertionError("it has not begun")

        with pytest.raises(OSError, match="gone"):
            await response({"type": "http", "method": "GET"}, nothing, nobody)

    assert given_back == [True]
    assert not hub.clients


async def test_the_refused_are_counted_where_an_operator_looks(any_source: RedisSource) -> None:
    async with (
        running_gateway(any_source, max_clients=1) as url,
        httpx.AsyncClient(base_url=url) as client,
        open_stream(url, symbols="SPY") as inside,
    ):
        await inside.until_kind("ready")
        for headers in ({}, EVENT_SOURCE):
            await client.get(PATH, headers=headers)
        status = (await client.get("/api/stream/status")).json()

    assert status["busy"] == 2
    assert [gateway["busy"] for gateway in status["gateways"]] == [2]


async def test_a_ticket_is_not_spent_on_a_full_gateway(any_source: RedisSource) -> None:
    async with (
        running_gateway(any_source, max_clients=1, api_token="right-one") as url,
        httpx.AsyncClient() as client,
    ):
        async with open_stream(url, symbols="SPY", headers=bearer("right-one")) as inside:
            await inside.until_kind("ready")
            ticket = (
                await client.post(f"{url}/api/stream/ticket", headers=bearer("right-one"))
            ).json()["ticket"]
            async with open_stream(url, symbols="SPY", ticket=ticket) as outside:
                await outside.until(lambda s: s.ended)
        await _gets_in(url, ticket=ticket)


async def _gets_in(url: str, **query: Any) -> None:
    """Come back like an EventSource, with the same request, until there is room."""

    async def let_in() -> bool:
        async with open_stream(url, symbols="SPY", **query) as stream:
            await stream.until(lambda s: s.events)
            return stream.events[0].kind == "hello"

    await until(let_in)


async def test_a_full_gateway_asks_redis_about_the_ticket_of_a_newcomer_and_nothing_more(
    source: RedisSource,
) -> None:
    async with (
        source.client("test") as client,
        running_gateway(
            source, max_clients=1, max_streams_per_address=9, api_token="right-one"
        ) as url,
        httpx.AsyncClient(base_url=url, headers=bearer("right-one")) as http,
        open_stream(url, symbols="SPY", headers=bearer("right-one")) as inside,
    ):
        await inside.until_kind("ready")
        ticket = (await http.post("/api/stream/ticket")).json()["ticket"]
        counted = (await client.info("commandstats"))["cmdstat_hget"]["calls"]
        for _ in range(5):
            async with open_stream(url, symbols="SPY", ticket=ticket) as outside:
                await outside.until(lambda s: s.ended)
        commands = await client.info("commandstats")

    assert commands["cmdstat_hget"]["calls"] == counted
    assert "cmdstat_getdel" not in commands


@pytest.mark.parametrize("query", ["", "&ticket=unknown", "&ticket=" + "A" * 32])
async def test_a_stranger_neither_learns_that_a_gateway_is_full_nor_is_counted(
    any_source: RedisSource, query: str
) -> None:
    async with (
        running_gateway(any_source, max_clients=1, api_token="right-one") as url,
        httpx.AsyncClient(base_url=url) as client,
        open_stream(url, symbols="SPY", headers=bearer("right-one")) as inside,
    ):
        await inside.until_kind("ready")
        answer = await client.get(PATH + query, headers=EVENT_SOURCE)
        status = (await client.get("/api/stream/status", headers=bearer("right-one"))).json()

    assert answer.status_code == 401
    assert status["busy"] == 0


async def test_who_is_refused_by_another_limit_takes_no_place(any_source: RedisSource) -> None:
    async with (
        running_gateway(any_source, max_clients=2, max_streams_per_address=1) as url,
        open_stream(url, symbols="SPY") as inside,
    ):
        await inside.until_kind("ready")
        for _ in range(5):
            assert await refused(url)

        assert not await refused(url, **from_address("192.0.2.1"))


async def test_a_ticket_is_good_again_when_its_principal_had_no_room(
    any_source: RedisSource,
) -> None:
    settings: dict[str, Any] = {"api_token": "right-one", "max_streams_per_principal": 1}
    async with (
        running_gateway(any_source, **settings) as url,
        running_gateway(any_source, **settings) as other,
        httpx.AsyncClient() as client,
    ):
        answer = await client.post(
            f"{url}/api/stream/ticket",
            headers=bearer("right-one"),
            json={"topics": ["status:SPY"]},
        )
        ticket = answer.json()["ticket"]
        async with open_stream(url, symbols="SPY", headers=bearer("right-one")) as inside:
            await inside.until_kind("ready")
            async with open_stream(other, symbols="SPY", ticket=ticket) as outside:
                await outside.until(lambda s: s.ended)
        assert [event.kind for event in outside.events] == ["bye"]

        await _gets_in(other, ticket=ticket)


async def test_a_principal_has_so_many_streams_at_all_gateways_together(
    any_source: RedisSource,
) -> None:
    settings: dict[str, Any] = {"api_token": "one,other", "max_streams_per_principal": 2}
    async with (
        running_gateway(any_source, **settings) as url,
        running_gateway(any_source, **settings) as second,
        AsyncExitStack() as stack,
    ):
        first = await stay(stack, url, **bearer("one"))
        await stay(stack, second, **bearer("one"))
        assert await refused(url, **bearer("one"))
        assert await refused(second, **bearer("one"))
        assert not await refused(second, **bearer("other"))
        async with httpx.AsyncClient() as client:
            answer = await client.get(url + PATH, headers=bearer("one"))
    assert "MAX_STREAMS_PER_PRINCIPAL" in answer.json()["error"]["message"]
    assert first.of("hello")


async def test_an_address_has_so_many_streams_at_all_gateways_together(
    any_source: RedisSource,
) -> None:
    async with (
        running_gateway(any_source, max_streams_per_address=1) as url,
        running_gateway(any_source, max_streams_per_address=1) as other,
        AsyncExitStack() as stack,
    ):
        await stay(stack, url, **from_address("192.0.2.1"))
        assert await refused(other, **from_address("192.0.2.1"))
        assert not await refused(other, **from_address("192.0.2.2"))
        await stay(stack, other)
        assert await refused(url, **from_address("127.0.0.1"))


async def test_one_address_is_one_in_every_spelling_and_so_is_a_network_of_ipv6(
    any_source: RedisSource,
) -> None:
    async with (
        running_gateway(any_source, max_streams_per_address=1) as url,
        AsyncExitStack() as stack,
    ):
        await stay(stack, url, **from_address("2001:db8:1:2::1"))
        for other in ("2001:DB8:1:2:0:0:0:1", "[2001:db8:1:2::1]:99", "2001:db8:1:2:ffff::3"):
            assert await refused(url, **from_address(other))
        assert not await refused(url, **from_address("2001:db8:1:3::1"))
        await stay(stack, url, **from_address("192.0.2.1"))
        assert await refused(url, **from_address("::ffff:192.0.2.1"))


async def test_text_that_is_no_address_opens_no_more_streams(any_source: RedisSource) -> None:
    async with (
        running_gateway(any_source, max_streams_per_address=1) as url,
        AsyncExitStack() as stack,
    ):
        await stay(stack, url)
        for text in ("unknown", "9.9.9", "x" * 100):
            assert await refused(url, **from_address(text))


async def test_a_killed_gateway_takes_its_claims_along(valkey: ValkeyServer) -> None:
    source = RedisSource(valkey.url)
    async with (
        source.client("test") as client,
        running_gateway(source, max_streams_per_address=1) as url,
        program("gateway", PORT="0", REDIS_URL=valkey.url, MAX_STREAMS_PER_ADDRESS="1") as gateway,
    ):
        dying = await _url_of(gateway)
        await ready(dying)
        async with open_stream(dying, symbols="SPY") as stream:
            await stream.until_kind("ready")
            assert await refused(url)
            gateway.send(signal.SIGKILL)
            await stream.until(lambda s: s.ended)
        assert await refused(url)
        for key in await client.smembers(KEYSPACE.streams):  # as after 15 s with no renewal
            if await client.hlen(key) > 1:
                assert 0 < await client.pttl(key) <= keys.STREAMS_MILLISECONDS
                await client.pexpire(key, 1)

        async def room() -> bool:
            return not await refused(url)

        await until(room)


async def _url_of(gateway: Program) -> str:
    await until(lambda: "\n" in gateway.output)
    url: str = json.loads(gateway.output.splitlines()[0])["url"]
    return url


async def test_while_redis_is_away_limits_over_gateways_let_everybody_in(
    valkey: ValkeyServer,
) -> None:
    async with (
        running_gateway(RedisSource(valkey.url), max_streams_per_address=1) as url,
        AsyncExitStack() as stack,
    ):
        await stay(stack, url)
        await valkey.stop()
        for _ in range(3):
            await stay(stack, url)


async def test_a_client_that_obeys_retry_gets_in_when_there_is_room(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composition, "BUSY_RETRY_MS", (20, 60))
    reasons: list[str] = []

    async def event_source(url: str) -> None:
        """Do what the standard says: 200 or give up; at the end wait for ``retry``, again."""
        async with httpx.AsyncClient() as client:
            while True:
                retry = 3_000
                async with aconnect_sse(client, "GET", url + PATH) as source:
                    assert source.response.status_code == 200
                    async for event in source.aiter_sse():
                        if event.event == "ready":
                            return
                        if event.event == "bye":
                            reasons.append(event.json()["reason"])
                        retry = event.retry or retry
                await asyncio.sleep(retry / 1000)

    async with running_gateway(any_source, max_clients=1) as url, asyncio.timeout(LIMIT_SECONDS):
        async with open_stream(url, symbols="SPY") as inside:
            await inside.until_kind("ready")
            comes_back = asyncio.create_task(event_source(url))
            await until(lambda: len(reasons) >= 3)
        await comes_back

    assert set(reasons) == {"busy"}


@pytest.mark.slow
async def test_a_crowd_that_comes_at_once_fills_every_place_and_no_more(
    source: RedisSource,
) -> None:
    async with (
        running_gateway(source, max_clients=20, max_streams_per_address=30) as url,
        running_gateway(source, max_clients=20, max_streams_per_address=30) as other,
        AsyncExitStack() as stack,
    ):
        streams = await asyncio.gather(
            *(
                stack.enter_async_context(open_stream(gateway, symbols="SPY"))
                for gateway in (url, other)
                for _ in range(30)
            )
        )
        await asyncio.gather(*(stream.until(_knows) for stream in streams))
        inside = [stream for stream in streams if stream.of("hello")]

        assert len(inside) == 30
        async with httpx.AsyncClient() as client:
            status = (await client.get(f"{url}/api/stream/status")).json()
        assert max(gateway["clients"] for gateway in status["gateways"]) <= 20


def _knows(stream: EventStream) -> bool:
    return bool(stream.of("ready") or stream.of("bye"))
