import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.installed import node, program
from tests.limits import limit
from tests.repository.tree import ROOT

WEB = ROOT / "web"
NPM_SECONDS = limit(900)
"""One command may run hundreds of tests, or compile everything twice."""


Npm = Callable[..., str]
"""Runs npm in ``web`` with some arguments; gives what it prints, or fails the test with that."""


@pytest.fixture(scope="session")
def npm() -> Npm:
    found = Path(node(WEB, "run make web"))
    command = program("npm")

    def run(*arguments: str) -> str:
        answer = subprocess.run(
            [command, *arguments],
            cwd=WEB,
            env={**os.environ, "PATH": f"{found.parent}{os.pathsep}{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=NPM_SECONDS,
            check=False,
        )
        assert answer.returncode == 0, answer.stdout
        return answer.stdout

    return run


@pytest.fixture(scope="session")
def built(npm: Npm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page, built for these tests."""
    folder = tmp_path_factory.mktemp("page")
    npm("run", "build:page", "--", "--outDir", str(folder), "--emptyOutDir")
    return folder
