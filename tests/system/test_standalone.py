"""``python -m standalone``: everything at once, and nothing left behind."""

import re
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from redis.asyncio import Redis

from shared import process
from shared.rfc3339 import to_nanoseconds
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from tests.event_stream import EventStream, open_stream
from tests.programs import Program, program, ready
from tests.services import until

ALL = {"SPY", "IBM", "BAC", "AIG"}
BOTH = {"SPY", "IBM"}


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


@asynccontextmanager
async def standalone(
    port: int, *options: str, **environment: str
) -> AsyncIterator[tuple[str, Program]]:
    async with program("standalone", *options, PORT=str(port), **environment) as running:
        url = f"http://127.0.0.1:{port}"
        await ready(url)
        yield url, running


def children(running: Program) -> list[psutil.Process]:
    return psutil.Process(running.process.pid).children(recursive=True)


@pytest.mark.parametrize("store", ["", "memory://"])
async def test_prices_flow_with_nothing_configured_and_it_ends_without_a_trace(
    port: int, store: str
) -> None:
    async with standalone(port, REDIS_URL=store) as (url, running):
        async with open_stream(url, symbols="SPY,IBM,BAC,AIG") as stream:
            await stream.until(
                lambda s: len({p["symbol"] for p in s.of("price") if p["price"]}) == 4
            )
        await until(lambda: "the simulator" in running.output)
        await until(lambda: f"curl -N '{url}/api/stream/prices?symbols=" in running.output)
        started = children(running)
        assert bool(started) == (store == "")
        running.send(signal.SIGINT)
        assert await running.ended() == 0
        await until(lambda: not any(child.is_running() for child in started))


async def test_symbols_that_are_not_on_the_tape_have_live_prices_and_are_named(port: int) -> None:
    async with (
        standalone(port) as (url, _),
        open_stream(url, symbols="AAPL,SPY,DOGE/USD", interval="0") as stream,
        httpx.AsyncClient(base_url=url) as client,
    ):
        [hello] = await stream.until_kind("hello")
        assert hello["invented"] == ["AAPL", "DOGE/USD"]
        for symbol in hello["invented"]:
            await stream.until(lambda s: len(set(prices_of(s, symbol))) >= 3)  # noqa: B023
            await stream.until(lambda s: (symbol, "live") in states(s))  # noqa: B023
        newest = [price for price in stream.of("price") if price["symbol"] == "AAPL"][-1]
        assert newest["price"] == pytest.approx(newest["previous_close"], rel=0.1)

        change = {"add": ["price:MSFT", "price:IBM"]}
        changed = await client.patch(f"/api/stream/{hello['stream_id']}", json=change)
        assert changed.json()["invented"] == ["AAPL", "DOGE/USD", "MSFT"]
        await stream.until(lambda s: prices_of(s, "MSFT"))


def prices_of(stream: EventStream, symbol: str) -> list[float]:
    """Return the prices of a symbol so far."""
    return [p["price"] for p in stream.of("price") if p["symbol"] == symbol and p["price"]]


def states(stream: EventStream) -> set[tuple[str, str]]:
    """Return the states that symbols have had."""
    return {(each["symbol"], each["state"]) for each in stream.of("status")}


async def test_its_valkey_can_be_looked_into_and_dies_with_it_however_it_dies(port: int) -> None:
    async with standalone(port) as (url, running):
        found = re.search(r"redis-cli -p (\d+) GET price:SPY", running.output)
        assert found is not None
        async with open_stream(url, symbols="SPY") as stream:
            await stream.until(lambda s: any(p["price"] for p in s.of("price")))
            async with Redis(port=int(found[1]), decode_responses=True) as redis:

                async def traded_just_now() -> bool:
                    return '"timestamp":"' in str(await redis.get("price:SPY"))

                await until(traded_just_now)
                assert 0 < await redis.pttl("price:SPY") <= 5_000
        started = children(running)
        assert started
        running.send(signal.SIGKILL)
        await running.ended()
        await until(lambda: not any(child.is_running() for child in started))


async def test_a_killed_valkey_is_started_again_and_prices_go_on(port: int) -> None:
    async with (
        standalone(port) as (url, running),
        open_stream(url, symbols="SPY", interval="0") as stream,
    ):
        await stream.until(lambda s: any(p["price"] for p in s.of("price")))
        (valkey,) = [c for c in children(running) if "valkey" in c.name()]
        valkey.kill()
        await stream.until(lambda s: any(not f["alpaca_connected"] for f in s.of("feed")))
        before = len(stream.of("price"))
        await stream.until(lambda s: len(s.of("price")) > before + 3)
        assert not stream.ended


async def test_with_keys_it_uses_alpaca_and_says_so(port: int) -> None:
    async with Simulator(SimulatorSettings()) as upstream:
        environment = {
            "ALPACA_PAPER_API_KEY": DEFAULT_KEY,
            "ALPACA_PAPER_SECRET_KEY": DEFAULT_SECRET,
            "ALPACA_STREAM_URL": upstream.stream_url,
            "ALPACA_DATA_URL": upstream.rest_url,
            "ALPACA_TRADING_URL": upstream.rest_url,
            "API_TOKEN": "a-secret-token",
        }
        async with standalone(port, **environment) as (url, running):
            headers = {"Authorization": "Bearer a-secret-token"}
            async with open_stream(url, symbols="SPY", headers=headers) as stream:
                await stream.until(lambda s: any(p["price"] for p in s.of("price")))
            assert "Alpaca's iex feed with your paper keys" in running.output
            assert '-H "Authorization: Bearer $API_TOKEN"' in running.output
            assert "a-secret-token" not in running.output
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"{url}/api/stream/status")).status_code == 401


async def test_a_recorded_run_can_be_replayed_as_if_it_were_now(port: int, tmp_path: Path) -> None:
    capture = str(tmp_path / "day.jsonl.gz")
    async with standalone(port, "--record", capture) as (url, running):
        recorded = await newest_print(url)
        running.send(signal.SIGINT)
        assert await running.ended() == 0

    # Keys and feed do not matter: the capture takes Alpaca's place.
    keys = {"ALPACA_PAPER_API_KEY": "PKTEST", "ALPACA_PAPER_SECRET_KEY": "secret"}
    async with standalone(port, "--replay", capture, ALPACA_FEED="sip", **keys) as (url, running):
        moved = await newest_print(url)
        async with open_stream(url, symbols="AAPL") as stream:
            [hello] = await stream.until_kind("hello")
        assert hello["invented"] == []
        assert f"the simulator, which replays {capture}" in running.output
        running.send(signal.SIGINT)
        assert await running.ended() == 0
        assert "Traceback" not in running.output

    # A capture that began less than a minute ago is not moved.
    assert recorded <= moved <= time.time_ns()


async def newest_print(url: str) -> int:
    """Wait for prices of two symbols; return the time (unix ns) of the newest print."""
    async with open_stream(url, symbols="SPY,IBM") as stream:
        await stream.until(lambda s: {p["symbol"] for p in s.of("price") if p["price"]} == BOTH)
        return max(to_nanoseconds(p["timestamp"]) for p in stream.of("price") if p["price"])


async def test_a_capture_that_cannot_be_used_is_named(port: int, tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl"
    path.write_text("precious")
    for option, problem in (("--record", "exists"), ("--replay", "no capture of")):
        async with program("standalone", option, str(path), PORT=str(port)) as running:
            assert await running.ended() == process.EXIT_SETTINGS
        assert f"{path}" in running.output
        assert problem in running.output
        assert "Traceback" not in running.output
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ALPACA_PAPER_API_KEY": "PK1"}, "ALPACA_PAPER_SECRET_KEY is not set"),
        ({"HOST": "0.0.0.0"}, "HOST is 0.0.0.0: anyone who reaches this address could read"),
        ({"REDIS_URL": "http://x"}, "'http://…' is not a Redis URL"),
        ({"PORT": "99999"}, "PORT"),
    ],
)
async def test_settings_that_cannot_work_are_refused_with_the_remedy(
    environment: dict[str, str], said: str
) -> None:
    async with program("standalone", **environment) as running:
        assert await running.ended() == process.EXIT_SETTINGS
    assert said in running.output
    assert "Traceback" not in running.output


async def test_a_port_in_use_is_named(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        async with program("standalone", PORT=str(port)) as running:
            assert await running.ended() == process.EXIT_SETTINGS
    assert f"127.0.0.1:{port} cannot be used" in running.output
    assert "Traceback" not in running.output


async def test_keys_that_alpaca_refuses_end_it_with_the_remedy(port: int) -> None:
    async with Simulator(SimulatorSettings(tape=None, positions=())) as upstream:
        environment = {
            "ALPACA_PAPER_API_KEY": "PKWRONG",
            "ALPACA_PAPER_SECRET_KEY": "never-to-be-printed",
            "ALPACA_STREAM_URL": upstream.stream_url,
            "ALPACA_DATA_URL": upstream.rest_url,
            "ALPACA_TRADING_URL": upstream.rest_url,
        }
        async with program("standalone", PORT=str(port), **environment) as running:
            assert await running.ended() == process.EXIT_SETTINGS
    assert "check ALPACA_PAPER_API_KEY and ALPACA_PAPER_SECRET_KEY" in running.output
    assert "never-to-be-printed" not in running.output
    assert "Traceback" not in running.output
