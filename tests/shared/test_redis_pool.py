"""The connections of a process to Redis: few, waited for, and closed when the rush is over."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from shared.bus import redis_pool
from shared.bus.errors import BusBusyError, bus_errors
from shared.bus.redis_source import RedisSource
from tests.limits import LIMIT_SECONDS
from tests.services import until


@pytest.fixture
async def observer(source: RedisSource) -> AsyncIterator[Redis]:
    async with source.client("observer", connections=1) as client:
        yield client


async def count(observer: Redis, name: str = "one") -> int:
    """Return the number of connections with this name."""
    return sum(each["name"] == name for each in await observer.client_list())


async def test_a_thousand_commands_at_once_are_served_by_few_connections(
    source: RedisSource, observer: Redis
) -> None:
    async with source.client("one", connections=3) as client:
        answers = await asyncio.gather(*(client.incr("a") for _ in range(1000)))

        assert sorted(answers) == list(range(1, 1001))
        assert await count(observer) == 3


async def test_pipelines_and_scripts_count_as_commands(
    source: RedisSource, observer: Redis
) -> None:
    async with source.client("one", connections=2) as client:
        script = client.register_script("return redis.call('INCR', KEYS[1])")

        async def batch() -> None:
            together = client.pipeline(transaction=False)
            together.incr("a")
            await together.execute()

        await asyncio.gather(*(batch() for _ in range(20)), *(script(["a"]) for _ in range(20)))

        assert await client.get("a") == b"40"
        assert await count(observer) == 2


async def test_one_after_another_commands_use_one_connection(
    source: RedisSource, observer: Redis
) -> None:
    async with source.client("one") as client:
        for _ in range(5):
            await client.ping()

        assert await count(observer) == 1


async def test_connections_of_a_rush_are_closed_when_they_are_idle(
    source: RedisSource, observer: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with source.client("one", connections=5) as client:
        await asyncio.gather(*(client.incr("a") for _ in range(50)))
        assert await count(observer) == 5
        monkeypatch.setattr(redis_pool, "IDLE_SECONDS", 0.0)

        async def one_is_left() -> bool:
            await client.ping()
            return await count(observer) == 1

        await until(one_is_left)


async def test_a_command_that_finds_no_free_connection_in_time_is_told_so(
    source: RedisSource, observer: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_pool, "WAIT_SECONDS", 0.01)
    async with source.client("one", connections=1) as client:
        waiting = asyncio.ensure_future(client.blpop(["list"], timeout=0))
        await until(lambda: is_blocked(observer))

        told = "all 1 connections to Redis were in use"
        with pytest.raises(BusBusyError, match=told), bus_errors():
            await client.ping()

        await observer.rpush("list", "x")
        await waiting
        assert await client.ping()


@pytest.mark.parametrize("steps", range(12))
async def test_a_cancelled_command_gives_its_connection_back(
    source: RedisSource, steps: int
) -> None:
    async with source.client("one", connections=2) as client:
        tasks = [asyncio.ensure_future(client.incr("a")) for _ in range(8)]
        for _ in range(steps):  # of the loop, before the cancellation
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

        async with asyncio.timeout(LIMIT_SECONDS):
            await asyncio.gather(*(client.ping() for _ in range(8)))


async def test_a_command_after_a_cancelled_handshake_gets_its_own_answer(
    source: RedisSource,
) -> None:
    for steps in range(40):  # of the loop, before the cancellation
        async with source.client("one", connections=1) as client:
            first = asyncio.ensure_future(client.ping())
            for _ in range(steps):
                await asyncio.sleep(0)
            first.cancel()
            await asyncio.wait([first])

            assert await client.set("a", b"%d" % steps) is True
            assert await client.get("a") == b"%d" % steps


async def test_commands_wait_in_the_order_in_which_they_came(source: RedisSource) -> None:
    async with source.client("one", connections=1) as client:
        await client.ping()
        answers = await asyncio.gather(*(client.incr("a") for _ in range(50)))

    assert answers == list(range(1, 51))


async def is_blocked(observer: Redis) -> bool:
    return bool((await observer.info("clients"))["blocked_clients"])
