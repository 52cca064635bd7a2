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
from gateway.service import GatewayService
from gateway.settings import GatewaySettings
from shared.bus.redis_source import RedisSource
from tests.event_stream import EventStream, open_stream
from tests.gateway.ingest_stub import ingest_stub
from tests.gateway.portable import plain_server
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS
from tests.services import until


class Stoppable:
    """A gateway whose stop event the test holds."""

    def __init__(self, source: RedisSource, settings: dict[str, Any]) -> None:
        given = {"host": "127.0.0.1", "port": 0, **settings}
        self._service = GatewayService.bind(
            GatewaySettings(_env_file=None, **given),  # type: ignore[call-arg]
            source,
        )
        self.url = f"http://127.0.0.1:{self._service.port}"
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self._service.run(self.stop))

    async def ended(self) -> None:
        """Wait for its end, which it reaches by itself."""
        async with asyncio.timeout(LIMIT_SECONDS):
            await self.task


@asynccontextmanager
async def stoppable(source: RedisSource, **settings: Any) -> AsyncIterator[Stoppable]:
    gateway = Stoppable(source, settings)
    try:
        yield gateway
    finally:
        gateway.stop.set()
        await gateway.ended()


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
        writer.write(b"GET /api/stream/prices?symbols=SPY HTTP/1.1\r\nHost: x\r\n\r\n")
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


async def test_while_draining_it_is_not_ready_and_a_new_stream_is_ended(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_service, "STREAMS_ENDED_PER_SECOND", 1)
    async with (
        stoppable(source, drain_seconds=1) as gateway,
        httpx.AsyncClient(base_url=gateway.url) as client,
        open_stream(gateway.url, symbols="SPY") as stream,
    ):
        await stream.until_kind("ready")
        gateway.stop.set()
        await stream.until(lambda s: s.ended)

        ready = await client.get("/readyz")
        async with open_stream(gateway.url, symbols="SPY") as newcomer:
            await newcomer.until(lambda s: s.ended)

    assert (ready.status_code, ready.json()["reason"]) == (503, "shutting down")
    assert [event.kind for event in newcomer.events] == ["hello", "bye"]


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
