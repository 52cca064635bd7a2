"""From a gateway's hub through Redis to the demand."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.bus.interest_claims import InterestClaims
from gateway.bus.last_values import LastValues
from gateway.bus.malformed import MalformedData
from gateway.fanout.hub import Hub
from ingest.bus import interest
from ingest.bus.interest import InterestReader
from ingest.demand.wanted import Demand
from shared.bus.malformed_stored import MalformedStored
from shared.bus.redis_source import RedisSource
from shared.bus.rejections import Rejections
from shared.bus.valkey_server import ValkeyServer
from tests.keyspace import KEYSPACE
from tests.services import until


@asynccontextmanager
async def background(*works: InterestReader | InterestClaims) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(work.run()) for work in works]
    try:
        yield
        assert not any(task.done() for task in tasks), "it has ended"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def hub_of(client: Redis, name: str) -> tuple[Hub, InterestClaims]:
    changed = asyncio.Event()
    hub = Hub(
        asyncio.get_running_loop(),
        flush_interval=0,
        clock=time.time,
        retry_ms=lambda: 0,
        on_change=[changed.set],
    )
    values = LastValues(client, KEYSPACE, MalformedData())
    return hub, InterestClaims(client, KEYSPACE, hub, name, changed, Rejections(), values)


@asynccontextmanager
async def demand_of(
    source: RedisSource, malformed: MalformedStored | None = None
) -> AsyncIterator[tuple[Redis, Demand]]:
    demand = Demand(time.monotonic)
    foreign = malformed or MalformedStored()
    async with (
        source.client("commands") as client,
        source.client("subscriber", subscriber=True) as subscriber,
        background(InterestReader(client, subscriber, KEYSPACE, [demand], Rejections(), foreign)),
    ):
        yield client, demand


def viewers(demand: Demand) -> dict[str, int]:
    return {want.symbol: want.viewers for want in demand.wanted() if not want.lingering}


async def test_viewers_of_all_gateways_are_added_up(any_source: RedisSource) -> None:
    async with demand_of(any_source) as (client, demand):
        (hub_a, claims_a), (hub_b, claims_b) = hub_of(client, "a"), hub_of(client, "b")
        async with background(claims_a, claims_b):
            hub_a.watch({"price:SPY": 0.0, "quote:IBM": 0.0})
            hub_a.watch({"price:SPY": 0.0})
            hub_b.watch({"price:SPY": 0.0, "news:*": 0.0})
            await until(lambda: viewers(demand) == {"SPY": 3, "IBM": 1})
            await until(lambda: demand.watches("news:*"))


async def test_a_new_topic_and_its_end_are_a_nudge_and_a_number_is_not(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interest, "INTEREST_POLL_SECONDS", 1000.0)
    monkeypatch.setattr("gateway.bus.interest_claims.RENEW_SECONDS", 0.5)
    async with demand_of(any_source) as (client, demand):
        hub, claims = hub_of(client, "a")
        async with background(claims):
            [channel] = hub.watch({"price:SPY": 0.0})
            await until(lambda: viewers(demand) == {"SPY": 1})
            hub.watch({"price:SPY": 0.0})

            async def told() -> bool:
                claim: Any = await client.hget(KEYSPACE.interest, "a price:SPY")
                return claim is not None and claim.endswith(b" 2")

            await until(told)
            assert viewers(demand) == {"SPY": 1}
            hub.watch({"price:IBM": 0.0})
            await until(lambda: viewers(demand) == {"SPY": 2, "IBM": 1})

            hub.unwatch([channel, channel])
            channel.idle_since -= 1000
            hub.drop_idle()
            await until(lambda: viewers(demand) == {"IBM": 1})
        await until(lambda: viewers(demand) == {})


async def test_a_topic_that_is_kept_without_viewers_stays_claimed(any_source: RedisSource) -> None:
    async with demand_of(any_source) as (client, demand):
        hub, claims = hub_of(client, "a")
        async with background(claims):
            hub.unwatch(hub.watch({"trade:SPY": 0.0}))
            await until(lambda: demand.watches("trade:SPY"))
            assert viewers(demand) == {"SPY": 0}


async def test_claims_that_expire_or_have_another_form_go(any_source: RedisSource) -> None:
    async with any_source.client("test") as client:
        now = time.time() * 1000
        await client.hset(
            KEYSPACE.interest,
            mapping={
                "a price:SPY": f"{now + 60_000:.0f} 1",
                "b price:SPY": f"{now - 1:.0f} 5",
                "a price:IBM": f"{now + 200:.0f} 1",
                "a price:GE": "soon",
                "price:BAC": f"{now + 60_000:.0f} 1",
                "a price:ORCL": f"{now + 600_000:.0f} 1",
                b"a price:\xff": f"{now + 60_000:.0f} 1",
            },
        )
        malformed = MalformedStored()
        async with demand_of(any_source, malformed) as (_, demand):
            await until(lambda: viewers(demand) == {"SPY": 1})
            assert await client.hkeys(KEYSPACE.interest) == [b"a price:SPY"]
            assert malformed.count == 4


async def test_many_nudges_are_few_readings(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interest, "INTEREST_POLL_SECONDS", 1000.0)
    updates: list[int] = []
    async with demand_of(source) as (client, demand):
        real = demand.update

        def update(watched: dict[str, int]) -> None:
            updates.append(len(watched))
            real(watched)

        monkeypatch.setattr(demand, "update", update)
        hub, claims = hub_of(client, "a")
        async with background(claims):
            for number in range(1000):
                hub.watch({f"price:S{number}": 0.0})
                if not number % 10:
                    await asyncio.sleep(0)
            await until(lambda: len(viewers(demand)) == 1000)
    assert len(updates) < 500


async def test_while_redis_is_away_the_demand_stays_and_then_follows_again(
    valkey: ValkeyServer,
) -> None:
    source = RedisSource(valkey.url)
    async with demand_of(source) as (client, demand):
        hub, claims = hub_of(client, "a")
        async with background(claims):
            hub.watch({"price:SPY": 0.0})
            await until(lambda: viewers(demand) == {"SPY": 1})
            await valkey.stop()
            hub.watch({"price:IBM": 0.0})
            await asyncio.sleep(0.1)
            assert viewers(demand) == {"SPY": 1}
            await valkey.start()
            claims.on_connected()
            await until(lambda: viewers(demand) == {"SPY": 1, "IBM": 1})


async def test_a_key_of_another_kind_is_said_and_waited_out(source: RedisSource) -> None:
    async with source.client("test") as client:
        await client.zadd(KEYSPACE.interest, {"a price:SPY": 1})
        with capture_logs() as lines:
            async with demand_of(source) as (_, demand):
                await until(lambda: bool(lines))
                assert "WRONGTYPE" in lines[0]["message"]
                await client.delete(KEYSPACE.interest)
                await client.hset(
                    KEYSPACE.interest, "a price:SPY", f"{time.time() * 1000 + 60_000:.0f} 1"
                )
                await until(lambda: viewers(demand) == {"SPY": 1})
