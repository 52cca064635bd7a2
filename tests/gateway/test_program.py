"""``python -m gateway``: what it refuses to start with, and how it lives and ends."""

import asyncio
import json
import signal
import socket

import httpx
import pytest

from shared.bus.valkey_server import ValkeyServer
from shared.process import EXIT_SETTINGS
from tests.event_stream import open_stream
from tests.ports import free_port
from tests.programs import Program, program, ready
from tests.services import until

pytestmark = pytest.mark.slow


async def _refused(**environment: str) -> list[str]:
    async with program("gateway", **environment) as gateway:
        assert await gateway.ended() == EXIT_SETTINGS
    [head, *problems] = gateway.output.splitlines()
    assert head == "gateway cannot start:"
    return [problem.strip() for problem in problems]


async def test_without_redis_url_it_says_what_to_set() -> None:
    [problem] = await _refused()

    assert problem.startswith("REDIS_URL: not set")
    assert "tapecast run" in problem


async def test_every_problem_is_reported_at_once() -> None:
    problems = await _refused(HOST="0.0.0.0", PORT="eighty", REDIS_URL="localhost:6379")

    assert [problem.partition(":")[0] for problem in problems] == [
        "REDIS_URL",
        "PORT",
        "API_TOKEN",
    ]


async def test_memory_makes_no_sense_for_a_process_of_its_own() -> None:
    [problem] = await _refused(REDIS_URL="memory://")

    assert "memory:// exists within one process" in problem


async def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        [problem] = await _refused(REDIS_URL="redis://127.0.0.1:1", PORT=str(port))

    assert problem == f"PORT: 127.0.0.1:{port} cannot be used: Address already in use"


async def test_an_address_that_is_not_ours_is_named() -> None:
    [problem] = await _refused(
        REDIS_URL="redis://127.0.0.1:1", HOST="192.0.2.1", PORT="0", API_TOKEN="x" * 16
    )

    assert problem.startswith("PORT: 192.0.2.1:0 cannot be used")


def _lines(gateway: Program) -> list[dict[str, object]]:
    return [json.loads(line) for line in gateway.output.splitlines()]


async def test_it_starts_without_redis_says_so_and_heals_when_redis_appears() -> None:
    redis_port, port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    redis_url = f"redis://127.0.0.1:{redis_port}/0"
    async with program("gateway", PORT=str(port), REDIS_URL=redis_url) as gateway:
        await until(lambda: "gateway_listening" in gateway.output)
        async with httpx.AsyncClient() as client:

            async def unready() -> bool:
                answer = await client.get(f"{url}/readyz")
                return answer.status_code == 503 and "cannot reach Redis" in answer.text

            await until(unready)
            # Readiness needs no token, so Redis' address appears only in the log.
            assert str(redis_port) not in (await client.get(f"{url}/readyz")).text
        await asyncio.sleep(1.5)  # a few further attempts
        [logged] = [line for line in _lines(gateway) if line["event"] == "redis_unreachable"]
        assert str(redis_port) in str(logged["redis"])
        async with ValkeyServer(redis_port):
            await ready(url)
            async with open_stream(url, symbols="SPY") as stream:
                await stream.until_kind("ready")
                gateway.send(signal.SIGTERM)
                await stream.until(lambda s: s.ended)
            assert await gateway.ended() == 0

    assert stream.events[-1].kind == "bye"
    lines = _lines(gateway)
    assert all(line["service"] == "gateway" for line in lines)
    assert [line["event"] for line in lines if line["level"] == "error"] == []


async def test_it_ends_properly_while_redis_is_unreachable() -> None:
    port = free_port()
    async with program("gateway", PORT=str(port), REDIS_URL="redis://127.0.0.1:1") as gateway:
        await until(lambda: "gateway_listening" in gateway.output)
        gateway.send(signal.SIGTERM)

        assert await gateway.ended() == 0
    assert "Traceback" not in gateway.output


async def test_its_output_never_shows_the_password_of_redis() -> None:
    port = free_port()
    async with program(
        "gateway", PORT=str(port), REDIS_URL="redis://:hush@127.0.0.1:1", LOG_LEVEL="debug"
    ) as gateway:
        await until(lambda: "gateway_listening" in gateway.output)
        gateway.send(signal.SIGTERM)
        await gateway.ended()

    assert "hush" not in gateway.output
