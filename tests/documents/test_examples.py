"""Every example runs as it stands in its file, against a real ``standalone``."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from tests import installed
from tests.browser import JS, open_browser
from tests.documents.conftest import Standalone
from tests.event_stream import open_stream
from tests.ports import free_port
from tests.programs import Program, ready
from tests.repository.tree import ROOT, files
from tests.services import until

EXAMPLES = ROOT / "examples"

pytestmark = pytest.mark.slow
in_session_loop = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def example(*command: str, **settings: str) -> AsyncIterator[Program]:
    """Run an example as a reader would, until the block is left."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    running = Program(
        await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            env={**kept, "PYTHONUNBUFFERED": "1", **settings},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    )
    try:
        yield running
    finally:
        if running.process.returncode is None:
            running.process.terminate()
        await running.ended()


async def output(running: Program, matches: Callable[[str], object]) -> None:
    """Wait until the output satisfies a condition; fail at once if the example has ended."""
    await until(lambda: bool(matches(running.output)) or running.process.returncode is not None)
    assert matches(running.output), running.output


def test_every_example_is_listed() -> None:
    listed = set(re.findall(r"\]\(([\w./]+)\)", (EXAMPLES / "README.md").read_text()))
    there = {path.relative_to(EXAMPLES).as_posix() for path in files() if EXAMPLES in path.parents}

    assert there - {"README.md", "nginx/nginx.conf"} == {
        name for name in listed if not name.startswith("..")
    }


@in_session_loop
async def test_curl_prints_prices_of_every_symbol(standalone: Standalone) -> None:
    installed.program("curl")
    script = str(EXAMPLES / "curl.sh")
    async with example("bash", script, "SPY,IBM", TAPECAST_URL=standalone.url) as running:
        await output(
            running,
            lambda text: {*re.findall(r"^(\w+) +[\d.]+$", text, re.MULTILINE)} == {"SPY", "IBM"},
        )


@in_session_loop
async def test_curl_gives_up_if_the_request_is_rejected(standalone: Standalone) -> None:
    installed.program("curl")
    script = str(EXAMPLES / "curl.sh")
    async with example("bash", script, "not a symbol", TAPECAST_URL=standalone.url) as running:
        assert await running.ended() == 1
    assert "not a symbol" in running.output


@in_session_loop
async def test_python_prints_prices_and_trades(standalone: Standalone) -> None:
    script = str(EXAMPLES / "prices.py")
    async with example(
        sys.executable, script, "SPY", "IBM", TAPECAST_URL=standalone.url
    ) as running:
        await output(
            running,
            lambda text: (
                re.search(r"^SPY +[\d.]+ at 20", text, re.MULTILINE)
                and re.search(r"^(SPY|IBM) +[\d.]+ traded at [\d.]+$", text, re.MULTILINE)
            ),
        )


@in_session_loop
async def test_python_gives_up_if_the_request_is_rejected(standalone: Standalone) -> None:
    script = str(EXAMPLES / "prices.py")
    async with example(
        sys.executable, script, "not a symbol", TAPECAST_URL=standalone.url
    ) as running:
        assert await running.ended() == 1
    assert "price:not a symbol" in running.output


@in_session_loop
async def test_a_browser_shows_prices_from_another_origin(standalone: Standalone) -> None:
    node = installed.node(JS, "run npm ci in tests/foreign/js")
    chromium = installed.program("chromium", "google-chrome")
    port = str(standalone.other_origin_port)
    serve = ("-m", "http.server", "--bind", "127.0.0.1", "--directory", str(EXAMPLES), port)
    page = f"http://127.0.0.1:{port}/browser.html"
    async with (
        example(sys.executable, *serve),
        open_browser(node, chromium) as browser,
    ):
        await ready(page, "")
        await browser.do("open", url=f"{page}?gateway={standalone.url}")
        await browser.until("#connection", "^Connected$")
        for symbol in ("SPY", "IBM"):
            await browser.until(f"#{symbol} td:nth-child(2)", r"^[\d.]+$")
            await browser.until(f"#{symbol} td:nth-child(4)", "^(live|quiet)$")


@in_session_loop
async def test_two_gateways_behind_nginx_share_the_streams(standalone: Standalone) -> None:
    installed.program("nginx")
    nginx, *gateways = (free_port() for _ in range(3))
    ports = {
        "NGINX_PORT": str(nginx),
        "GATEWAY_A_PORT": str(gateways[0]),
        "GATEWAY_B_PORT": str(gateways[1]),
    }
    script = str(EXAMPLES / "nginx" / "run.sh")
    settings = {"REDIS_URL": standalone.redis_url, "LAME_DUCK_SECONDS": "0", **ports}
    async with example("bash", script, **settings) as running:
        for port in (*gateways, nginx):
            await ready(f"http://127.0.0.1:{port}")
        url = f"http://127.0.0.1:{nginx}"
        async with open_stream(url, symbols="SPY") as one, open_stream(url, symbols="SPY") as two:
            serving = set()
            for stream in (one, two):
                await stream.until(lambda s: any(price["price"] for price in s.of("price")))
                [hello] = stream.of("hello")
                serving.add(hello["stream_id"].rpartition("-")[0])
            assert len(serving) == 2, "both streams are at one gateway"
        running.process.terminate()
        await running.ended()
        async with httpx.AsyncClient() as client:
            for port in (*gateways, nginx):
                with pytest.raises(httpx.TransportError):
                    await client.get(f"http://127.0.0.1:{port}/readyz")
