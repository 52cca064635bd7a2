"""alpaca-py's own trading clients, unmodified and with its models, against the simulator."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import (
    AssetClass,
    OrderSide,
    OrderStatus,
    PositionSide,
    QueryOrderStatus,
    TimeInForce,
)
from alpaca.trading.models import TradeUpdate
from alpaca.trading.requests import GetOrdersRequest, LimitOrderRequest, MarketOrderRequest
from alpaca.trading.stream import TradingStream

from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.account.ledger import Holding
from simulator.service import Simulator, SimulatorSettings
from tests.simulator.client import endpoint_state, until

QUOTE = {"T": "q", "S": "BAC", "bx": "P", "bp": 13.9, "bs": 100, "ax": "Q", "ap": 13.91, "as": 100}
OPTION = "AAPL240119C00100000"

Call = Callable[..., Any]


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    held = [Holding("BTC/USD", Decimal("0.5"), Decimal(60000)), Holding(OPTION, Decimal(-1))]
    async with Simulator(SimulatorSettings(tape=None, positions=held)) as simulator:
        await simulator.publish({"T": "t", "S": "BAC", "x": "N", "p": 13.9, "s": 100})
        await simulator.publish(QUOTE)
        yield simulator


@asynccontextmanager
async def trading(simulator: Simulator) -> AsyncIterator[tuple[TradingClient, Call]]:
    """Give the client, and what calls it in a thread."""
    client = TradingClient(DEFAULT_KEY, DEFAULT_SECRET, url_override=simulator.rest_url)
    with client._session:
        yield client, asyncio.to_thread


async def test_alpaca_py_trades(simulator: Simulator) -> None:
    async with trading(simulator) as (client, call):
        market = MarketOrderRequest(
            symbol="BAC", qty=40, side=OrderSide.BUY, time_in_force=TimeInForce.DAY
        )
        limit = LimitOrderRequest(
            symbol="BAC",
            qty=1.5,
            side=OrderSide.SELL,
            time_in_force=TimeInForce.GTC,
            limit_price=20,
            client_order_id="mine",
        )
        bought = await call(client.submit_order, market)
        waiting = await call(client.submit_order, limit)
        filled = await call(client.get_order_by_id, bought.id)
        by_client = await call(client.get_order_by_client_id, "mine")
        listed = await call(client.get_orders)
        hour = timedelta(hours=1)
        asked = GetOrdersRequest(
            status=QueryOrderStatus.ALL,
            symbols=["BAC"],
            after=datetime.now(UTC) - hour,
            until=datetime.now(UTC) + hour,
        )
        everything = await call(client.get_orders, asked)
        await call(client.cancel_order_by_id, waiting.id)
        canceled = await call(client.get_order_by_id, waiting.id)
        await call(client.submit_order, limit.model_copy(update={"client_order_id": "other"}))
        [ended] = await call(client.cancel_orders)

    assert (bought.status, filled.status) == (OrderStatus.NEW, OrderStatus.FILLED)
    assert filled.filled_avg_price == "13.91"
    assert by_client.id == waiting.id == listed[0].id
    assert [order.id for order in everything] == [waiting.id, bought.id]
    assert (canceled.status, ended.status) == (OrderStatus.CANCELED, 200)


async def test_alpaca_py_reads_what_is_held(simulator: Simulator) -> None:
    await simulator.fill("BAC", Decimal(-7), Decimal(14))
    async with trading(simulator) as (client, call):
        positions = await call(client.get_all_positions)
        [bac, coin] = [await call(client.get_open_position, name) for name in ("BAC", "BTCUSD")]
        account = await call(client.get_account)

    assert [position.asset_class for position in positions] == [
        AssetClass.CRYPTO,
        AssetClass.US_OPTION,
        AssetClass.US_EQUITY,
    ]
    assert (bac.side, bac.qty, bac.unrealized_pl) == (PositionSide.SHORT, "-7", "0.7")
    assert (coin.qty, coin.market_value) == ("0.5", None)
    assert (account.cash, account.equity) == ("25098", None)


async def test_alpaca_py_is_told_why_not(simulator: Simulator) -> None:
    async with trading(simulator) as (client, call):
        order = MarketOrderRequest(
            symbol="ZZZ", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY
        )
        with pytest.raises(APIError) as caught:
            await call(client.submit_order, order)

    assert (caught.value.code, caught.value.status_code) == (40010001, 422)
    assert caught.value.message == 'asset "ZZZ" not found'


async def test_alpaca_pys_stream_receives_every_update(simulator: Simulator) -> None:
    updates: list[TradeUpdate] = []

    async def receive(update: TradeUpdate) -> None:
        updates.append(update)

    stream = TradingStream(
        DEFAULT_KEY, DEFAULT_SECRET, url_override=f"{simulator.stream_url}/stream"
    )
    stream.subscribe_trade_updates(receive)
    running = asyncio.create_task(stream._run_forever())  # type: ignore[no-untyped-call]
    try:
        await until(lambda: bool(endpoint_state(simulator, "account")["streams"]))
        async with trading(simulator) as (client, call):
            order = MarketOrderRequest(
                symbol="BAC", qty=130, side=OrderSide.BUY, time_in_force=TimeInForce.DAY
            )
            await call(client.submit_order, order)
            await call(client.cancel_orders)
        await until(lambda: len(updates) == 3)
    finally:
        await stream.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert [update.event for update in updates] == ["new", "partial_fill", "canceled"]
    assert (updates[1].qty, updates[1].price, updates[1].position_qty) == (100, 13.91, 100)
    assert updates[2].order.filled_qty == "100"
