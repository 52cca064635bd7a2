"""``python -m ingest`` as an operator meets it."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from ingest.__main__ import main
from shared import process
from shared.bus.redis_source import RedisSource
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.watching import until_subscribed, watcher
from tests.programs import program
from tests.services import until
from tests.simulator.client import endpoint_state

pytestmark = pytest.mark.slow

KEYS = {"ALPACA_PAPER_API_KEY": DEFAULT_KEY, "ALPACA_PAPER_SECRET_KEY": DEFAULT_SECRET}


def against(simulator: Simulator, **changed: str) -> dict[str, str]:
    return {
        **KEYS,
        "ALPACA_STREAM_URL": simulator.stream_url,
        "ALPACA_DATA_URL": simulator.rest_url,
        "ALPACA_TRADING_URL": simulator.rest_url,
        **changed,
    }


@pytest.mark.parametrize(
    ("environment", "problems"),
    [
        ({}, ["ALPACA_PAPER_API_KEY", "ALPACA_PAPER_SECRET_KEY", "REDIS_URL"]),
        ({"ALPACA_PAPER_API_KEY": "only"}, ["ALPACA_PAPER_SECRET_KEY", "REDIS_URL"]),
        ({"ALPACA_PAPER_SECRET_KEY": "only"}, ["ALPACA_PAPER_API_KEY", "REDIS_URL"]),
        (
            {**KEYS, "ALPACA_PAPER": "false", "REDIS_URL": "redis://127.0.0.1"},
            ["ALPACA_API_KEY", "ALPACA_SECRET_KEY"],
        ),
        (KEYS, ["REDIS_URL"]),
        ({**KEYS, "REDIS_URL": "127.0.0.1:6379"}, ["REDIS_URL"]),
        ({"REDIS_URL": "http://x"}, [*KEYS, "REDIS_URL"]),
        ({**KEYS, "REDIS_URL": "memory://"}, ["REDIS_URL"]),
        (
            {
                "REDIS_URL": "memory://",
                "ALPACA_FEED": "nyse",
                "ALPACA_SYMBOL_LIMIT": "0",
                "PRICE_TTL_SECONDS": "soon",
                "ALPACA_STREAM_URL": "stream.data.alpaca.markets",
                "ALPACA_DATA_URL": "wss://data.alpaca.markets",
                "LOG_LEVEL": "loud",
            },
            [
                *KEYS,
                "REDIS_URL",
                "ALPACA_FEED",
                "ALPACA_SYMBOL_LIMIT",
                "PRICE_TTL_SECONDS",
                "ALPACA_STREAM_URL",
                "ALPACA_DATA_URL",
                "LOG_LEVEL",
            ],
        ),
    ],
    ids=lambda value: ",".join(value) or "nothing",
)
def test_wrong_settings_stop_it_with_every_problem_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environment: dict[str, str],
    problems: list[str],
) -> None:
    for name in (*os.environ,):
        monkeypatch.delenv(name)
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    monkeypatch.chdir(tmp_path)

    assert main() == process.EXIT_SETTINGS
    heading, *lines = capsys.readouterr().err.splitlines()
    assert heading == "ingest cannot start:"
    assert sorted(line.strip().partition(":")[0] for line in lines) == sorted(problems)


async def test_missing_settings_are_the_processs_exit_status_too() -> None:
    async with program("ingest") as running:
        assert await running.ended() == process.EXIT_SETTINGS

    assert running.output.startswith("ingest cannot start:\n")
    assert "Traceback" not in running.output


async def test_wrong_keys_stop_it_with_the_remedy_and_without_the_secret(
    source: RedisSource,
) -> None:
    wrong = {"ALPACA_PAPER_SECRET_KEY": "a-secret-of-somebody", "REDIS_URL": source.url}
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        program("ingest", **against(simulator, **wrong)) as running,
    ):
        assert await running.ended() == process.EXIT_SETTINGS

    *_, error = [line for line in running.output.splitlines() if '"level": "error"' in line]
    assert "ALPACA_PAPER_SECRET_KEY" in json.loads(error)["error"]
    assert "a-secret-of-somebody" not in running.output
    assert "Traceback" not in running.output


async def test_without_redis_it_stays_up_and_says_so_once() -> None:
    url = "redis://user:pass-of-redis@127.0.0.1:1/0"
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        program("ingest", **against(simulator, REDIS_URL=url)) as running,
    ):
        await until(lambda: "127.0.0.1:1" in running.output)
        await asyncio.sleep(1.2)  # two further attempts
        assert running.process.returncode is None
        assert running.output.count("is unreachable") == 1
        running.process.send_signal(signal.SIGTERM)
        assert await running.ended() == 0

    assert "pass-of-redis" not in running.output
    assert "Traceback" not in running.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_with_a_clean_close_at_alpaca(
    source: RedisSource, number: signal.Signals
) -> None:
    haunted = SimulatorSettings(tape=None, positions=(), ghost_seconds=90)
    async with (
        Simulator(haunted) as simulator,
        watcher(source) as watching,
        program("ingest", **against(simulator, REDIS_URL=source.url)) as first,
    ):
        await watching.watch("SPY")
        await until_subscribed(simulator, "SPY")
        first.process.send_signal(number)
        assert await first.ended() == 0
        await until(lambda: endpoint_state(simulator)["connections"] == 0)
        assert "Traceback" not in first.output

        async with program("ingest", **against(simulator, REDIS_URL=source.url)):
            await until_subscribed(simulator, "SPY")
        assert endpoint_state(simulator)["refused"] == {}, "the slot was no ghost's"


async def test_a_standby_takes_over_from_one_that_was_killed(source: RedisSource) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
        program("ingest", **against(simulator, REDIS_URL=source.url)) as first,
    ):
        await watching.watch("SPY")
        await until_subscribed(simulator, "SPY")
        async with program("ingest", **against(simulator, REDIS_URL=source.url)) as second:
            await until(lambda: "standing_by" in second.output)
            assert endpoint_state(simulator)["connections_total"] == 1
            first.process.kill()
            await until(lambda: endpoint_state(simulator)["sessions_total"] == 2)
            await until_subscribed(simulator, "SPY")
