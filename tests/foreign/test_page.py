"""The page at ``/`` in a real Chromium, on the real gateway."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.redis_source import RedisSource
from simulator.service import Simulator, SimulatorSettings
from tests.foreign.browser import Browser, open_browser
from tests.services import running_gateway, running_ingest

PRICE = r"^\d+\.\d\d$"


@pytest.fixture
async def browser(node: str, chromium: str) -> AsyncIterator[Browser]:
    async with open_browser(node, chromium) as opened:
        yield opened


@pytest.fixture
async def prices(source: RedisSource) -> AsyncIterator[None]:
    """An ingest on the replayed tape."""
    async with Simulator(SimulatorSettings()) as simulator, running_ingest(source, simulator):
        yield


def cell(row: int, field: str) -> str:
    return f"#prices tr:nth-child({row}) td[data-field='{field}']"


async def test_the_page_shows_prices_that_tick(
    browser: Browser, source: RedisSource, prices: None, tmp_path: Path
) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    async with running_gateway(source) as url:
        await browser.do("size", width=900, height=520, dark=False)
        await browser.do("open", url=url)
        await browser.until("#connection", "^LIVE$")
        for row in (1, 2, 3, 4):
            await browser.until(cell(row, "price"), PRICE)
        first = await browser.do("text", selector=cell(1, "price"))
        await browser.until(cell(1, "price"), f"^(?!{first}$)")
        await browser.do("screenshot", path=str(folder / "page-light.png"))
        await browser.do("size", width=400, height=620, dark=True)
        await browser.do("screenshot", path=str(folder / "page-dark-narrow.png"))

        assert (await browser.do("seen"))["problems"] == []


async def test_the_page_says_connecting_when_its_gateway_is_gone_and_live_when_it_is_back(
    browser: Browser, source: RedisSource, prices: None
) -> None:
    async with running_gateway(source) as url:
        await browser.do("open", url=url)
        await browser.until("#connection", "^LIVE$")
    await browser.until("#connection", r"^Connecting\.\.\.$")
    async with running_gateway(source, port=int(url.rpartition(":")[2])):
        await browser.until("#connection", "^LIVE$", seconds=30)


async def test_the_page_signs_in_with_a_token_that_no_url_holds(
    browser: Browser, source: RedisSource, prices: None
) -> None:
    async with running_gateway(source, api_token="a-secret-token") as url:
        await browser.do("open", url=url)
        await browser.until("#reason", "asks for a token")
        await browser.do("fill", selector="input[name=token]", value="wrong")
        await browser.do("press", selector="input[name=token]", key="Enter")
        await browser.until("#reason", "the token is wrong")
        await browser.do("fill", selector="input[name=token]", value="a-secret-token")
        await browser.do("press", selector="input[name=token]", key="Enter")
        await browser.until("#connection", "^LIVE$")
        await browser.until(cell(1, "price"), PRICE)

        urls = (await browser.do("seen"))["urls"]
        assert any("ticket=" in each for each in urls)
        assert not any("a-secret-token" in each for each in urls)


async def test_a_bad_symbol_is_named_and_an_unknown_one_has_its_reason(
    browser: Browser, source: RedisSource, prices: None
) -> None:
    async with running_gateway(source) as url:
        await browser.do("open", url=f"{url}/?symbols=SPY")
        await browser.until("#connection", "^LIVE$")
        await browser.do("fill", selector="input[name=symbols]", value="ZZZZ")
        await browser.do("press", selector="input[name=symbols]", key="Enter")
        await browser.until(cell(2, "age"), "Alpaca does not know it")
        await browser.do("fill", selector="input[name=symbols]", value="12$")
        await browser.do("press", selector="input[name=symbols]", key="Enter")
        await browser.until("#refused", r"'12\$' is not a stock symbol")


async def test_the_page_says_of_a_symbol_that_it_is_halted(
    browser: Browser, source: RedisSource
) -> None:
    halt = {"T": "s", "S": "IBM", "sc": "2", "sm": "Trading Halt", "rc": "D", "z": "A"}
    async with (
        Simulator(SimulatorSettings()) as simulator,
        running_ingest(source, simulator),
        running_gateway(source) as url,
    ):
        await browser.do("open", url=url)
        await browser.until(cell(2, "price"), PRICE)
        await simulator.publish({**halt, "rm": "News dissemination"})

        await browser.until("#prices tr:nth-child(2) [data-field='state']", "^halted$")
