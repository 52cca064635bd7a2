import shutil
from pathlib import Path

import pytest

from tests.foreign.clients import DRIVERS, ForeignClient, command

JAVASCRIPT = Path(__file__).parent / "js"


def _installed(*names: str) -> str:
    """Return a program's path; in CI a skipped test fails the run."""
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.skip(f"{names[0]} is not installed")


@pytest.fixture
def node() -> str:
    """Return node's path, for tests of JavaScript clients."""
    found = _installed("node")
    if not (JAVASCRIPT / "node_modules").is_dir():
        pytest.skip("no node_modules: run npm ci in tests/foreign/js")
    return found


@pytest.fixture
def chromium() -> str:
    """Return the path of a Chromium."""
    return _installed("chromium", "google-chrome")


@pytest.fixture(params=DRIVERS)
def client(request: pytest.FixtureRequest) -> ForeignClient:
    """The same test with each client."""
    name, driver = request.param, DRIVERS[request.param]
    node = request.getfixturevalue("node") if driver.endswith(".mjs") else ""
    environment = {}
    if name == "chromium":
        environment["CHROMIUM"] = request.getfixturevalue("chromium")
    if name == "curl":
        _installed("curl")
    return ForeignClient(name, command(driver, node), environment)
