"""The bot trades stocks, pairs and contracts on one account; its books are the broker's."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from simulator.account.asset import asset_of
from tests.chaos.bot import TRADED, Bot
from tests.chaos.ledger import Ledger
from tests.chaos.markets import PAIRS
from tests.chaos.record import Record
from tests.chaos.settings import settings
from tests.chaos.tape import BUSY, PROBE, QUIET, Tape, closes
from tests.chaos.trading import Trading
from tests.simulator.client import KEYS


class Desk:
    """A market in which everything was traded and quoted once, and its bot."""

    def __init__(self, record: Record, http: httpx.AsyncClient, complaints: list[str]) -> None:
        self.record = record
        self.http = http
        self.complaints = complaints
        self.trading = Trading(record, http, complaints.append)

    @property
    def bot(self) -> Bot:
        return self.trading.bot

    async def orders(self) -> list[dict[str, Any]]:
        url = f"{self.record.simulator.rest_url}/v2/orders?status=all&limit=500"
        orders: list[dict[str, Any]] = (await self.http.get(url, headers=KEYS)).json()
        return orders

    def classes(self) -> set[str]:
        """Return the classes of assets of the open positions."""
        return {asset_of(symbol).asset_class for symbol in self.record.books.now.owned}


@asynccontextmanager
async def desk_of(seed: int) -> AsyncIterator[Desk]:
    complaints: list[str] = []
    tape = Tape(Ledger(), random.Random(seed), retractions=False)  # noqa: S311
    given = settings(tape, closes(tape, (PROBE, *BUSY, *QUIET)))
    record = Record(tape, given, complaints.append)
    async with record.simulator, httpx.AsyncClient() as http:
        desk = Desk(record, http, complaints)
        await desk.trading.open()
        yield desk


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_one_account_trades_all_three_classes_and_the_books_agree(seed: int) -> None:
    async with desk_of(seed) as desk:
        classes: set[str] = set()
        for _ in range(40):
            await desk.bot.fill_each()
            await desk.bot.fill()
            await desk.bot.fill_spread()
            desk.bot.activity()
            classes |= desk.classes()
        changes = len(desk.record.orders.updates)

    assert desk.complaints == []
    assert classes == {"us_equity", "us_option", "crypto"}
    # Each fill is a new order and its execution, but for spreads, which execute twice.
    assert changes == 40 * (4 * 2 + 3)
    assert desk.bot.fills == 40 * 5


async def test_orders_of_all_three_classes_are_filled_by_the_market_and_booked() -> None:
    async with desk_of(7) as desk:
        for _ in range(10):
            await desk.bot.order_some()
            await desk.trading.open()
        orders = await desk.orders()
        filled = [each for each in orders if float(each["filled_qty"]) > 0]

    assert desk.complaints == []
    assert {each["asset_class"] for each in filled} == {"us_equity", "us_option", "crypto", ""}
    assert {each["order_class"] for each in filled} == {"", "mleg"}


async def test_an_order_that_fails_for_another_reason_than_a_fault_is_found() -> None:
    async with desk_of(7) as desk:
        desk.record.simulator.faults.rest(status=503, path="/v2/orders", seconds=1000)
        await desk.bot.order_some()
        assert desk.complaints == []

        desk.record.simulator.faults.clear()
        desk.record.simulator.faults.rest(status=500, path="/v2/orders", seconds=1000)
        await desk.bot.order_some()

    assert "an order was answered with 500" in desk.complaints[0]


async def test_no_more_coins_are_sold_than_the_account_has() -> None:
    async with desk_of(5) as desk:
        owned = []
        for _ in range(200):
            await desk.bot.fill_coins()
            now = desk.record.books.now.owned
            owned += [now[symbol].qty for symbol in PAIRS if symbol in now]

    assert min(owned) > 0
    assert desk.complaints == []


async def test_a_fill_of_a_fault_is_of_any_class_and_a_doubled_row_of_a_stock() -> None:
    async with desk_of(4) as desk:
        found = {asset_of(desk.bot.a_fill()[0]).asset_class for _ in range(100)}
        stocks = {desk.bot.an_owned_stock() for _ in range(50)}

    assert found == {"us_equity", "us_option", "crypto"}
    assert stocks < {*TRADED}
