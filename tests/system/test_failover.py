"""Redis moves to another server: prices flow again by themselves, and no program stays behind."""

import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from shared.bus.redis_source import RedisSource
from simulator.service import Simulator, SimulatorSettings
from tests.event_stream import EventStream, open_stream
from tests.redis_servers import (
    RedisServer,
    master_and_replica,
    moving_address,
    three_sentinels,
)
from tests.services import running_gateway, running_ingest, until


@asynccontextmanager
async def deployment(url: str) -> AsyncIterator[tuple[EventStream, list[RedisSource]]]:
    """Run an ingest, a standby, a gateway with a client and one with none; wait for prices.

    Each has its own source, as it has in a process of its own.
    """
    sources = [RedisSource(url) for _ in range(4)]
    leader, standby, busy, idle = sources
    async with AsyncExitStack() as parts:
        market = await parts.enter_async_context(Simulator(SimulatorSettings(plan="plus")))
        await parts.enter_async_context(running_ingest(leader, market))
        gateway = await parts.enter_async_context(running_gateway(busy))
        await parts.enter_async_context(running_gateway(idle))
        stream = await parts.enter_async_context(open_stream(gateway, symbols="SPY", interval="0"))
        await _moves_on(stream)
        await parts.enter_async_context(running_ingest(standby, market))
        await until(lambda: all(source.addresses for source in sources))
        yield stream, sources


async def _moves_on(stream: EventStream) -> None:
    """Wait until the feed is live and a newer price than all so far has come."""
    seen = len(stream.of("price"))
    await stream.until(
        lambda s: len(s.of("price")) > seen + 1 and s.of("feed")[-1]["state"] == "live"
    )


async def _have_left(sources: list[RedisSource], old: RedisServer) -> None:
    """Wait until each process uses another server, and only that one."""
    await until(
        lambda: all(s.addresses and ("127.0.0.1", old.port) not in s.addresses for s in sources)
    )


async def test_programs_follow_a_name_to_the_new_master_while_the_old_one_is_its_replica(
    tmp_path: Path,
) -> None:
    async with (
        master_and_replica(tmp_path) as (old, new),
        moving_address(old.port) as (address, url),
        deployment(url) as (stream, _),
    ):
        assert {name.partition("-")[0] for name in await old.names()} == {"ingest", "gateway"}
        names = set(await old.names())
        await new.follow(None)
        await old.follow(new)
        address.target = new.port

        await _moves_on(stream)

        async def all_have_moved() -> bool:
            return not await old.names() and set(await new.names()) == names

        await until(all_have_moved)
        await _moves_on(stream)


@pytest.mark.parametrize("how", ["killed", "stopped", "demoted"])
async def test_programs_follow_the_sentinels_to_the_new_master(tmp_path: Path, how: str) -> None:
    async with (
        master_and_replica(tmp_path) as (old, _),
        three_sentinels(tmp_path, old) as ports,
    ):
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        url = f"redis+sentinel://{hosts}/mymaster/0"
        async with deployment(url) as (stream, sources):
            match how:
                case "killed":
                    old.send(signal.SIGKILL)
                case "stopped":
                    old.send(signal.SIGSTOP)
                case "demoted":
                    sentinel = RedisServer(ports[0], old.process)
                    await sentinel.client.sentinel_failover("mymaster")
                    await sentinel.client.aclose()

            await _have_left(sources, old)
            await _moves_on(stream)
