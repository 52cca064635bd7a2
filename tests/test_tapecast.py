"""The ``tapecast`` command: its list of programs, and its advice when one cannot start."""

import tomllib
from collections.abc import Sequence

import pytest

import tapecast
from tests.repository.tree import ROOT


def project() -> dict[str, dict[str, dict[str, object]]]:
    found: dict[str, dict[str, dict[str, object]]] = tomllib.loads(
        (ROOT / "pyproject.toml").read_text()
    )
    return found


@pytest.mark.parametrize("words", [[], ["standalone"], ["--port"]])
def test_a_command_line_without_a_known_command_is_answered_with_the_list(
    words: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert tapecast.main(words) == tapecast.EXIT_USAGE
    error = capsys.readouterr().err
    assert all(f"  {name} " in error for name in ("run", "ingest", "gateway", "simulator"))
    assert "".join(words) in error


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["gateway", "--help"], ["gateway", "-h"]])
def test_help_is_printed_and_nothing_starts(
    words: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert tapecast.main(words) == 0
    assert capsys.readouterr().out == tapecast.USAGE


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert tapecast.main(["--version"]) == 0
    assert capsys.readouterr().out == f"tapecast {project()['project']['version']}\n"


def test_a_program_that_takes_no_options_names_the_way_to_set_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tapecast.main(["gateway", "--port", "8002"]) == tapecast.EXIT_USAGE
    error = capsys.readouterr().err
    assert "'--port 8002'" in error
    assert "PORT=8002 tapecast run" in error


@pytest.mark.parametrize("command", ["run", "ingest"])
def test_a_program_that_has_options_shows_them_and_names_the_way_to_set_a_setting(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        tapecast.main([command, "--help"])
    assert ended.value.code == 0
    assert "--record FILE" in capsys.readouterr().out

    with pytest.raises(SystemExit) as ended:
        tapecast.main([command, "--port", "8002"])
    assert ended.value.code == tapecast.EXIT_USAGE
    error = capsys.readouterr().err
    assert "--port 8002" in error
    assert "settings are environment variables: PORT=8002 python -m" in error


def test_the_simulator_gets_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        tapecast.main(["simulator", "--plan", "gold"])

    assert ended.value.code == tapecast.EXIT_USAGE
    assert "'gold'" in capsys.readouterr().err


def test_a_missing_library_is_named_with_the_extra_that_has_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def start(_: Sequence[str]) -> int:
        raise ModuleNotFoundError("No module named 'uvicorn.config'", name="uvicorn.config")

    monkeypatch.setitem(tapecast.COMMANDS, "gateway", tapecast.Command(start, "gateway", ""))
    assert tapecast.main(["gateway"]) == tapecast.EXIT_USAGE
    error = capsys.readouterr().err
    assert "gateway needs uvicorn" in error
    assert "pip install 'tapecast[gateway]'" in error


def test_a_missing_module_of_our_own_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: Sequence[str]) -> int:
        raise ModuleNotFoundError("No module named 'shared.lost'", name="shared.lost")

    monkeypatch.setitem(tapecast.COMMANDS, "gateway", tapecast.Command(start, "gateway", ""))
    with pytest.raises(ModuleNotFoundError):
        tapecast.main(["gateway"])


def test_every_extra_that_is_advised_exists() -> None:
    extras = project()["project"]["optional-dependencies"]

    assert {command.extra for command in tapecast.COMMANDS.values()} == set(extras)
