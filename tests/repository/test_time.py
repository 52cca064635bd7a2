"""No test passes or fails by the clock: every wait has a limit from ``tests/limits.py``."""

import ast
import math
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.examples import EXPLORE, QUICK, THOROUGH, examples
from tests.repository.tree import ROOT, modules, name_of, syntax

LIMITED = {"timeout", "wait_for", "wait", "until", "communicate"}
"""Calls whose last argument is a limit, or whose keyword is."""
SHORT_SECONDS = 1.0
"""Up to this, a number is how long a test looks whether something happens that must not."""


def written_limits(tree: ast.AST) -> Iterator[tuple[int, float]]:
    """Yield the line and the seconds of every limit that is a number in the code."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
        given = [each.value for each in call.keywords if each.arg in ("timeout", "seconds")]
        given += call.args[-1:] if name in ("timeout", "wait_for") else ()
        if name in LIMITED or any(each.arg == "timeout" for each in call.keywords):
            for value in given:
                if isinstance(value, ast.Constant) and isinstance(value.value, int | float):
                    yield call.lineno, value.value


def test_every_limit_of_a_test_is_scaled() -> None:
    found = [
        f"{name_of(path)}:{line}: {seconds:g} s"
        for path in modules("tests")
        for line, seconds in written_limits(syntax(path))
        if seconds > SHORT_SECONDS
    ]

    assert found == []


@pytest.mark.parametrize(
    "written",
    [
        "asyncio.timeout(15)",
        "asyncio.wait_for(task, 5)",
        "until(ready, seconds=3)",
        "pytest.mark.timeout(240)",
        "subprocess.run(command, timeout=30)",
    ],
)
def test_a_limit_that_is_not_scaled_is_found(written: str) -> None:
    assert len(list(written_limits(ast.parse(written)))) == 1


def test_no_property_has_a_deadline() -> None:
    written = [
        f"{name_of(path)}:{each.value.lineno}"
        for path in modules("tests")
        for each in ast.walk(syntax(path))
        if isinstance(each, ast.keyword) and each.arg == "deadline"
        if name_of(path) != "tests/examples.py"
    ]

    assert written == []
    assert settings().deadline is None
    assert {settings.get_profile(name).deadline for name in (QUICK, THOROUGH, EXPLORE)} == {None}


def test_ci_tries_more_examples_and_a_test_a_multiple_of_either() -> None:
    quick, thorough = (settings.get_profile(name).max_examples for name in (QUICK, THOROUGH))

    assert quick < thorough == 100
    assert examples(times=3).max_examples == 3 * settings().max_examples
    assert examples(times=0.1).max_examples == math.ceil(settings().max_examples / 10)


def test_ci_draws_the_same_examples_each_time_and_other_runs_new_ones() -> None:
    drawn = {name: settings.get_profile(name).derandomize for name in (QUICK, THOROUGH, EXPLORE)}

    assert drawn == {QUICK: False, THOROUGH: True, EXPLORE: False}


@pytest.mark.parametrize(("factor", "expected"), [("", 1), ("4", 4), ("0.5", 0.5)])
def test_one_factor_scales_every_limit(
    monkeypatch: pytest.MonkeyPatch, factor: str, expected: float
) -> None:
    scaled = []
    for value in ("1", factor):
        monkeypatch.setenv("TEST_TIME_FACTOR", value)
        scaled.append(runpy.run_path(str(ROOT / "tests" / "limits.py")))
    plain, wanted = scaled

    assert wanted["limit"](2) == 2 * expected
    for name in ("LIMIT_SECONDS", "TEST_SECONDS"):
        assert wanted[name] == expected * plain[name]


@pytest.mark.slow
@pytest.mark.parametrize(("given", "seconds"), [([], 600), (["--timeout=7"], 7)])
def test_the_limit_of_a_whole_test_is_scaled_unless_one_asks_for_another(
    given: list[str], seconds: float
) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "tests/shared/test_waiting.py", *given],
        cwd=ROOT,
        env={**os.environ, "TEST_TIME_FACTOR": "2"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert f"timeout: {seconds:.1f}s" in answer.stdout
