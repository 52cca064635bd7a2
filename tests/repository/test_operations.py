"""Whatever the code says to an operator, docs/operations.md explains."""

import ast
import re
from collections.abc import Collection
from typing import get_args

import pytest

from ingest.upstream.upstream_error import _MEANING, Retry, UpstreamError
from shared.alarm import AlarmCode
from shared.gap import GapReason
from shared.ingest_status import IngestStatus, TapeCounts
from shared.symbol_status import SymbolState
from tests.chaos import plan
from tests.chaos.faults import KINDS
from tests.repository.documents import codes, document, rows, section, words
from tests.repository.tree import PACKAGES, modules, name_of, syntax

PAGE = "operations.md"
LEVELS = ("info", "warning", "error")
LOG_TABLES = [
    ("ingest", "line"),
    ("gateway", "line of a gateway"),
    ("shared", "line of any program"),
]


def log_lines(package: str, levels: Collection[str] = LEVELS) -> dict[str, str]:
    """Return the fixed log lines of a package and their levels, by default without debugging."""
    found: dict[str, str] = {}
    for path in modules(package):
        for node in ast.walk(syntax(path)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in levels
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                found[str(node.args[0].value)] = node.func.attr
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_log_events_are_names_that_one_can_search_for(package: str) -> None:
    lines = log_lines(package, ("debug", *LEVELS))

    assert [line for line in lines if not re.fullmatch(r"[a-z]+(_[a-z]+)+", line)] == []


def test_every_error_of_alpacas_has_its_advice() -> None:
    told = {
        int(code)
        for cell in rows(section(PAGE, "Alpaca's errors"), "error")
        for code in re.findall(r"\b[45]\d\d\b", cell)
    }

    assert set(_MEANING) - told == set()


def test_errors_that_end_a_stream_are_told_apart_from_those_that_pass() -> None:
    table = rows(section(PAGE, "Alpaca's errors"), "error")
    ending = {
        int(code)
        for cell, rest in table.items()
        if "stops with status 78" in rest or "| the same |" in f"| {rest}"
        for code in re.findall(r"`([45]\d\d)`", cell)
    }

    assert ending == {code for code in _MEANING if UpstreamError("", code).retry is Retry.NEVER}


def test_every_alarm_has_its_advice_and_no_other() -> None:
    told = [code for cell in rows(section(PAGE, "Alarms"), "alarm") for code in codes(cell)]

    assert sorted(told) == sorted(get_args(AlarmCode))


def test_every_state_of_a_symbol_has_its_advice() -> None:
    table = rows(section(PAGE, "A symbol's status"), "`status`")

    assert sorted(table) == sorted(f"`{state}`" for state in get_args(SymbolState))


def test_the_gaps_that_clients_of_prices_see_are_explained() -> None:
    assert "upstream_lost" in get_args(GapReason)
    assert "`gap` `upstream_lost`" in section(PAGE, "What happens when …")


@pytest.mark.parametrize(("package", "header"), LOG_TABLES)
def test_every_log_line_is_explained_with_its_level(package: str, header: str) -> None:
    table = rows(section(PAGE, "Log lines"), header)
    explained = {line: rest for cell, rest in table.items() for line in codes(cell)}

    assert set(log_lines(package)) - set(explained) == set()
    for line, level in log_lines(package).items():
        assert level in words(explained[line].partition(" | ")[0]), line


@pytest.mark.parametrize(("package", "header"), LOG_TABLES)
def test_no_log_line_is_explained_that_there_is_not(package: str, header: str) -> None:
    text = "\n".join(path.read_text() for path in modules(package))
    table = rows(section(PAGE, "Log lines"), header)

    parts = [part for cell in table for line in codes(cell) for part in re.split("…", line)]
    assert [part for part in parts if part.strip(" :;") not in text] == []


def test_every_field_of_the_report_that_is_named_exists() -> None:
    report, tape = set(IngestStatus.__struct_fields__), set(TapeCounts.__struct_fields__)
    text = document(PAGE)

    assert set(re.findall(r"`ingest\.(\w+)", text)) <= report
    assert set(re.findall(r"`ingest\.tape\.(\w+)", text)) <= tape


def test_the_plan_that_is_shown_can_be_replayed() -> None:
    [written] = re.findall(r'--replay (\S+)"', document(PAGE))

    assert plan.written(plan.read(written, KINDS)) == written


def test_files_that_are_named_exist() -> None:
    named = set(re.findall(r"`((?:ingest|gateway|shared|docs)/[\w/.]+)`", document(PAGE)))

    assert named <= {name_of(path) for path in modules("ingest", "gateway", "shared")}
