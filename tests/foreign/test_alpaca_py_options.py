"""alpaca-py's own clients of options, unmodified and with their models, against the simulator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.enums import OptionsFeed
from alpaca.data.historical.option import OptionHistoricalDataClient
from alpaca.data.live.option import OptionDataStream
from alpaca.data.models import Quote, Trade
from alpaca.data.requests import (
    OptionBarsRequest,
    OptionChainRequest,
    OptionLatestQuoteRequest,
    OptionLatestTradeRequest,
    OptionSnapshotRequest,
    OptionTradesRequest,
)
from alpaca.data.timeframe import TimeFrame
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import ContractType, ExerciseStyle
from alpaca.trading.requests import GetOptionContractsRequest

from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from tests.limits import LIMIT_SECONDS
from tests.simulator.client import endpoint_state, until
from tests.simulator.option_data import (
    CALL,
    DAY,
    GOOG_CHAIN,
    MINUTE,
    MONDAY,
    SPY_CHAIN,
    Market,
    option_market,
    quote,
    trade,
)


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    async with option_market((SPY_CHAIN, GOOG_CHAIN), plan="plus") as made:
        await made.simulator.publish(trade(CALL, 150.25, 3, t=MONDAY))
        await made.simulator.publish(quote(CALL, 150.1, 150.4, t=MONDAY))
        made.clock.now += MINUTE
        yield made


@pytest.fixture
def data(market: Market) -> Any:
    return OptionHistoricalDataClient(
        DEFAULT_KEY, DEFAULT_SECRET, url_override=market.simulator.rest_url
    )


async def test_alpaca_py_receives_trades_and_quotes() -> None:
    received: asyncio.Queue[object] = asyncio.Queue()
    async with Simulator(SimulatorSettings(tape=None, positions=())) as simulator:
        url = f"{simulator.stream_url}/v1beta1/indicative"
        stream = OptionDataStream(DEFAULT_KEY, DEFAULT_SECRET, url_override=url)
        stream.subscribe_trades(received.put, "*")
        stream.subscribe_quotes(received.put, CALL)
        task = asyncio.create_task(stream._run_forever())
        await until(lambda: endpoint_state(simulator, "indicative")["quotes"] == [CALL])
        await simulator.publish(trade(CALL, 0.66, 13, t=MONDAY))
        await simulator.publish(quote(CALL, 0.66, 0.67, t=MONDAY))
        messages = [await asyncio.wait_for(received.get(), LIMIT_SECONDS) for _ in range(2)]
        await stream.stop_ws()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await stream.close()

    print_, offer = messages
    assert isinstance(print_, Trade)
    assert isinstance(offer, Quote)
    assert (print_.symbol, print_.price, print_.size, print_.conditions) == (CALL, 0.66, 13, "S")
    assert (offer.bid_price, offer.ask_price, offer.ask_size) == (0.66, 0.67, 66)
    assert print_.timestamp == offer.timestamp == datetime(2026, 11, 23, 15, tzinfo=UTC)


async def test_alpaca_py_gives_up_on_opra_outside_of_the_plan() -> None:
    async def ignore(_trade: object) -> None:
        """Take a trade."""

    async with Simulator(SimulatorSettings(tape=None, positions=())) as simulator:
        url = f"{simulator.stream_url}/v1beta1/opra"
        stream = OptionDataStream(DEFAULT_KEY, DEFAULT_SECRET, url_override=url)
        stream.subscribe_trades(ignore, "*")
        await asyncio.wait_for(stream._run_forever(), LIMIT_SECONDS)  # 409 makes it return
        assert endpoint_state(simulator, "opra")["refused"] == {"409": 1}


async def test_alpaca_py_reads_a_chain_and_snapshots(data: Any) -> None:
    with data._session:
        chain = await asyncio.to_thread(
            data.get_option_chain,
            OptionChainRequest(
                underlying_symbol="GOOG",
                feed=OptionsFeed.OPRA,
                type=ContractType.PUT,
                strike_price_lte=600,
                expiration_date_gte=date(2026, 12, 1),
            ),
        )
        snapshots = await asyncio.to_thread(
            data.get_option_snapshot, OptionSnapshotRequest(symbol_or_symbols=[CALL])
        )

    assert len(chain) > 100, "more than a page"
    assert all("P00" in symbol for symbol in chain)
    assert any(each.greeks is not None and each.greeks.delta < 0 for each in chain.values())
    one = snapshots[CALL]
    assert (one.latest_trade.price, one.latest_quote.ask_price) == (150.25, 150.4)
    assert (one.implied_volatility, one.greeks.delta) == (1e-07, 1)


async def test_alpaca_py_reads_the_newest_data_and_the_history(data: Any) -> None:
    start = datetime.fromtimestamp((MONDAY - 4 * DAY) / 1e9, UTC)
    with data._session:
        calls: list[tuple[Any, object]] = [
            (data.get_option_latest_trade, OptionLatestTradeRequest(symbol_or_symbols=CALL)),
            (data.get_option_latest_quote, OptionLatestQuoteRequest(symbol_or_symbols=CALL)),
            (data.get_option_trades, OptionTradesRequest(symbol_or_symbols=CALL, start=start)),
            (
                data.get_option_bars,
                OptionBarsRequest(symbol_or_symbols=CALL, timeframe=TimeFrame.Day, start=start),
            ),
        ]
        last, offer, trades, bars = [
            await asyncio.to_thread(read, request) for read, request in calls
        ]

    assert (last[CALL].price, offer[CALL].bid_price) == (150.25, 150.1)
    assert [one.size for one in trades[CALL]] == [3]
    assert [(bar.close, bar.volume) for bar in bars[CALL]] == [(150.25, 3)]


async def test_alpaca_py_is_refused_opra_outside_of_the_plan() -> None:
    async with option_market(plan="basic") as market:
        client = OptionHistoricalDataClient(
            DEFAULT_KEY, DEFAULT_SECRET, url_override=market.simulator.rest_url
        )
        request = OptionChainRequest(underlying_symbol="SPY", feed=OptionsFeed.OPRA)
        with client._session, pytest.raises(APIError, match="OPRA agreement is not signed"):
            await asyncio.to_thread(client.get_option_chain, request)


async def test_alpaca_py_reads_the_list_of_contracts(market: Market) -> None:
    client = TradingClient(DEFAULT_KEY, DEFAULT_SECRET, url_override=market.simulator.rest_url)
    wanted = GetOptionContractsRequest(
        underlying_symbols=["SPY", "GOOG"],
        type=ContractType.CALL,
        strike_price_lte="330",
        expiration_date_lte="2030-01-01",
        limit=3,
    )
    with client._session:
        page: Any = await asyncio.to_thread(client.get_option_contracts, wanted)
        wanted.page_token = page.next_page_token
        following: Any = await asyncio.to_thread(client.get_option_contracts, wanted)

    rows = page.option_contracts
    assert len(rows) == 3
    assert {(one.size, one.style, one.tradable) for one in rows} == {
        ("100", ExerciseStyle.AMERICAN, True)
    }
    assert rows[-1].symbol < following.option_contracts[0].symbol
