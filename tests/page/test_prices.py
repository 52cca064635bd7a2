"""The page shows what the market does."""

import pytest

from gateway.composition import Surroundings
from shared.bus.redis_source import RedisSource
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.hours import SwitchableHours
from tests.event_stream import EventStream, open_stream
from tests.page.screen import CHART, PRICE, SYMBOLS, Screen, cell
from tests.page.streams import streams
from tests.services import running_gateway, running_ingest

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZE = cell("SPY", "size")

NOT_CUT_OFF = (
    "[...document.querySelectorAll('#prices th')].every(e => e.scrollWidth <= e.clientWidth)"
)

LEFT = """(() => {
    const { requestAnimationFrame, setTimeout } = window;
    window.kept = { requestAnimationFrame, setTimeout };
    Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => "hidden" });
    window.requestAnimationFrame = () => 0;
    document.dispatchEvent(new Event("visibilitychange"));
})()"""
"""A hidden tab has no frames ..."""

ASLEEP = "window.setTimeout = () => 0; document.dispatchEvent(new Event('visibilitychange'))"
"""... and after some minutes hardly any timers."""

SEEN = """
    Object.assign(window, window.kept);
    delete document.hidden;
    delete document.visibilityState;
    document.dispatchEvent(new Event("visibilitychange"));
"""


async def more(prices: EventStream) -> None:
    """Wait until another client has seen four more prices."""
    seen = len(prices.of("price"))
    await prices.until(lambda stream: len(stream.of("price")) >= seen + 4)


async def test_the_page_becomes_live_and_its_prices_tick(
    screen: Screen, source: RedisSource, market: Simulator
) -> None:
    async with running_gateway(source) as url, screen:
        await screen.open(url)
        await screen.live()
        for symbol in ("SPY", "IBM", "BAC", "AIG"):
            await screen.until(cell(symbol, "price"), PRICE)
        await screen.changes(cell("SPY", "price"), await screen.text(cell("SPY", "price")))
        await streams(url, 1)


async def test_symbols_come_to_a_running_stream_and_wrong_ones_are_named(
    screen: Screen, source: RedisSource, market: Simulator
) -> None:
    async with running_gateway(source) as url, screen:
        await screen.open(f"{url}/?symbols=SPY")
        await screen.live()
        await screen.type(SYMBOLS, "ibm, ZZZZ 12$")
        await screen.until("#refused", r"'12\$' is not a symbol")
        await screen.until(cell("IBM", "price"), PRICE)
        await screen.until(cell("ZZZZ", "age"), "Alpaca does not know it")
        await streams(url, 1)

        assert len(await screen.urls("/api/stream?")) == 1
        assert "symbols=SPY,IBM,ZZZZ" in await screen.evaluate("location.search")


async def test_a_halted_symbol_has_a_tag(
    screen: Screen, source: RedisSource, market: Simulator
) -> None:
    status = {"T": "s", "S": "AIG", "z": "A", "rc": "", "rm": ""}
    async with running_gateway(source) as url, screen:
        await screen.open(url)
        await screen.until(cell("AIG", "price"), PRICE)
        await market.publish({**status, "sc": "2", "sm": "Trading Halt", "rc": "D"})
        await screen.until(cell("AIG", "state"), "^halted$")
        await screen.live()
        await market.publish({**status, "sc": "3", "sm": "Trading Resumption"})
        await screen.changes(cell("AIG", "state"), "halted")


async def test_an_invented_symbol_has_a_tag_also_on_a_narrow_screen(screen: Screen) -> None:
    source = RedisSource("memory://")
    async with (
        Simulator(SimulatorSettings(tape=None, invents=True)) as simulator,
        running_ingest(source, simulator),
        running_gateway(source, around=Surroundings(is_invented=simulator.is_invented)) as url,
        screen,
    ):
        await screen.do("size", width=390, height=844, dark=False)
        await screen.open(f"{url}/?symbols=AAPL")
        await screen.until(cell("AAPL", "price"), PRICE)
        await screen.until(cell("AAPL", "invented"), "^invented$")
        await screen.type(SYMBOLS, "MSFT")
        await screen.until(cell("MSFT", "invented"), "^invented$")
        await screen.changes(cell("AAPL", "price"), await screen.text(cell("AAPL", "price")))
        assert await screen.evaluate(NOT_CUT_OFF)
        await screen.live()


async def test_a_closed_market_says_when_it_opens(screen: Screen) -> None:
    source = RedisSource("memory://")
    settings = SimulatorSettings(tape=None, hours=SwitchableHours("closed"))
    async with (
        Simulator(settings) as simulator,
        running_ingest(source, simulator),
        running_gateway(source) as url,
        screen,
    ):
        await screen.open(url)
        await screen.until("#connection", "^Closed$")
        await screen.until(".session", r"^Closed · opens in \d+ (s|min|h)")


async def test_arrows_and_delete_go_through_the_watchlist(
    screen: Screen, source: RedisSource, market: Simulator
) -> None:
    focused = "document.activeElement.textContent"
    async with running_gateway(source) as url, screen:
        await screen.open(url)
        await screen.until(CHART, "^SPY$")
        await screen.do("press", selector=cell("SPY", "symbol"), key="ArrowDown")
        await screen.until(CHART, "^IBM$")
        assert await screen.evaluate(focused) == "IBM"
        await screen.do("press", selector=cell("IBM", "symbol"), key="Delete")
        await screen.until(CHART, "^BAC$")
        assert await screen.evaluate(focused) == "BAC"
        assert await screen.texts("#prices [data-field=symbol]") == ["SPY", "BAC", "AIG"]


async def test_a_pause_freezes_what_is_shown_and_not_the_stream(
    screen: Screen, source: RedisSource, market: Simulator
) -> None:
    async with running_gateway(source) as url, open_stream(url, symbols="SPY") as prices, screen:
        await screen.open(f"{url}/?symbols=SPY")
        await screen.until(SIZE, r"\d")
        await screen.do("click", selector="#pause")
        await screen.until("#pause", "^Paused")
        frozen = await screen.text(SIZE)
        await more(prices)
        assert await screen.text(SIZE) == frozen
        await screen.live()
        await screen.do("click", selector="#pause")
        await screen.changes(SIZE, frozen)
        assert len(await screen.urls("/api/stream?")) == 1


async def test_a_page_that_nobody_looks_at_goes_on_and_is_up_to_date_when_it_is_seen_again(
    screen: Screen, source: RedisSource, market: Simulator
) -> None:
    async with running_gateway(source) as url, open_stream(url, symbols="SPY") as prices, screen:
        await screen.open(f"{url}/?symbols=SPY")
        await screen.until(SIZE, r"\d")
        await screen.evaluate(LEFT)
        await screen.changes(SIZE, await screen.text(SIZE))
        await screen.evaluate(ASLEEP)
        before = await screen.text(SIZE)
        await more(prices)
        assert await screen.text(SIZE) == before
        await screen.evaluate(SEEN)
        await screen.changes(SIZE, before)
        await screen.live()
