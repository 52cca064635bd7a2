"""Each stream is an open file: counted before it is promised, and never taken from a check."""

import asyncio
import json
import resource
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from gateway.http.open_files import OpenFiles
from shared.bus.redis_source import RedisSource
from tests.event_stream import open_stream
from tests.gateway.peers import Peer, connected
from tests.programs import Program, program, ready
from tests.services import until

NOWHERE = {"PORT": "0", "REDIS_URL": "redis://127.0.0.1:1"}
FILES = 64
EVENT_SOURCE = {"Accept": "text/event-stream"}
PATH = "/api/stream/prices?symbols=SPY"


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def files(limit: int, max_clients: int = 10_000) -> OpenFiles:
    return OpenFiles(limit, max_clients, Clock())


def test_a_shortage_names_both_ways_out() -> None:
    short = files(1024)

    assert short.streams == 924
    assert short.remedy is not None
    assert "from 1024 to 10100" in short.remedy
    assert "MAX_CLIENTS=924" in short.remedy


@pytest.mark.parametrize("limit", [10_100, 2**63 - 1])
def test_what_suffices_is_not_spoken_of(limit: int) -> None:
    assert files(limit).remedy is None
    assert files(limit).streams == 10_000


@pytest.mark.parametrize("limit", [20, 40, FILES, 100, 256, 1024])
def test_redis_and_the_health_check_keep_a_part_of_few_files(limit: int) -> None:
    few = files(limit)

    assert 0 < few.streams < few.connections < limit
    assert limit - few.connections >= limit // 3 or limit > 120


def test_a_shortage_is_logged_once_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    few = OpenFiles(FILES, 100, clock)
    for clock.now in (0, 1, 59, 61, 62):
        few.on_streams_full()

    assert capsys.readouterr().out.count("open_files_exhausted") == 2


def test_a_gateway_that_is_as_full_as_it_may_be_lacks_no_files(
    capsys: pytest.CaptureFixture[str],
) -> None:
    files(1024, max_clients=100).on_streams_full()

    assert capsys.readouterr().out == ""


def _limits(pid: int) -> list[str]:
    """Return the soft and the hard limit of open files of a process."""
    [line] = [
        line
        for line in Path(f"/proc/{pid}/limits").read_text().splitlines()
        if line.startswith("Max open files")
    ]
    return line.split()[3:5]


@pytest.mark.slow
async def test_a_gateway_raises_its_limit_at_the_start() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))  # a child starts with it
    try:
        async with program("gateway", MAX_CLIENTS="100", **NOWHERE) as gateway:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await until(lambda: "gateway_listening" in gateway.output)

            now, most = _limits(gateway.process.pid)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert now == most
    assert "too_few_open_files" not in gateway.output


@asynccontextmanager
async def few_files(source: RedisSource) -> AsyncIterator[tuple[str, Program]]:
    """Run a gateway with few files; yield its URL once it serves."""
    async with program("gateway", PORT="0", REDIS_URL=source.url) as gateway:
        # Before it counts them: the program reads its settings for longer than this takes.
        resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
        await until(lambda: "gateway_listening" in gateway.output)
        url: str = json.loads(gateway.output.splitlines()[0])["url"]
        await ready(url)
        yield url, gateway


@pytest.mark.slow
async def test_who_finds_no_file_is_asked_to_retry_and_the_health_check_is_answered(
    source: RedisSource,
) -> None:
    async with few_files(source) as (url, gateway), AsyncExitStack() as stack:
        places = files(FILES).streams
        streams = await asyncio.gather(
            *(stack.enter_async_context(open_stream(url, symbols="SPY")) for _ in range(90))
        )
        await asyncio.gather(*(each.until(lambda s: s.of("hello") or s.ended) for each in streams))
        inside = [each for each in streams if each.of("hello")]
        for each in streams:
            assert each in inside or each.events[0].data["reason"] == "busy"
        async with httpx.AsyncClient(base_url=url) as client:
            readiness = await client.get("/readyz")
            status = (await client.get("/api/stream/status")).json()

        assert len(inside) == places
        assert readiness.status_code == 200
        assert (status["clients"], status["busy"]) == (places, 90 - places)
    assert gateway.output.count("too_few_open_files") == 1
    assert gateway.output.count("open_files_exhausted") == 1


@pytest.mark.slow
async def test_connections_without_a_request_end_first_when_files_run_short(
    source: RedisSource,
) -> None:
    async with few_files(source) as (url, gateway), AsyncExitStack() as stack:
        stream = await stack.enter_async_context(open_stream(url, symbols="SPY"))
        await stream.until_kind("ready")
        idle: list[Peer] = []
        for number in range(2 * FILES):
            idle.append(await stack.enter_async_context(connected(url)))
            # Half of them send a part of a head.
            await idle[-1].send(b"GET / HTTP/1.1\r\n" * (number % 2))
        async with httpx.AsyncClient(base_url=url) as client:
            for _ in range(3):
                assert (await client.get("/readyz")).status_code == 200
        assert await idle[0].rest() == b""

        assert not stream.ended
        async with open_stream(url, symbols="IBM") as newcomer:
            await newcomer.until_kind("ready")
    assert "open_files_exhausted" in gateway.output
