"""Redis starts again, or comes back with an older copy of its data, beside a publisher."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from ingest.bus import publisher
from shared.bus.redis_source import RedisSource
from tests.ingest.bus.stage import Stage, printed, publishing, value
from tests.keyspace import KEYSPACE
from tests.ports import free_port
from tests.redis_servers import QUIET, redis_server
from tests.services import until


@pytest.fixture(autouse=True)
def server_is_asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "SERVER_RUN_SECONDS", 0.02)


async def noted(client: Redis, field: str) -> str | None:
    found: Any = await client.hget(KEYSPACE.histories, field)
    return None if found is None else found.decode()


@asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[None]:
    """Run the publisher with no renewal of the lease: the test claims."""
    tasks = [
        asyncio.create_task(stage.publisher.run()),
        asyncio.create_task(stage.publisher.follow_server()),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_an_older_copy_that_fails_no_renewal_is_a_loss_and_the_values_are_due_again(
    tmp_path: Path,
) -> None:
    port = free_port()
    source = RedisSource(f"redis://127.0.0.1:{port}/0")
    async with source.client("ingest") as client:
        stage = Stage(client, client, 5)
        async with AsyncExitStack() as works:
            async with redis_server(tmp_path, *QUIET, port=port) as server:
                assert await stage.lease.claim()
                stage.lease.republish_due.clear()
                await works.enter_async_context(running(stage))
                await stage.publish(printed(1), value("price:SPY", 1))
                await server.client.save()
                await stage.publish(printed(2), value("price:SPY", 2))
                epoch = stage.lease.epoch
            async with redis_server(tmp_path, *QUIET, port=port):
                assert await stage.lease.claim()
                assert stage.lease.epoch == epoch, "the copy has the lease"
                await until(stage.lease.republish_due.is_set)

                async def is_noted() -> bool:
                    return await noted(client, ".since") == f"{epoch}-3"

                await until(is_noted)
                stored = await stage.last("price:SPY")
                assert stored is not None
                assert stored[1]["n"] == 1


async def test_a_server_that_starts_again_after_its_run_was_read_is_compared_all_the_same(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with publishing(source) as stage:
        await stage.publish(printed(1))
    async with source.client("test") as client:
        await client.hset(KEYSPACE.histories, ".run", "f0f0")  # the run of the copy

        async def read_before(_: object) -> str:
            return "f0f0"

        monkeypatch.setattr(publisher, "server_run", read_before)
        async with publishing(source) as stage:
            await stage.publish(printed(2))
            assert await noted(client, ".since") == f"{stage.lease.epoch}-0"


async def test_the_next_leader_on_a_redis_that_was_emptied_and_not_restarted_finds_no_loss(
    source: RedisSource,
) -> None:
    async with source.client("test") as client:
        async with publishing(source) as stage:
            await stage.publish(printed(1))
            run = await noted(client, ".run")
            await client.flushall()
            await stage.lease.claim()
            await stage.publish(printed(2))
            since = await noted(client, ".since")
            assert await noted(client, ".run") == run is not None
        await client.delete(KEYSPACE.lease)
        async with publishing(source) as stage:
            await stage.publish(printed(3))
            assert await noted(client, ".since") == since


async def test_a_redis_that_starts_again_intact_while_an_ingest_leads_is_no_loss_for_the_next(
    tmp_path: Path,
) -> None:
    port = free_port()
    source = RedisSource(f"redis://127.0.0.1:{port}/0")
    async with source.client("ingest") as client:
        stage = Stage(client, client, 5)
        async with AsyncExitStack() as servers:
            async with AsyncExitStack() as works:
                async with redis_server(tmp_path, *QUIET, port=port) as server:
                    assert await stage.lease.claim()
                    await works.enter_async_context(running(stage))
                    await stage.publish(printed(1))
                    since, run = await noted(client, ".since"), await noted(client, ".run")
                    await server.client.save()
                await servers.enter_async_context(redis_server(tmp_path, *QUIET, port=port))
                assert await stage.lease.claim()

                async def has_new_run() -> bool:
                    return await noted(client, ".run") not in (None, run)

                await until(has_new_run)
            await stage.lease.release()
            async with publishing(source) as following:
                await following.publish(printed(2))
                assert await noted(client, ".since") == since
