"""docs/simulator.md has every option, every fault, and every endpoint of the simulator."""

import inspect
import re

import pytest

from simulator.__main__ import parse_arguments
from simulator.faults.catalogue import _STAGES, Faults
from simulator.faults.fault_requests import NAMES
from simulator.protocol.option_feeds import QUOTE_LIMITS
from simulator.protocol.subscription import ACCOUNT
from simulator.settings import SimulatorSettings
from tests.repository.documents import codes, document, rows, section, words
from tests.repository.tree import ROOT

PAGE = "simulator.md"
NEXT = {
    *_STAGES,
    "rest",
    "lost_updates",
    "swapped_updates",
    "torn_report",
    "no_streams",
    "adjustment",
    "lost_bars",
    "late_bars",
}


def faults() -> dict[str, str]:
    return {name.strip("`"): rest for name, rest in rows(section(PAGE, "Faults"), "fault").items()}


def test_every_fault_is_there_and_no_other() -> None:
    assert sorted(faults()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_fault_is_told_with_its_arguments_and_when_it_strikes(name: str) -> None:
    strikes, arguments, _ = faults()[name].split(" | ", 2)
    parameters = list(inspect.signature(getattr(Faults, name)).parameters)[1:]

    assert arguments.strip("`").split() == parameters
    assert strikes == ("next" if name in NEXT else "none" if name == "clear" else "now")


def test_every_option_is_there_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--help"])
    offered = set(re.findall(r"--[a-z-]+", capsys.readouterr().out.partition("options:")[2]))
    told = {name for cell in rows(document(PAGE), "option") for name in codes(cell)}

    assert told == offered - {"--help"}


def test_every_path_is_there_and_no_other() -> None:
    modules = (
        *("rest/market_data.py", "rest/crypto.py", "rest/trading.py", "faults/control.py"),
        *("options/rest.py", "options/contract_list.py"),
    )
    source = "".join((ROOT / "simulator" / name).read_text() for name in modules)
    served = {
        ACCOUNT.path,
        *(feed.path for feed in SimulatorSettings().feeds),
        *(path.replace(":path}", "}") for path in re.findall(r"oute\(\"([^\"]+)\"", source)),
    }

    assert (
        set(re.findall(r"`(?:GET |POST |PATCH |DELETE )?(/[\w/:{}-]+)`", document(PAGE))) == served
    )


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    settings = SimulatorSettings()

    assert f"{settings.requests_per_minute} requests a minute" in document(PAGE)
    assert str(settings.terms.symbol_limit) in words(rows(document(PAGE), "option")["`--plan`"])
    limits = f"limited to {QUOTE_LIMITS['basic']} contracts (`plus`: {QUOTE_LIMITS['plus']:,})"
    assert limits in section(PAGE, "Options")
