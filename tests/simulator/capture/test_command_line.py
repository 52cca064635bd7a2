"""``python -m simulator --replay``, as a developer uses it."""

import re
import signal
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from simulator.__main__ import main, parse_arguments
from simulator.capture.settings import CaptureSettings
from simulator.settings import SimulatorSettings
from tests.limits import LIMIT_SECONDS
from tests.programs import program
from tests.services import until
from tests.simulator.capture.written import Capture, subscribe, trade


def test_a_capture_keeps_its_times_and_a_tape_its_minutes_unless_one_asks_for_others() -> None:
    assert parse_arguments([]).shift == "minutes"
    assert parse_arguments([]).replay is None
    assert parse_arguments(["--shift", "days"]).shift == "days"
    given = ["--replay", "day.jsonl"]
    assert parse_arguments(given).replay == CaptureSettings(Path("day.jsonl"), "none", 5.0)
    given += ["--shift", "minutes", "--patience", "1.5"]
    assert parse_arguments(given).replay == CaptureSettings(Path("day.jsonl"), "minutes", 1.5)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--shift", "hours"], "'hours'"),
        (["--patience", "-1"], "patience is -1.0, expected 0 seconds or more"),
        (["--patience", "nan"], "patience is nan"),
        (["--speed", "2", "--shift", "days"], "speed is 2.0 and shift 'days'"),
        (["--speed", "0"], "speed is 0.0"),
    ],
)
def test_options_that_cannot_work_are_named(
    options: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(["--replay", "day.jsonl", *options])
    assert ended.value.code == 2
    assert problem in capsys.readouterr().err


def test_a_shift_of_another_name_is_rejected() -> None:
    with pytest.raises(ValueError, match="expected one of minutes, days, none"):
        SimulatorSettings(replay=CaptureSettings(Path("day.jsonl"), "hours"))  # type: ignore[arg-type]


def test_a_file_that_is_no_capture_ends_the_program_with_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "day.jsonl"
    path.write_text("{}")

    assert main(["--replay", str(path), "--port", "0"]) == 2
    assert f"simulator: {path}: no capture of" in capsys.readouterr().err


@pytest.mark.slow
async def test_the_program_serves_a_capture(tmp_path: Path) -> None:
    path = Capture().session(trade(1)).write(tmp_path / "day.jsonl")
    async with program("simulator", "--replay", str(path), "--port", "0") as running:
        await until(lambda: f"capture {path}" in running.output)
        found = re.search(r"ws://[\d.:]+", running.output)
        assert found is not None
        async with connect(f"{found[0]}/v2/iex") as client:
            await subscribe(client)
            assert b"SPY" in bytes(str(await client.recv()), "utf-8")
        async with httpx.AsyncClient(timeout=LIMIT_SECONDS) as http:
            url = f"{found[0].replace('ws', 'http')}/simulator/state"
            assert (await http.get(url)).json()["capture"]["rows"] == 8
        running.send(signal.SIGTERM)
        assert await running.ended() == 0
    assert "Traceback" not in running.output
