"""The page at ``/`` in a real Chromium, on the real gateway."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from bench.programs import ingest_environment, program
from gateway.http.page import BUILD
from shared.redis_source import RedisSource
from shared.valkey_server import ValkeyServer
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from tests.foreign.browser import Browser, open_browser
from tests.processes import gateway_process
from tests.services import running_gateway, running_ingest, until

PRICE = r"^\d+\.\d\d$"
TICKET = "/api/stream/ticket"
DIMMED = "getComputedStyle(document.querySelector('#prices')).opacity < 1"
FALLEN = "Failed to load resource"
"""What a browser itself says in the console of answers that are none, or refusals."""


@pytest.fixture
async def browser(node: str, chromium: str) -> AsyncIterator[Browser]:
    if not (BUILD / "index.html").is_file():
        pytest.skip("the page is not built: run make web")
    async with open_browser(node, chromium) as opened:
        yield opened


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """The replayed tape."""
    async with Simulator(SimulatorSettings()) as running:
        yield running


@pytest.fixture
async def prices(source: RedisSource, simulator: Simulator) -> AsyncIterator[None]:
    """An ingest on the replayed tape."""
    async with running_ingest(source, simulator):
        yield


def cell(symbol: str, field: str) -> str:
    return f"#prices tr[data-symbol='{symbol}'] [data-field='{field}']"


async def live(browser: Browser, seconds: float = 15) -> None:
    await browser.until("#connection", "^LIVE$", seconds)


async def stream_id(browser: Browser) -> str:
    """Return the id of the page's stream, which its feed panel shows."""
    text = "[...document.querySelectorAll('*')].map(e => e.childElementCount ? '' : e.textContent)"
    found = f"{text}.find(t => /-[0-9a-f]{{6}}-[0-9a-f]{{12}}$/.test(t)) ?? ''"
    await until(lambda: _truthy(browser, found))
    answer: str = await browser.do("evaluate", script=found)
    return answer


async def _truthy(browser: Browser, script: str) -> bool:
    return bool(await browser.do("evaluate", script=script))


async def problems(browser: Browser) -> list[str]:
    seen = await browser.do("seen")
    return [each for each in seen["problems"] if FALLEN not in each]


async def clients(url: str, token: str = "") -> int:
    """Return how many streams a gateway has."""
    async with httpx.AsyncClient() as client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = await client.get(f"{url}/api/stream/status", headers=headers)
        count: int = answer.json()["clients"]
        return count


async def test_the_page_is_live_within_three_seconds_and_its_prices_tick(
    browser: Browser, source: RedisSource, prices: None, tmp_path: Path
) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    async with running_gateway(source) as url:
        await browser.do("size", width=1280, height=800, dark=False)
        await browser.do("open", url=url)
        await live(browser, seconds=3)
        for symbol in ("SPY", "IBM", "BAC", "AIG"):
            await browser.until(cell(symbol, "price"), PRICE)
        first = await browser.do("text", selector=cell("SPY", "price"))
        await browser.until(cell("SPY", "price"), f"^(?!{first}$)")
        await browser.do("screenshot", path=str(folder / "page-light.png"))
        assert await browser.do("axe") == []
        await browser.do("size", width=1280, height=800, dark=True)
        assert await browser.do("axe") == []
        await browser.do("screenshot", path=str(folder / "page-dark.png"))
        await browser.do("size", width=390, height=844, dark=True)
        assert await browser.do("axe") == []
        await browser.do("screenshot", path=str(folder / "page-narrow.png"))

        seen = await browser.do("seen")
        assert seen["problems"] == []
        assert all(each.startswith(url) for each in seen["urls"])
        assert await clients(url) == 1


async def test_the_profit_that_is_shown_is_price_times_quantity_minus_cost(
    browser: Browser, source: RedisSource, prices: None
) -> None:
    async with running_gateway(source) as url:
        await browser.do("open", url=url)
        await live(browser)
        await browser.until(".tapecast-positions tbody tr[data-symbol=BAC]", r"\d\.\d\d")
        script = (
            "[...document.querySelectorAll('.tapecast-positions tr[data-symbol=BAC] td')]"
            ".map(e => e.textContent)"
        )
        read: list[str] = await browser.do("evaluate", script=script)
        numbers = [
            each.split("(")[0].translate(str.maketrans("", "", "$,+ updown")) for each in read
        ]
        async with httpx.AsyncClient() as client:
            [held] = (await client.get(f"{url}/api/positions?symbols=BAC")).json()["positions"]
        quantity, price, value, profit = (Decimal(numbers[at]) for at in (0, 2, 4, 6))
        assert quantity == Decimal(str(held["qty"]))
        assert value == quantity * price
        assert profit == value - Decimal(str(held["cost_basis"]))


async def test_an_order_changes_the_positions_that_are_shown(
    browser: Browser, source: RedisSource, simulator: Simulator, prices: None
) -> None:
    order = {"symbol": "AIG", "qty": "7", "side": "buy", "type": "market", "time_in_force": "day"}
    keys = {"APCA-API-KEY-ID": DEFAULT_KEY, "APCA-API-SECRET-KEY": DEFAULT_SECRET}
    async with running_gateway(source) as url, httpx.AsyncClient() as broker:
        await browser.do("open", url=url)
        await browser.until(".tapecast-positions tbody", "BAC.*IBM")
        await browser.until(cell("AIG", "price"), PRICE)
        await broker.post(f"{simulator.rest_url}/v2/orders", json=order, headers=keys)
        await browser.until(".tapecast-positions tbody tr[data-symbol=AIG] td", "^7$")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
async def test_the_page_says_connecting_when_its_gateway_is_gone_and_live_when_it_is_back(
    browser: Browser, valkey: ValkeyServer, prices: None, number: signal.Signals, tmp_path: Path
) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    async with gateway_process(valkey.url, DRAIN_SECONDS="0") as (url, gateway):
        await browser.do("open", url=url)
        await live(browser)
        await browser.until(cell("SPY", "price"), PRICE)
        gateway.send(number)
        await browser.until("#connection", r"^Connecting\.\.\.$")
        assert await browser.do("evaluate", script=DIMMED)
        await browser.do("screenshot", path=str(folder / f"page-{number.name}.png"))
        await gateway.ended()
    port = url.rpartition(":")[2]
    async with program("gateway", REDIS_URL=valkey.url, PORT=port):
        await live(browser, seconds=35)
        await until(lambda: _one_stream(url))
        rows = "document.querySelectorAll('#prices tr').length"
        assert await browser.do("evaluate", script=rows) == 4
    assert await problems(browser) == []


async def _one_stream(url: str) -> bool:
    return await clients(url) == 1


async def test_a_gateway_that_hangs_is_noticed_by_its_heartbeats(
    browser: Browser, valkey: ValkeyServer, prices: None
) -> None:
    async with gateway_process(valkey.url, HEARTBEAT_SECONDS="1") as (url, gateway):
        await browser.do("open", url=url)
        await live(browser)
        gateway.send(signal.SIGSTOP)
        try:
            await browser.until("#connection", r"^(Stale|Connecting\.\.\.)$")
        finally:
            gateway.send(signal.SIGCONT)
        await live(browser, seconds=35)


async def test_a_spent_ticket_and_a_gateway_without_redis_are_survived(
    browser: Browser, source: RedisSource, prices: None
) -> None:
    token = "a-secret-token"
    async with running_gateway(source, api_token=token) as url:
        await browser.do("open", url=url)
        await browser.until("#sign-in", "asks for an API token")
        away = {"error": {"code": "redis_unavailable", "message": "away", "hint": ""}}
        spent = json.dumps({"ticket": "spent", "expires_in": 30})
        await browser.do("answer", path=TICKET, times=1, status=503, body=json.dumps(away))
        await browser.do("answer", path=TICKET, times=1, status=201, body=spent)
        await browser.do("fill", selector="input[name=token]", value=token)
        await browser.do("press", selector="input[name=token]", key="Enter")
        await live(browser, seconds=20)
        urls = (await browser.do("seen"))["urls"]
        assert any("ticket=spent" in each for each in urls)


async def test_the_token_is_in_no_url_no_log_and_no_console(
    browser: Browser, valkey: ValkeyServer, simulator: Simulator
) -> None:
    token, wrong = "a-secret-token", "a-wrong-secret"
    async with (
        program("ingest", **ingest_environment(simulator, valkey.url)),
        gateway_process(valkey.url, API_TOKEN=token, ACCESS_LOG="true") as (url, gateway),
    ):
        await browser.do("open", url=url)
        await browser.until("#sign-in", "asks for an API token")
        assert await browser.do("axe") == []
        for given, then in ((wrong, "the token is wrong"), (token, "")):
            await browser.do("fill", selector="input[name=token]", value=given)
            await browser.do("press", selector="input[name=token]", key="Enter")
            if then:
                await browser.until("#sign-in [role=alert]", then)
        await live(browser)
        await browser.until(cell("SPY", "price"), PRICE)
        seen = await browser.do("seen")
        kept = await browser.do("evaluate", script="JSON.stringify(localStorage) + document.cookie")
        told = json.dumps([seen, kept]) + gateway.output
        assert "ticket=" in json.dumps(seen["urls"])
        assert token not in told
        assert wrong not in told
        assert await problems(browser) == []


async def test_a_token_for_the_market_alone_has_a_page_without_positions(
    browser: Browser, source: RedisSource, prices: None
) -> None:
    async with running_gateway(source, api_token="for-the-web market") as url:
        await browser.do("open", url=url)
        await browser.do("fill", selector="input[name=token]", value="for-the-web")
        await browser.do("press", selector="input[name=token]", key="Enter")
        await live(browser)
        await browser.until(".denied", "does not allow positions")


async def test_symbols_come_to_a_running_stream_and_wrong_ones_are_named(
    browser: Browser, source: RedisSource, prices: None
) -> None:
    async with running_gateway(source) as url:
        await browser.do("open", url=f"{url}/?symbols=SPY")
        await live(browser)
        before = await stream_id(browser)
        await browser.do("fill", selector="input[name=symbols]", value="ibm, ZZZZ 12$")
        await browser.do("press", selector="input[name=symbols]", key="Enter")
        await browser.until("#refused", r"'12\$' is not a stock symbol")
        await browser.until(cell("IBM", "price"), PRICE)
        await browser.until(cell("ZZZZ", "age"), "Alpaca does not know it")
        assert await stream_id(browser) == before
        assert await clients(url) == 1


async def test_a_halt_is_a_tag_and_a_feed_that_is_lost_makes_the_page_stale(
    browser: Browser, source: RedisSource, simulator: Simulator
) -> None:
    halt = {"T": "s", "S": "IBM", "sc": "2", "sm": "Trading Halt", "rc": "D", "z": "A"}
    async with running_gateway(source) as url:
        async with running_ingest(source, simulator):
            await browser.do("open", url=url)
            await browser.until(cell("IBM", "price"), PRICE)
            await simulator.publish({**halt, "rm": "News dissemination"})
            await browser.until(cell("IBM", "state"), "^halted$")
            await live(browser)
        await browser.until("#connection", "^Stale$")
        await browser.until("#reason", "ingest")
        async with running_ingest(source, simulator):
            await live(browser)
        assert await clients(url) == 1


async def test_a_sixth_tab_says_why_it_waits_and_goes_on_when_another_is_closed(
    browser: Browser, source: RedisSource, prices: None
) -> None:
    async with running_gateway(source) as url:
        for number in range(7):
            if number:
                await browser.do("tab")
            await browser.do("open", url=url)
            if number < 5:
                await live(browser)
            else:
                await browser.until("#connection", "^Limit$")
                await browser.until("#reason", "six HTTP/1.1 connections")
        assert await clients(url) == 5
        await browser.do("show", number=0)
        await browser.do("close")
        await browser.do("show", number=4)
        await live(browser, seconds=20)
        await until(lambda: _five_streams(url))


async def _five_streams(url: str) -> bool:
    return await clients(url) == 5


async def test_a_pause_freezes_what_is_shown_and_not_the_stream(
    browser: Browser, source: RedisSource, prices: None
) -> None:
    async with running_gateway(source) as url:
        await browser.do("open", url=f"{url}/?symbols=SPY&interval=0")
        await browser.until(cell("SPY", "price"), PRICE)
        await browser.do("click", selector="button[aria-pressed=false]")
        await browser.until("body", r"Paused · [1-9]")
        frozen = await browser.do("text", selector=cell("SPY", "size"))
        await asyncio.sleep(1)
        assert await browser.do("text", selector=cell("SPY", "size")) == frozen
        await live(browser)
        await browser.do("click", selector="button[aria-pressed=true]")
        await browser.until(cell("SPY", "size"), f"^(?!{frozen}$)")


async def test_a_page_that_comes_back_from_the_history_is_live_with_one_stream(
    browser: Browser, source: RedisSource, prices: None
) -> None:
    async with running_gateway(source) as url:
        await browser.do("open", url=url)
        await live(browser)
        await browser.do("open", url=f"{url}/healthz")
        await until(lambda: _no_stream(url))
        await browser.do("evaluate", script="history.back()")
        await live(browser)
        assert await clients(url) == 1


async def _no_stream(url: str) -> bool:
    return await clients(url) == 0


async def test_a_hidden_page_is_up_to_date_when_it_is_seen_again(
    browser: Browser, source: RedisSource, prices: None
) -> None:
    hide = (
        "Object.defineProperty(document, 'hidden', {{configurable: true, get: () => {hidden}}});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    async with running_gateway(source) as url:
        await browser.do("open", url=f"{url}/?symbols=SPY")
        await browser.until(cell("SPY", "price"), PRICE)
        first = await browser.do("text", selector=cell("SPY", "size"))
        await browser.do("evaluate", script=hide.format(hidden="true"))
        await browser.until(cell("SPY", "size"), f"^(?!{first}$)")
        await browser.do("evaluate", script=hide.format(hidden="false"))
        await live(browser)
