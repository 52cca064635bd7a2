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


@pytest.fixture
def clients(node: str, chromium: str) -> list[ForeignClient]:
    """Return every client."""
    installed.program("curl")
    return [
        ForeignClient(
            name, command(driver, node), {"CHROMIUM": chromium} if name == "chromium" else {}
        )
        for name, driver in DRIVERS.items()
    ]
