"""A skipped test is a hole in CI, and a convenience on a desk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository.tree import ROOT

pytestmark = pytest.mark.slow

ONE_SKIPPED = """
import pytest

def test_that_runs():
    pass

@pytest.mark.skip(reason="nothing to see")
def test_that_does_not():
    pass
"""


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize(("ci", "exit_code"), [("true", 1), ("", 0)])
def test_a_skipped_test_fails_the_session_in_ci_only(
    tmp_path: Path, ci: str, exit_code: int, workers: str
) -> None:
    answer = _run(tmp_path, ONE_SKIPPED, ci, workers)

    assert answer.returncode == exit_code, answer.stdout
    assert ("test_it.py::test_that_does_not" in answer.stdout) == bool(ci)
    assert "1 passed, 1 skipped" in answer.stdout.splitlines()[-1]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_module_that_skips_itself_counts_too(tmp_path: Path, workers: str) -> None:
    module = "import pytest\npytest.importorskip('no_such_library')\n"

    assert _run(tmp_path, module + ONE_SKIPPED, "true", workers).returncode != 0


def _run(folder: Path, module: str, ci: str, workers: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(module)
    plugins = ["-p", "xdist", "-p", "tests.skips"]
    place = ["-n", workers, "-c", os.devnull, "--rootdir", str(folder), str(folder)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *place],
        cwd=ROOT,
        # The other installed plugins take most of the time.
        env={**os.environ, "CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
