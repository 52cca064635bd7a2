"""Programs that some tests want and not every machine has; in CI a skipped test fails the run."""

import os
import shutil
import sys
from pathlib import Path

import pytest

_PLACES = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
"""``make web`` fetches a Node into the virtual environment where the machine's does not fit."""


def program(*names: str) -> str:
    """Return the path of the first program that there is; skip the test without any."""
    for name in names:
        if found := shutil.which(name, path=_PLACES):
            return found
    pytest.skip(f"{names[0]} is not installed")


def node(folder: Path, remedy: str) -> str:
    """Return node's path; skip the test, and say the remedy, where a folder has no packages."""
    found = program("node")
    if not (folder / "node_modules").is_dir():
        pytest.skip(f"no node_modules: {remedy}")
    return found
