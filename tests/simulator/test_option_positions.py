"""Contracts in the account: their value, and orders for them."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from simulator.account.ledger import Holding
from tests.simulator.option_data import (
    CALL,
    MONDAY,
    OTHER,
    Market,
    option_market,
    quote,
    trade,
)

HELD = (Holding(CALL, Decimal(2), Decimal(120)), Holding("SPY", Decimal(5)))


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    async with option_market(positions=HELD) as made:
        yield made


async def position(market: Market, symbol: str = CALL) -> Any:
    return (await market.http.get(f"/v2/positions/{symbol}")).json()


async def test_a_position_is_valued_by_the_newer_of_trade_and_mid(market: Market) -> None:
    rows = [await position(market)]
    for message in (
        quote(CALL, 137, 138.5, t=MONDAY),
        trade(CALL, 138, t=MONDAY + 1),
        quote(CALL, 138.1, 138.3, t=MONDAY + 2),
    ):
        await market.simulator.publish(message)
        rows.append(await position(market))

    assert [row["current_price"] for row in rows] == [None, "137.75", "138", "138.2"]
    last = rows[-1]
    assert (last["asset_class"], last["qty"]) == ("us_option", "2")
    assert last["market_value"] == "27640", "2 contracts of 100 at 138.2"
    assert last["unrealized_pl"] == "3640", "2 · 100 · (138.2 - 120)"
    assert last["lastday_price"] == "137.385", "the close of the recorded day"
    assert last["unrealized_intraday_pl"] == "163", "2 · 100 · (138.2 - 137.385)"


async def test_a_message_on_one_of_the_streams_is_enough(market: Market) -> None:
    await market.simulator.publish(trade(CALL, 130), "opra")
    await market.simulator.publish(trade("SPY", 470), "indicative")

    assert (await position(market))["current_price"] == "130"
    assert (await position(market, "SPY"))["current_price"] is None


async def test_an_order_for_a_contract_fills_at_its_quote_up_to_its_size(market: Market) -> None:
    await market.simulator.publish({"T": "t", "S": "SPY", "p": 470, "s": 1})
    await market.simulator.publish(quote(OTHER, 1.5, 1.6, **{"as": 3}))
    await market.simulator.publish(trade(CALL, 130))
    order = {"symbol": OTHER, "qty": "5", "side": "buy", "type": "market", "time_in_force": "day"}
    taken = (await market.http.post("/v2/orders", json=order)).json()
    partly = (await market.http.get(f"/v2/orders/{taken['id']}")).json()
    await market.simulator.publish(quote(OTHER, 1.6, 1.7))
    filled = (await market.http.get(f"/v2/orders/{taken['id']}")).json()

    assert (partly["status"], partly["filled_qty"]) == ("partially_filled", "3")
    assert (filled["status"], filled["filled_avg_price"]) == ("filled", "1.64")
    assert market.simulator.account.quantity(OTHER) == 5


async def test_an_order_for_an_unlisted_contract_is_refused(market: Market) -> None:
    unlisted = "SPY261127P00001000"
    order = {"symbol": unlisted, "qty": "1", "side": "buy", "type": "market"}
    answer = await market.http.post("/v2/orders", json=order | {"time_in_force": "day"})

    assert (answer.status_code, answer.json()["message"]) == (
        422,
        f'asset "{unlisted}" not found',
    )
