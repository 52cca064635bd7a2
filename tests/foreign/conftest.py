from pathlib import Path

import pytest

from tests import installed
from tests.foreign.clients import DRIVERS, ForeignClient, command

JAVASCRIPT = Path(__file__).parent / "js"


@pytest.fixture
def node() -> str:
    """Return node's path, for tests of JavaScript clients."""
    return installed.node(JAVASCRIPT, "run npm ci in tests/foreign/js")


@pytest.fixture
def chromium() -> str:
    """Return the path of a Chromium."""
    return installed.program("chromium", "google-chrome")


@pytest.fixture(params=DRIVERS)
def client(request: pytest.FixtureRequest) -> ForeignClient:
    """The same test with each client."""
    name, driver = request.param, DRIVERS[request.param]
    node = request.getfixturevalue("node") if driver.endswith(".mjs") else ""
    environment = {}
    if name == "chromium":
        environment["CHROMIUM"] = request.getfixturevalue("chromium")
    if name == "curl":
        installed.program("curl")
    return ForeignClient(name, command(driver, node), environment)
