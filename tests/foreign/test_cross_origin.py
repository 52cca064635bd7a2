"""A page of another origin in a real Chromium: lets itself in, reads, and comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import composition
from gateway.http.app import create_app
from gateway.http.listener import listen
from gateway.http.server import make_server
from shared.bus.redis_source import RedisSource
from tests.browser import Browser, open_browser
from tests.services import running_gateway, until

PAGE = """<!doctype html><link rel=icon href="data:,"><p id=state>loading</p><script>
const gateway = new URLSearchParams(location.search).get("gateway");
const state = document.getElementById("state");
let opened = 0;
const show = (text) => { state.textContent = text; };
const sent = { Authorization: "Bearer a-token", "Content-Type": "application/json" };
fetch(`${gateway}/api/stream/ticket`, { method: "POST", headers: sent })
  .then((answer) => answer.json())
  .then(({ ticket }) => {
    const stream = new EventSource(`${gateway}/api/stream/prices?symbols=SPY&ticket=${ticket}`);
    stream.addEventListener("ready", () => show(`ready ${++opened}`));
  })
  .catch((error) => show(String(error)));
</script>"""


@pytest.fixture
async def browser(node: str, chromium: str) -> AsyncIterator[Browser]:
    async with open_browser(node, chromium) as opened:
        yield opened


@asynccontextmanager
async def page() -> AsyncIterator[str]:
    """Serve the page on another origin; yield its URL."""

    async def index(_: Request) -> HTMLResponse:
        return HTMLResponse(PAGE)

    listener = listen("127.0.0.1", 0, patience_seconds=20)
    server = make_server(Starlette(routes=[Route("/", index)]))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[bytes, bytes]]]:
    """Method and headers of everything that reaches a gateway."""
    seen: list[tuple[str, dict[bytes, bytes]]] = []

    def make(*arguments: Any, **named: Any) -> ASGIApp:
        app = create_app(*arguments, **named)

        async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append((scope["method"], dict(scope["headers"])))
            await app(scope, receive, send)

        return recorded

    monkeypatch.setattr(composition, "create_app", make)
    return seen


async def test_it_gets_a_ticket_and_a_stream(browser: Browser) -> None:
    async with (
        page() as origin,
        running_gateway(
            RedisSource("memory://"), cors_origins=origin, api_token="a-token"
        ) as gateway,
    ):
        await browser.do("open", url=f"{origin}/?gateway={gateway}")
        await browser.until("#state", "^ready 1$")

        assert (await browser.do("seen"))["problems"] == []


async def test_where_it_may_not_it_learns_nothing(browser: Browser) -> None:
    async with (
        page() as origin,
        running_gateway(
            RedisSource("memory://"), cors_origins="https://other.example", api_token="a-token"
        ) as gateway,
    ):
        await browser.do("open", url=f"{origin}/?gateway={gateway}")
        await browser.until("#state", "Failed to fetch")


async def test_it_comes_back_with_its_cursor_and_without_a_preflight(
    browser: Browser, asked: list[tuple[str, dict[bytes, bytes]]]
) -> None:
    source = RedisSource("memory://")
    async with page() as origin:
        async with running_gateway(source, cors_origins=origin) as gateway:
            await browser.do("open", url=f"{origin}/?gateway={gateway}")
            await browser.until("#state", "^ready 1$")
        before = len(asked)
        port = int(gateway.rpartition(":")[2])
        async with running_gateway(source, port=port, cors_origins=origin):
            await browser.until("#state", "^ready 2$")

    [(method, headers)] = asked[before:]
    assert (method, headers[b"origin"].decode()) == ("GET", origin)
    assert headers[b"last-event-id"] == b"0-0"
