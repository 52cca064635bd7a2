import asyncio
import os
import signal
from typing import Any

import pytest
from msgspec.structs import replace

from shared import ingest_status
from shared.alarm import Alarm
from shared.bus import redis_source
from shared.bus.errors import REDIS_ERRORS
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.event_id import EventId
from shared.ingest_status import StreamStatus
from tests.ingest_report import healthy
from tests.limits import LIMIT_SECONDS


async def test_clients_of_one_source_see_the_same_values(any_source: RedisSource) -> None:
    async with any_source.client("one") as one, any_source.client("other") as other:
        await one.set("price:SPY", b"1")

        assert await other.get("price:SPY") == b"1"


async def test_a_message_reaches_a_subscriber_as_bytes(any_source: RedisSource) -> None:
    async with (
        any_source.client("reader", subscriber=True) as reader,
        any_source.client("writer") as writer,
    ):
        pubsub = reader.pubsub()
        await pubsub.subscribe("price:SPY")
        async with asyncio.timeout(LIMIT_SECONDS):
            confirmed = await pubsub.get_message(timeout=None)
            await writer.publish("price:SPY", b"1-1\n{}")
            received = await pubsub.get_message(timeout=None)
        await pubsub.unsubscribe()
        await pubsub.aclose()  # type: ignore[no-untyped-call]

    assert confirmed is not None
    assert confirmed["type"] == "subscribe"
    assert received is not None
    assert (received["channel"], received["data"]) == (b"price:SPY", b"1-1\n{}")


async def test_two_memories_are_apart() -> None:
    async with (
        RedisSource("memory://").client("one") as one,
        RedisSource("memory://").client("other") as other,
    ):
        await one.set("price:SPY", b"1")

        assert await other.get("price:SPY") is None


@pytest.mark.parametrize("limit", [None, 5.0])
async def test_a_reader_cancelled_while_a_message_arrives_ends(limit: float | None) -> None:
    source = RedisSource("memory://")
    async with (
        source.client("reader", subscriber=True) as reader,
        source.client("writer") as writer,
    ):

        async def write() -> None:
            await writer.publish("price:SPY", b"1-1\n{}")

        for steps in range(30):  # of the loop, between the publish and the cancellation
            pubsub = reader.pubsub()
            await pubsub.subscribe("price:SPY")
            await pubsub.get_message(timeout=None)
            reading = asyncio.create_task(pubsub.get_message(timeout=limit))
            writing = asyncio.create_task(write())
            for _ in range(steps):
                await asyncio.sleep(0)
            asked = reading.cancel()
            await asyncio.wait([reading, writing], timeout=LIMIT_SECONDS)

            assert reading.cancelled() == asked
            await pubsub.unsubscribe()
            await pubsub.aclose()  # type: ignore[no-untyped-call]


async def test_a_lost_server_makes_a_subscriber_raise_once_and_not_reconnect_silently(
    valkey: ValkeyServer, source: RedisSource
) -> None:
    async with source.client("reader", subscriber=True) as reader:
        pubsub = reader.pubsub()
        await pubsub.subscribe("price:SPY")
        async with asyncio.timeout(LIMIT_SECONDS):
            await pubsub.get_message(timeout=None)
            waiting = asyncio.create_task(pubsub.get_message(timeout=None))
            await asyncio.sleep(0)
            await valkey.stop()
            with pytest.raises(REDIS_ERRORS):
                await waiting
        await pubsub.aclose()  # type: ignore[no-untyped-call]


async def test_tasks_that_open_a_lost_connection_at_the_same_time_leave_no_socket_open(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[asyncio.StreamWriter] = []
    open_connection = asyncio.open_connection

    async def noting(**given: Any) -> Any:
        reader, writer = await open_connection(**given)
        opened.append(writer)
        return reader, writer

    async with source.client("reader", subscriber=True) as reader:
        pubsub = reader.pubsub()
        await pubsub.subscribe("price:SPY")
        connection: Any = pubsub.connection
        await connection.disconnect()
        monkeypatch.setattr(asyncio, "open_connection", noting)
        tries = [connection.connect() for _ in range(3)]
        # One may read the answer to another's greeting: the subscription begins again then.
        await asyncio.gather(*tries, return_exceptions=True)
        await pubsub.aclose()  # type: ignore[no-untyped-call]

    assert opened
    assert all(writer.is_closing() for writer in opened)


async def test_a_command_without_server_fails_at_the_first_try(valkey: ValkeyServer) -> None:
    source = RedisSource(valkey.url)
    await valkey.stop()
    async with source.client("one") as client:
        with pytest.raises(REDIS_ERRORS):
            await client.get("price:SPY")


@pytest.mark.parametrize("is_batch", [False, True])
async def test_a_paused_server_is_waited_for_only_until_the_limit(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch, is_batch: bool
) -> None:
    async with RedisSource(valkey.url).client("one") as client:
        await client.ping()
        batch = client.pipeline()
        batch.get("a")
        monkeypatch.setattr(redis_source, "COMMAND_TIMEOUT_SECONDS", 0.1)
        assert valkey.pid is not None
        os.kill(valkey.pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                with pytest.raises(TimeoutError):
                    await (batch.execute() if is_batch else client.get("a"))
        finally:
            os.kill(valkey.pid, signal.SIGCONT)


async def test_a_process_that_did_not_run_for_a_while_does_not_lose_its_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_source, "COMMAND_TIMEOUT_SECONDS", 0.0)  # over at once
    async with RedisSource("memory://").client("one") as client:
        await client.set("a", b"1")

        batch = client.pipeline()
        batch.get("a")
        assert await batch.execute() == [b"1"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://cache:6379/1", "redis://cache:6379/1"),
        ("rediss://user:hush@cache:6380", "rediss://cache:6380/0"),
        ("redis://:hu@sh@cache", "redis://cache:6379/0"),
        ("redis://cache?password=hush", "redis://cache:6379/0"),
        ("redis://user:hush@[::1]", "redis://[::1]:6379/0"),
        (
            "redis+sentinel://u:hush@a,b:26380/mymaster/2?sentinel_password=hush",
            "redis+sentinel://a:26379,b:26380/mymaster/2",
        ),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("memory://", "memory://"),
    ],
)
def test_its_address_for_logs_has_no_password(url: str, shown: str) -> None:
    assert RedisSource(url).address == shown


def test_the_ingests_report_survives_its_encoding() -> None:
    report = replace(
        healthy(EventId(1, 2), ["SPY"]),
        next_close="2013-10-09T20:00:00Z",
        rejected=["NOSUCH"],
        alarms=[Alarm("over_limit", "Words.")],
        streams=[
            StreamStatus(
                name="stocks", state="live", reason=None, since="2013-10-09T13:30:00Z", reconnects=0
            )
        ],
    )

    assert ingest_status.decode(ingest_status.encode(report)) == report
