"""The end of a gateway: all clients are notified, nothing is cut, interest is released."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest

from gateway import service as gateway_service
from gateway.bus import subscriptions
from gateway.composition import RETRY_MS
from shared.bus.redis_source import RedisSource
from tests.event_stream import EventStream, open_stream
from tests.gateway.hubs import gateway_with_hub
from tests.gateway.ingest_stub import ingest_stub
from tests.gateway.portable import plain_server
from tests.gateway.stoppable import Stoppable, stoppable
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS
from tests.services import running_gateway, until


@asynccontextmanager
async def stoppable_portably(source: RedisSource, **settings: Any) -> AsyncIterator[Stoppable]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway_service, "make_server", plain_server)
        async with stoppable(source, **settings) as gateway:
            yield gateway


Run = Callable[..., AbstractAsyncContextManager[Stoppable]]


@pytest.mark.parametrize("start", [stoppable, stoppable_portably], ids=["transport", "portable"])
async def test_every_stream_gets_a_bye_and_ends_properly(
    any_source: RedisSource, start: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async with start(any_source) as gateway:
        address = httpx.URL(gateway.url)
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"GET /api/stream/prices?symbols=SPY HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with (
            asyncio.timeout(LIMIT_SECONDS),
            open_stream(gateway.url, symbols="SPY,IBM") as stream,
        ):
            await stream.until_kind("ready")
            await reader.readuntil(b"event: ready")
            gateway.stop.set()
            await stream.until(lambda s: s.ended)
            rest = await reader.read()
            await gateway.ended()
        writer.close()
        await writer.wait_closed()

    bye = stream.events[-1]
    assert bye.kind == "bye"
    assert bye.data["reason"] == "shutdown"
    assert RETRY_MS[0] <= bye.data["retry_ms"] <= RETRY_MS[1]
    assert bye.retry == bye.data["retry_ms"]
    assert rest.count(b"event: bye") == 1
    assert rest.endswith(b"}\n\n\r\n0\r\n\r\n")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.slow
async def test_many_streams_are_ended_one_after_another_each_with_its_own_retry_time(
    source: RedisSource,
) -> None:
    async with stoppable(source) as gateway:
        streams: list[EventStream] = []
        async with asyncio.TaskGroup() as tasks:
            readers = [tasks.create_task(_read_to_the_end(gateway.url, streams)) for _ in range(30)]
            await until(lambda: len(streams) == 30)
            gateway.stop.set()
        assert all(reader.done() for reader in readers)

    byes = [stream.of("bye")[0] for stream in streams]
    assert {bye["reason"] for bye in byes} == {"shutdown"}
    assert len({bye["retry_ms"] for bye in byes}) > 15


async def _read_to_the_end(url: str, streams: list[EventStream]) -> None:
    async with open_stream(url, symbols="SPY") as stream:
        await stream.until_kind("ready")
        streams.append(stream)
        await stream.until(lambda s: s.ended)


async def test_a_lame_duck_without_streams_is_reachable_for_its_time(source: RedisSource) -> None:
    loop = asyncio.get_running_loop()
    async with stoppable(source, lame_duck_seconds=0.2) as gateway:
        async with httpx.AsyncClient(base_url=gateway.url) as client:
            await client.get("/healthz")
            stopped = loop.time()
            gateway.stop.set()
            ready = await client.get("/readyz")
        await gateway.ended()
        assert loop.time() - stopped >= 0.2

    assert (ready.status_code, ready.json()["reason"]) == (503, "shutting down")


async def test_the_streams_of_a_lame_duck_continue_and_newcomers_are_sent_to_another(
    source: RedisSource,
) -> None:
    async with (
        ingest_stub(source) as ingest,
        gateway_with_hub(source) as (url, hub),
        open_stream(url, symbols="SPY", interval="0") as stream,
    ):
        await stream.until_kind("ready")
        hub.drain()
        async with open_stream(url, symbols="SPY") as newcomer:
            await newcomer.until(lambda s: s.ended)
        await ingest.publish(1)
        await stream.until(lambda s: s.of("price")[-1]["event_id"] == "1-1")

    [bye] = newcomer.events
    assert (bye.kind, bye.data["reason"]) == ("bye", "shutdown")
    assert bye.retry == bye.data["retry_ms"]


async def test_a_ticket_that_meets_a_lame_duck_opens_a_stream_at_the_next_gateway(
    source: RedisSource,
) -> None:
    token = {"Authorization": "Bearer T"}
    async with (
        gateway_with_hub(source, api_token="T") as (url, hub),
        running_gateway(source, api_token="T") as next_url,
        httpx.AsyncClient(base_url=url, headers=token) as client,
    ):
        hub.drain()
        ticket = (await client.post("/api/stream/ticket")).json()["ticket"]
        async with open_stream(url, symbols="SPY", ticket=ticket) as rejected:
            await rejected.until(lambda s: s.ended)
        async with open_stream(next_url, symbols="SPY", ticket=ticket) as stream:
            await stream.until_kind("ready")

    assert [event.kind for event in rejected.events] == ["bye"]


async def test_a_lame_duck_answers_other_requests_and_keeps_no_connection_for_the_next(
    any_source: RedisSource,
) -> None:
    async with (
        gateway_with_hub(any_source) as (url, hub),
        httpx.AsyncClient(base_url=url) as client,
    ):
        before = await client.get("/api/prices?symbols=SPY")
        hub.drain()
        after = [
            await client.get("/api/prices?symbols=SPY"),
            await client.post("/api/stream/ticket"),
            await client.get("/api/stream/prices?symbols=SPY"),
            await client.get("/nowhere"),
        ]

    assert "connection" not in before.headers
    assert [answer.status_code for answer in after] == [200, 201, 200, 404]
    assert [answer.headers.get_list("connection") for answer in after] == [["close"]] * 4


async def test_a_stream_that_waits_for_redis_is_ended_as_well(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "SNAPSHOT_SECONDS", 600.0)
    async with (
        stoppable(RedisSource("redis://127.0.0.1:1")) as gateway,
        open_stream(gateway.url, symbols="SPY") as stream,
    ):
        await stream.until_kind("hello")
        gateway.stop.set()
        await stream.until(lambda s: s.ended)

    assert [event.kind for event in stream.events] == ["hello", "bye"]
    assert "Cancel" not in caplog.text


async def test_a_value_that_was_waiting_comes_before_the_bye(source: RedisSource) -> None:
    async with (
        ingest_stub(source) as ingest,
        stoppable(source) as gateway,
        open_stream(gateway.url, symbols="SPY", interval="0") as stream,
    ):
        await stream.until_kind("ready")
        await ingest.publish(1)
        await stream.until(lambda s: s.of("price")[-1]["event_id"] == "1-1")
        gateway.stop.set()
        await stream.until(lambda s: s.ended)

    assert [event.kind for event in stream.events].index("bye") == len(stream.events) - 1


async def test_interest_is_released_at_the_end(any_source: RedisSource) -> None:
    async with (
        any_source.client("test") as client,
        stoppable(any_source) as gateway,
    ):
        async with open_stream(gateway.url, symbols="SPY") as stream:
            await stream.until_kind("ready")

            async def claimed() -> bool:
                return await client.hlen(KEYSPACE.interest) == 2

            await until(claimed)
        gateway.stop.set()
        await gateway.ended()

        assert await client.hlen(KEYSPACE.interest) == 0
