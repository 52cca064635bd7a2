"""One Chromium and one simulated market for all tests of the page; a new profile for each."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.http.page import BUILD
from shared.bus.valkey_server import ValkeyServer
from simulator.service import Simulator, SimulatorSettings
from tests import installed
from tests.browser import JS, Browser, open_browser
from tests.page.screen import Screen
from tests.ports import free_port
from tests.programs import ingest_environment, program


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if not (BUILD / "index.html").is_file():
        pytest.skip("the page is not built: run make web")
    node = installed.node(JS, "run npm ci in tests/foreign/js")
    async with open_browser(node, installed.program("chromium", "google-chrome")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def screen(browser: Browser) -> AsyncIterator[Screen]:
    """A browser that knows nothing yet. In the end nothing in it must have gone wrong."""
    await browser.do("fresh")
    screen = Screen(browser)
    yield screen
    assert await screen.strangers() == []
    assert await screen.problems() == []


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def valkey() -> AsyncIterator[ValkeyServer]:
    async with ValkeyServer(free_port()) as server:
        yield server


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def market(valkey: ValkeyServer) -> AsyncIterator[Simulator]:
    """The replayed tape, and an ingest that follows it; a test that breaks it repairs it."""
    async with (
        Simulator(SimulatorSettings()) as simulator,
        program("ingest", **ingest_environment(simulator, valkey.url)),
    ):
        yield simulator


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go: ``SCREENSHOTS`` in the environment, to look at them."""
    return Path(os.environ.get("SCREENSHOTS", tmp_path))
