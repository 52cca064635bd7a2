"""Redis loses its data: the values shown are stored again before their topics are claimed."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.bus import last_values
from gateway.bus.last_values import LastValues
from gateway.fanout.channel import Channel
from gateway.fanout.hub import Hub
from shared.bus import keys
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.event_id import NEVER
from tests.gateway.fakes import packed
from tests.gateway.hubs import gateway_with_hub
from tests.gateway.ingest_stub import ingest_stub
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS
from tests.services import until

RENEWAL = "gateway.bus.interest_claims.RENEW_SECONDS"
PRICE = KEYSPACE.last("price:SPY")


def value(epoch: int, seq: int) -> bytes:
    return packed(seq, epoch=epoch)


async def watch(client: Redis, hub: Hub, *topics: str) -> None:
    """Watch topics, and wait until they are claimed and read."""
    channels = hub.watch(dict.fromkeys(topics, 0.0))
    await until_claimed(client, len(hub.channels))
    await until(lambda: all(channel.loaded.is_set() for channel in channels))


async def until_claimed(client: Redis, count: int, keys_read: Sequence[str] = (PRICE,)) -> Any:
    """Wait for so many claims; return the stored values when they are first seen."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            async with client.pipeline() as together:
                together.hlen(KEYSPACE.interest)
                together.mget(keys_read)
                claims, stored = await together.execute()
            if claims >= count:
                return stored


async def test_the_values_shown_are_stored_again_before_their_topics_are_claimed(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RENEWAL, 0.05)
    topics = ["price:SPY", "status:SPY", "price:IBM", "trade:SPY"]
    async with any_source.client("test") as client, gateway_with_hub(any_source) as (_, hub):
        await watch(client, hub, *topics)
        for seq, topic in enumerate(topics, start=1):
            if topic != "price:IBM":
                hub.publish(topic.encode(), packed(seq))
        with capture_logs() as lines:
            await client.flushall()
            stored = await until_claimed(client, 4, [KEYSPACE.last(topic) for topic in topics])

        assert stored == [packed(1), packed(2), None, None], "a tape has no last value"
        assert 0 < await client.ttl(PRICE) <= keys.LAST_SECONDS
    assert [line["topics"] for line in lines if line["event"] == "redis_data_lost"] == [4]


async def test_the_oldest_lease_that_a_gateway_knows_is_noted_with_the_values(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RENEWAL, 0.05)
    async with any_source.client("test") as client, gateway_with_hub(any_source) as (_, hub):
        await watch(client, hub, "orders")
        for epoch in (5, 7):
            hub.own_ids.on_lease(epoch, NEVER)
        await client.flushall()
        await client.set(KEYSPACE.shown, "6-0")  # by another gateway
        await until_claimed(client, 1)

        assert await client.get(KEYSPACE.shown) == b"5-0"


async def test_values_that_are_lost_between_their_return_and_the_claim_are_stored_once_more(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RENEWAL, 0.05)
    async with any_source.client("test") as client, gateway_with_hub(any_source) as (_, hub):
        await watch(client, hub, "price:SPY")
        hub.publish(b"price:SPY", packed(1))
        write_back, losses = LastValues.write_back, 0

        async def and_lose(self: LastValues, channels: Iterable[Channel], *first: int) -> None:
            nonlocal losses
            await write_back(self, channels, *first)
            if losses < 3:
                losses += 1
                await client.flushall()

        monkeypatch.setattr(LastValues, "write_back", and_lose)
        await client.flushall()
        stored = await until_claimed(client, 1)

    assert losses == 3
    assert stored == [packed(1)]


@pytest.mark.parametrize(
    ("stored", "stays"),
    [((2, 1), (2, 1)), ((1, 11), (1, 11)), ((1, 9), (1, 10)), ((0, 99), (1, 10))],
)
async def test_the_newer_of_the_stored_and_the_shown_value_stays(
    any_source: RedisSource,
    monkeypatch: pytest.MonkeyPatch,
    stored: tuple[int, int],
    stays: tuple[int, int],
) -> None:
    monkeypatch.setattr(RENEWAL, 0.05)
    async with any_source.client("test") as client, gateway_with_hub(any_source) as (_, hub):
        await watch(client, hub, "price:SPY")
        hub.publish(b"price:SPY", value(1, 10))
        async with client.pipeline() as together:
            together.flushall()
            together.set(PRICE, value(*stored))
            await together.execute()

        assert await until_claimed(client, 1) == [value(*stays)]


async def test_of_several_gateways_the_newest_value_is_stored(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RENEWAL, 0.05)
    async with any_source.client("test") as client, AsyncExitStack() as stack:
        for seq in (8, 9, 7):
            _, hub = await stack.enter_async_context(gateway_with_hub(any_source))
            # A gateway that has just connected claims again, and would not see that Redis was
            # emptied meanwhile.
            await watch(client, hub, "price:SPY")
            hub.publish(b"price:SPY", packed(seq))
        await until_claimed(client, 3)
        await client.flushall()

        assert await until_claimed(client, 3) == [packed(9)]


async def test_a_restarted_redis_gets_all_values_in_batches(
    valkey: ValkeyServer, source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_values, "WRITTEN_AT_ONCE", 2)
    topics = [f"price:S{number}" for number in range(5)]
    async with gateway_with_hub(source) as (_, hub):
        async with source.client("test") as client:
            await watch(client, hub, *topics)
        for seq, topic in enumerate(topics, start=1):
            hub.publish(topic.encode(), packed(seq))
        await valkey.stop()
        await valkey.start()
        async with source.client("test") as client:
            stored = await until_claimed(client, 5, [KEYSPACE.last(topic) for topic in topics])

    assert stored == [packed(seq) for seq in range(1, 6)]


async def test_all_topics_are_claimed_at_once_for_a_new_leader(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RENEWAL, 1_000)
    async with ingest_stub(any_source) as ingest, gateway_with_hub(any_source) as (_, hub):
        await ingest.report(1)
        await until(lambda: hub.feed.event is not None and b'"live"' in hub.feed.event.payload)
        await watch(ingest.client, hub, "price:SPY")
        hub.publish(b"price:SPY", packed(2))
        await ingest.client.flushall()
        await ingest.report(1, epoch=2)

        assert await until_claimed(ingest.client, 1) == [packed(2)]
