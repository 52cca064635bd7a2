"""A demoted master keeps its connections: our clients leave it, whichever of them notices."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from shared.bus.errors import BusUnreachableError, BusWrongServerError, bus_errors
from shared.bus.redis_source import RedisSource
from shared.bus.server_watch import ServerWatch
from tests.limits import LIMIT_SECONDS
from tests.redis_servers import (
    MovingAddress,
    RedisServer,
    master_and_replica,
    moving_address,
)
from tests.services import until


class Stage:
    """Two servers behind an address, and the clients of a process."""

    def __init__(
        self, old: RedisServer, new: RedisServer, address: MovingAddress, source: RedisSource
    ) -> None:
        self.old = old
        self.new = new
        self.address = address
        self.source = source

    async def fail_over(self) -> None:
        await self.new.follow(None)
        await self.old.follow(self.new)
        self.address.target = self.new.port


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with (
        master_and_replica(tmp_path) as (old, new),
        moving_address(old.port) as (address, url),
    ):
        yield Stage(old, new, address, RedisSource(url))


@asynccontextmanager
async def subscribed(source: RedisSource) -> AsyncIterator["asyncio.Task[object]"]:
    """Subscribe; yield a task that reads on until the connection is lost."""
    async with source.client("subscriber", subscriber=True) as client:
        pubsub = client.pubsub()
        await pubsub.subscribe("price:SPY")

        async def read() -> None:
            while True:
                await pubsub.get_message(timeout=None)

        reading = asyncio.create_task(read())
        yield reading
        reading.cancel()
        await asyncio.wait([reading])
        await pubsub.aclose()  # type: ignore[no-untyped-call]


async def _command(client: Redis) -> object:
    return await client.set("a", b"1")


async def _script(client: Redis) -> object:
    return await client.register_script("return redis.call('SET', KEYS[1], '1')")(keys=["a"])


async def _pipeline(client: Redis) -> object:
    batch = client.pipeline(transaction=False)
    batch.set("a", b"1")
    return await batch.execute()


async def _transaction(client: Redis) -> object:
    batch = client.pipeline(transaction=True)
    batch.set("a", b"1")
    return await batch.execute()


@pytest.mark.parametrize("write", [_command, _script, _pipeline, _transaction])
async def test_one_write_that_a_demoted_master_rejects_moves_the_whole_process(
    stage: Stage, write: object
) -> None:
    assert callable(write)
    async with (
        stage.source.client("writer") as writer,
        stage.source.client("reader") as reader,
        subscribed(stage.source) as reading,
    ):
        await writer.ping()
        await reader.ping()
        await stage.fail_over()
        with pytest.raises(BusWrongServerError, match="READONLY"), bus_errors():
            await write(writer)
        await write(writer)

        await until(reading.done)
        await reader.get("a")
        assert await stage.old.names() == []
        assert "writer" in await stage.new.names()
        assert "reader" in await stage.new.names()


async def test_a_process_that_does_not_write_asks_whether_its_server_is_the_master(
    stage: Stage,
) -> None:
    async with (
        stage.source.client("reader") as reader,
        subscribed(stage.source) as reading,
    ):
        watching = asyncio.create_task(ServerWatch(stage.source, reader).run())
        await until(stage.old.is_used)
        await stage.fail_over()

        await until(reading.done)
        await until(stage.new.is_used)
        assert await stage.old.names() == []
        watching.cancel()
        await asyncio.wait([watching])


async def test_a_connection_to_a_replica_is_not_accepted(stage: Stage) -> None:
    stage.address.target = stage.new.port
    async with (
        stage.source.client("one") as client,
        stage.source.client("two", subscriber=True) as subscriber,
    ):
        with (
            pytest.raises(BusWrongServerError, match="is a replica and not the master"),
            bus_errors(),
        ):
            await client.get("a")
        with (
            pytest.raises(BusWrongServerError, match="is a replica and not the master"),
            bus_errors(),
        ):
            await subscriber.pubsub().subscribe("price:SPY")


async def test_a_user_without_rights_may_ask_for_the_role_and_needs_no_name(stage: Stage) -> None:
    for server in (stage.old, stage.new):
        await server.client.acl_setuser(
            "ann", enabled=True, nopass=True, keys=["*"], commands=["+get"], reset=True
        )
    url = stage.source.url.replace("redis://", "redis://ann:any@")
    async with RedisSource(url).client("one") as client:
        assert await client.get("a") is None

        stage.address.target = stage.new.port
        await client.connection_pool.disconnect()
        with pytest.raises(BusWrongServerError, match="is a replica"), bus_errors():
            await client.get("a")


def test_a_server_that_is_left_again_and_again_is_logged_once_until_the_master_answers() -> None:
    source = RedisSource("redis://127.0.0.1:1/0")
    with capture_logs() as lines:
        for reason in ("LOADING", "LOADING", "READONLY"):
            source.leave_server(reason)
        source.on_master()
        source.leave_server("READONLY")

    assert [line["reason"] for line in lines] == ["LOADING", "READONLY", "READONLY"]


async def test_commands_on_their_way_fail_with_a_lost_connection(stage: Stage) -> None:
    async with stage.source.client("one") as client:
        waiting = asyncio.create_task(_blocked(client))
        await until(lambda: _is_blocked(stage.old))
        stage.source.leave_server("a test")

        async with asyncio.timeout(LIMIT_SECONDS):
            with pytest.raises(BusUnreachableError):
                await waiting


async def _blocked(client: Redis) -> object:
    with bus_errors():
        return await client.blpop(["list"], timeout=0)


async def _is_blocked(server: RedisServer) -> bool:
    return bool((await server.client.info("clients"))["blocked_clients"])
