"""Processes as they are deployed: one ingest, two gateways, one Valkey."""

import signal
from contextlib import AsyncExitStack
from typing import Any

from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.topics import key_of
from simulator.service import Simulator, SimulatorSettings
from tests.event_stream import EventStream, open_stream
from tests.keyspace import KEYSPACE
from tests.processes import gateway_process
from tests.programs import ingest_environment, program
from tests.services import until


def by_id(stream: EventStream) -> dict[str, dict[str, Any]]:
    return {price["event_id"]: price for price in stream.of("price") if price["price"]}


def after(start: tuple[int, ...], stream: EventStream) -> dict[str, dict[str, Any]]:
    return {i: price for i, price in by_id(stream).items() if _order(i) > start}


async def test_two_gateways_share_one_connection_and_give_the_same_ids_and_values(
    valkey: ValkeyServer,
) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        simulator = await enter(Simulator(SimulatorSettings()))
        await enter(program("ingest", **ingest_environment(simulator, valkey.url)))
        url_a, _ = await enter(gateway_process(valkey.url))
        url_b, _ = await enter(gateway_process(valkey.url))
        a = await enter(open_stream(url_a, symbols="SPY,IBM,BAC", interval="0"))
        b = await enter(open_stream(url_b, symbols="SPY,IBM,BAC", interval="0"))
        await a.until_kind("ready")
        await b.until_kind("ready")

        start = max(map(_order, [*by_id(a), *by_id(b)]), default=())
        await a.until(lambda s: len(after(start, s)) >= 60)
        end = list(by_id(a))[-1]
        await b.until(lambda s: end in by_id(s))
        common = [
            {i: v for i, v in after(start, s).items() if _order(i) <= _order(end)} for s in (a, b)
        ]
        assert len(common[0]) >= 60
        assert common[0] == common[1]
        endpoints: Any = simulator.state()["endpoints"]
        iex = endpoints["iex"]
        assert (iex["connections_total"], iex["connections_peak"]) == (1, 1)


async def test_a_killed_gateway_does_not_touch_the_others_clients_and_its_interest_expires(
    valkey: ValkeyServer, source: RedisSource
) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        simulator = await enter(Simulator(SimulatorSettings()))
        await enter(program("ingest", **ingest_environment(simulator, valkey.url)))
        url_a, doomed = await enter(gateway_process(valkey.url))
        url_b, _ = await enter(gateway_process(valkey.url))
        a = await enter(open_stream(url_a, symbols="AIG"))
        b = await enter(open_stream(url_b, symbols="SPY"))
        await a.until(lambda s: by_id(s))
        await b.until(lambda s: by_id(s))

        doomed.send(signal.SIGKILL)
        await a.until(lambda s: s.ended)
        before = len(by_id(b))

        redis = await enter(source.client("test"))

        async def watched() -> set[str]:
            seconds, micros = await redis.time()
            now = seconds * 1000 + micros // 1000
            claims: Any = await redis.hgetall(KEYSPACE.interest)
            living = [each for each, claim in claims.items() if int(claim.split()[0]) > now]
            topics = {claimed.decode().partition(" ")[2] for claimed in living}
            return {key_of(topic) for topic in topics}

        async def only_the_other() -> bool:
            return await watched() == {"SPY"}

        assert await watched() == {"SPY", "AIG"}
        await until(only_the_other)
        await b.until(lambda s: len(by_id(s)) > before)
        assert not b.ended
        assert len(b.of("hello")) == 1


def _order(event_id: str) -> tuple[int, ...]:
    return tuple(map(int, event_id.split("-")))
