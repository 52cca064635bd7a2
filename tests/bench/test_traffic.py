import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest
from redis.asyncio import Redis

from bench.fanout.connections import storm
from bench.fanout.load import Load, load_client
from bench.fanout.servers import Server, gateways, queue_per_client
from bench.fanout.slow import slow_client
from bench.fanout.traffic import Plan, open_streams, run_traffic
from bench.fanout.workload import Audience, Tape, symbols
from shared.bus.valkey_server import ValkeyServer
from tests.tcp_server import tcp_server

PLAN = Plan(Audience.drawn(20, symbols(10), 3), symbols(10), rate=200, seconds=0.5)

Serve = Callable[[Redis, str], AbstractAsyncContextManager[Server]]


@pytest.fixture(params=[gateways, queue_per_client])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    serve: Serve = request.param
    async with (
        ValkeyServer() as valkey,
        Redis.from_url(valkey.url, protocol=2) as redis,
        serve(redis, valkey.url) as running,
    ):
        yield running


@pytest.fixture
async def load() -> AsyncIterator[Load]:
    async with load_client() as clients:
        yield clients


@pytest.fixture
def tape() -> Tape:
    return Tape(PLAN.symbols, time.time_ns)


async def test_every_event_that_is_offered_arrives_and_is_counted(
    server: Server, load: Load, tape: Tape
) -> None:
    await open_streams(server, load, PLAN.audience, tape)

    traffic = await run_traffic(server, load, PLAN, tape, ())

    assert traffic.offered == traffic.delivered == traffic.latency.samples
    assert traffic.offered > 0
    assert traffic.lost == 0


async def test_all_clients_become_live_at_once(server: Server, load: Load, tape: Tape) -> None:
    found = await storm(server, load, PLAN.audience, tape)

    assert found.clients == 20
    assert found.half <= found.most <= found.all


@pytest.mark.parametrize("server", [gateways], indirect=True)
async def test_a_client_that_slept_ends_with_the_newest_values(
    server: Server, load: Load, tape: Tape
) -> None:
    found = await slow_client(server, load, PLAN, tape, ())

    assert found.woken.newest
    assert found.woken.stale > 0


async def test_a_stream_that_ends_before_it_is_live_is_tried_again(load: Load) -> None:
    answers = iter([b"", b"data: 1\n\n", b"data: 1\n\ndata: 2\n\n"])

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + next(answers))

    async with tcp_server(answer) as port:
        opened = await load.connect([("127.0.0.1", port, "/")], live_after="", events=2)

    assert len(opened.seconds) == 1
    assert sum(opened.failures.values()) == 2
