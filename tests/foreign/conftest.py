import shutil
from pathlib import Path

import pytest

JAVASCRIPT = Path(__file__).parent / "js"


@pytest.fixture
def node() -> str:
    """Return node's path, for tests of JavaScript clients; in CI a skipped test fails the run."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    if not (JAVASCRIPT / "node_modules").is_dir():
        pytest.skip("no node_modules: run npm ci in tests/foreign/js")
    return found
