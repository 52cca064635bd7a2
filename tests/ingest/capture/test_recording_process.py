"""``--record`` of a process: refused, on a full disk, over several leaderships, after a crash."""

import resource
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared import process
from shared.bus.redis_source import RedisSource
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.capture.captures import frames, records
from tests.ingest.watching import Watcher, trade, until_subscribed, watcher
from tests.keyspace import KEYSPACE
from tests.programs import Program, ingest_environment, program
from tests.services import until
from tests.simulator.client import endpoint_state

pytestmark = pytest.mark.slow

QUIET = SimulatorSettings(tape=None, positions=())
PAIR_TRADE = {"T": "t", "S": "BTC/USD", "p": 60000, "s": 0.5, "i": 1, "tks": "B"}


async def test_an_existing_file_keeps_the_ingest_from_starting(tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl"
    path.write_text("precious")
    settings = {
        "ALPACA_PAPER_API_KEY": DEFAULT_KEY,
        "ALPACA_PAPER_SECRET_KEY": DEFAULT_SECRET,
        "REDIS_URL": "redis://127.0.0.1:1",
    }
    async with program("ingest", "--record", str(path), **settings) as running:
        assert await running.ended() == process.EXIT_SETTINGS

    assert f"{path} exists" in running.output
    assert "name another file" in running.output
    assert path.read_text() == "precious"


@asynccontextmanager
async def recording(
    source: RedisSource, path: Path
) -> AsyncIterator[tuple[Simulator, Watcher, Program]]:
    """Run an ingest that records; yield once it has shown a price of SPY, 50."""
    async with (
        Simulator(QUIET) as simulator,
        watcher(source) as watching,
        program(
            "ingest", "--record", str(path), **ingest_environment(simulator, source.url)
        ) as running,
    ):
        await watching.watch("SPY")
        await until_subscribed(simulator, "SPY")
        await trade(simulator, "SPY", 50)
        await watching.until_price("SPY", 50)
        yield simulator, watching, running


async def end(running: Program) -> None:
    running.send(signal.SIGTERM)
    assert await running.ended() == 0


async def test_everything_is_recorded_and_the_keys_are_not(
    source: RedisSource, tmp_path: Path
) -> None:
    path = tmp_path / "day.jsonl"
    async with recording(source, path) as (simulator, watching, running):
        await watching.watch("BTC/USD")
        await until(lambda: "BTC/USD" in endpoint_state(simulator, "crypto")["trades"])
        await simulator.publish(PAIR_TRADE)
        await watching.until_price("BTC/USD", 60000)
        await end(running)

    assert {each.stream for each in records(path, "connect")} == {"stocks", "account", "crypto"}
    paths = {each.path.partition("?")[0] for each in records(path, "rest")}
    assert {"/v2/account", "/v2/clock", "/v1beta3/crypto/us/snapshots"} <= paths
    assert records(path)[-1].reason == "the ingest has ended"
    for key in (DEFAULT_KEY.encode(), DEFAULT_SECRET.encode()):
        assert key not in path.read_bytes()
        assert [each for each in records(path) if key in each.frame.payload] == []


async def test_several_leaderships_are_in_one_file_and_a_standby_records_no_stream(
    source: RedisSource, tmp_path: Path
) -> None:
    path, other = tmp_path / "day.jsonl", tmp_path / "standby.jsonl"
    async with Simulator(QUIET) as simulator, watcher(source) as watching:
        environment = ingest_environment(simulator, source.url)
        async with program("ingest", "--record", str(path), **environment) as running:
            await watching.until_state("live")
            await watching.client.set(KEYSPACE.lease, "somebody-else 99999999999999", px=60_000)
            await until(lambda: endpoint_state(simulator)["connections"] == 0)
            async with program("ingest", "--record", str(other), **environment) as standby:
                await until(lambda: "standing_by" in standby.output)
            await watching.client.delete(KEYSPACE.lease, KEYSPACE.ingest_status)
            await watching.until_state("live")
            await end(running)

    stocks = [each for each in records(path, "connect", "end") if each.stream == "stocks"]
    assert [each.kind for each in stocks] == ["connect", "end", "connect", "end"]
    numbers = [each.connection for each in records(path, "connect")]
    assert numbers == [1, 2, 3, 4]
    assert records(other, "connect") == []
    assert records(other)[-1].kind == "stop"


async def test_a_crash_leaves_what_was_received_until_shortly_before(
    source: RedisSource, tmp_path: Path
) -> None:
    path = tmp_path / "day.jsonl.gz"
    async with recording(source, path) as (_, _, running):
        await until(lambda: any(b"SPY" in bytes(each) for each in _binary(path)))
        running.send(signal.SIGKILL)
        await running.ended()

    assert any(b"SPY" in each for each in _binary(path))
    assert records(path, "stop") == []


async def test_a_full_disk_raises_an_alarm_and_the_prices_go_on(
    source: RedisSource, tmp_path: Path
) -> None:
    path = tmp_path / "day.jsonl"
    async with recording(source, path) as (simulator, watching, running):
        _let_no_file_grow(running, path)
        await trade(simulator, "SPY", 51)
        text = await _until_alarm(watching)
        await trade(simulator, "SPY", 52)
        await watching.until_price("SPY", 52)
        await end(running)

    assert str(path) in text
    assert "File too large" in text
    assert running.output.count("recording_stopped") == 1
    assert "Traceback" not in running.output
    assert records(path)[0].kind == "capture"


def _binary(path: Path) -> list[bytes]:
    return [each for each in frames(path) if isinstance(each, bytes)]


def _let_no_file_grow(running: Program, path: Path) -> None:
    """Let the files of a process be as on a full disk."""
    pid, size = running.process.pid, path.stat().st_size
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, before[1]))


async def _until_alarm(watching: Watcher) -> str:
    """Wait until the report has the alarm; return its text."""
    found: list[str] = []

    async def is_there() -> bool:
        status = await watching.status()
        alarms = [] if status is None else status.alarms
        found.extend(each.text for each in alarms if each.code == "recording_stopped")
        return bool(found)

    await until(is_there)
    return found[-1]
