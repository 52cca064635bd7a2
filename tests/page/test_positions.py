"""Positions on the page."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import httpx
import pytest

from shared.bus.redis_source import RedisSource
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator
from tests.event_stream import open_stream
from tests.page.screen import CHART, POSITIONS, Screen, position
from tests.services import running_gateway, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

BARE = str.maketrans("", "", "$,+ updown")
LAST_PRICE, MARKET_VALUE, PROFIT = 2, 4, 6

Figures = tuple[Decimal, Decimal, Decimal]
"""Price, value and profit, in cents as they are shown."""


def cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_EVEN)


async def shown(screen: Screen, symbol: str) -> Figures:
    """Return the figures of a row, all of one moment."""
    cells = await screen.texts(position(symbol, "td"))
    price, value, profit = (
        Decimal(cells[at].split("(")[0].translate(BARE))
        for at in (LAST_PRICE, MARKET_VALUE, PROFIT)
    )
    return price, value, profit


def worked_out(price: Any, held: dict[str, Any]) -> Figures:
    """Return what a holding is worth at a price of the tape."""
    exact, quantity = Decimal(str(price)), Decimal(str(held["qty"]))
    value, cost = quantity * exact, quantity * Decimal(str(held["avg_entry_price"]))
    return cents(exact), cents(value), cents(value - cost)


@pytest.mark.parametrize("symbol", ["BAC", "IBM"], ids=["long", "short"])
async def test_the_profit_that_is_shown_is_the_feeds_price_times_quantity_minus_cost(
    screen: Screen, source: RedisSource, market: Simulator, symbol: str
) -> None:
    seen: set[Figures] = set()
    async with (
        running_gateway(source) as url,
        open_stream(url, symbols=symbol, interval=0) as prices,
        httpx.AsyncClient() as client,
        screen,
    ):
        answer = await client.get(f"{url}/api/positions", params={"symbols": symbol})
        [held] = answer.json()["positions"]
        await screen.open(f"{url}/?interval=0")
        await screen.until(position(symbol), r"\d\.\d\d")

        async def at_two_prices() -> bool:
            seen.add(await shown(screen, symbol))
            return len(seen) >= 2

        await until(at_two_prices)

        def right() -> bool:
            ticks = prices.of("price")
            return seen <= {worked_out(each["price"], held) for each in ticks if each["price"]}

        await until(right)


async def test_an_order_changes_the_positions_that_are_shown(
    screen: Screen, source: RedisSource, market: Simulator
) -> None:
    order = {"symbol": "AIG", "qty": "7", "type": "market", "time_in_force": "day"}
    keys = {"APCA-API-KEY-ID": DEFAULT_KEY, "APCA-API-SECRET-KEY": DEFAULT_SECRET}
    orders = f"{market.rest_url}/v2/orders"
    async with running_gateway(source) as url, httpx.AsyncClient(headers=keys) as broker, screen:
        await screen.open(url)
        await screen.until(POSITIONS, "^BAC.*IBM")
        await broker.post(orders, json={**order, "side": "buy"})
        await screen.until(position("AIG", "td"), "^7$")
        await broker.post(orders, json={**order, "side": "sell"})
        await screen.until(POSITIONS, "^BAC.*IBM")


async def test_rows_are_sorted_by_a_header_and_selected_by_keys(
    screen: Screen, source: RedisSource, market: Simulator
) -> None:
    by_symbol = ".tapecast-positions thead th button"
    async with running_gateway(source) as url, screen:
        await screen.open(url)
        await screen.until(POSITIONS, "^BAC.*IBM")
        await screen.do("click", selector=by_symbol)
        assert await screen.texts(".tapecast-positions [aria-sort=ascending]") == ["Symbol"]
        await screen.do("click", selector=by_symbol)
        await screen.until(POSITIONS, "^IBM.*BAC")
        assert await screen.texts(".tapecast-positions [aria-sort=descending]") == ["Symbol"]
        await screen.do("press", selector=position("IBM", "button"), key="ArrowDown")
        await screen.do("press", selector=":focus", key="Enter")
        await screen.until(CHART, "^BAC$")
        assert await screen.texts(f"{POSITIONS} [aria-current=true] button") == ["BAC"]
