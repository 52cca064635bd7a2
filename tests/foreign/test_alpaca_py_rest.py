"""alpaca-py's own REST clients, unmodified, against the simulator."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.enums import Adjustment, DataFeed
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.requests import StockBarsRequest, StockSnapshotRequest, StockTradesRequest
from alpaca.data.timeframe import TimeFrame
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import PositionSide
from alpaca.trading.requests import GetCalendarRequest

from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.recording import DailyBar

QUOTE = {"T": "q", "S": "BAC", "bx": "P", "bp": 13.9, "bs": 1, "ax": "Q", "ap": 13.91, "as": 2}


@contextmanager
def trading(simulator: Simulator) -> Iterator[TradingClient]:
    client = TradingClient(DEFAULT_KEY, DEFAULT_SECRET, url_override=simulator.rest_url)
    with client._session:
        yield client


async def snapshots(simulator: Simulator, symbols: list[str], feed: DataFeed) -> Any:
    client = StockHistoricalDataClient(DEFAULT_KEY, DEFAULT_SECRET, url_override=simulator.rest_url)
    request = StockSnapshotRequest(symbol_or_symbols=symbols, feed=feed)
    with client._session:
        return await asyncio.to_thread(client.get_stock_snapshot, request)


async def test_alpaca_py_reads_snapshots() -> None:
    async with Simulator(SimulatorSettings(tape=None)) as simulator:
        await simulator.publish({"T": "t", "i": 7, "S": "BAC", "x": "N", "p": 13.91, "s": 100})
        await simulator.publish(QUOTE)
        found = await snapshots(simulator, ["BAC", "ZZZ"], DataFeed.IEX)

    assert list(found) == ["BAC"]
    assert (found["BAC"].latest_trade.price, found["BAC"].latest_trade.id) == (13.91, 7)
    assert found["BAC"].latest_quote.bid_price == 13.9
    assert found["BAC"].daily_bar.volume == 100
    assert found["BAC"].previous_daily_bar is None


async def test_alpaca_py_is_refused_sip_on_the_basic_plan() -> None:
    async with Simulator(SimulatorSettings(tape=None)) as simulator:
        with pytest.raises(APIError, match="does not permit"):
            await snapshots(simulator, ["BAC"], DataFeed.SIP)


async def bars(simulator: Simulator, feed: DataFeed, end: datetime | None = None) -> Any:
    client = StockHistoricalDataClient(DEFAULT_KEY, DEFAULT_SECRET, url_override=simulator.rest_url)
    request = StockBarsRequest(
        symbol_or_symbols=["SPY", "IBM"],
        timeframe=TimeFrame.Day,
        start=datetime.now(UTC) - timedelta(days=7),
        end=end,
        adjustment=Adjustment.SPLIT,
        feed=feed,
    )
    with client._session:
        return await asyncio.to_thread(client.get_stock_bars, request)


async def test_alpaca_py_reads_daily_bars_adjusted_for_a_split() -> None:
    days = {"SPY": [DailyBar(660, 670, 650, 664, 1000, 10, 661.5)]}
    settings = SimulatorSettings(
        tape=None, positions=(), previous_daily_bars=days, splits={"SPY": 4.0}
    )
    async with Simulator(settings) as simulator:
        await simulator.publish({"T": "t", "S": "SPY", "p": 167.5, "s": 100})
        found = await bars(simulator, DataFeed.IEX)

    yesterday, today = found["SPY"]
    assert (yesterday.close, yesterday.volume, yesterday.vwap) == (166.0, 4000, 165.375)
    assert (today.close, today.volume) == (167.5, 100)
    assert "IBM" not in found.data


async def test_alpaca_py_is_refused_recent_sip_bars_on_the_basic_plan() -> None:
    async with Simulator(SimulatorSettings(tape=None)) as simulator:
        assert (await bars(simulator, DataFeed.SIP)).data == {}
        with pytest.raises(APIError, match="recent SIP"):
            await bars(simulator, DataFeed.SIP, datetime.now(UTC))


async def trades(simulator: Simulator, feed: DataFeed, **given: Any) -> Any:
    client = StockHistoricalDataClient(DEFAULT_KEY, DEFAULT_SECRET, url_override=simulator.rest_url)
    request = StockTradesRequest(symbol_or_symbols=["SPY", "IBM", "ZZZ"], feed=feed, **given)
    with client._session:
        return await asyncio.to_thread(client.get_stock_trades, request)


async def test_alpaca_py_reads_trades() -> None:
    async with Simulator(SimulatorSettings(tape=None, positions=())) as simulator:
        for number, symbol in enumerate(["SPY", "IBM", "SPY", "SPY"]):
            trade = {"T": "t", "S": symbol, "p": 100 + number, "s": 10, "i": number, "x": "V"}
            await simulator.publish(trade | {"c": ["@", "I"], "z": "B"})
        await simulator.publish({"T": "x", "S": "SPY", "i": 2})
        start = datetime.now(UTC) - timedelta(minutes=1)
        found = await trades(simulator, DataFeed.IEX, start=start)
        first = await trades(simulator, DataFeed.IEX, start=start, limit=2)

    assert {symbol: [each.id for each in rows] for symbol, rows in found.data.items()} == {
        "IBM": [1],
        "SPY": [
            0,
            2,
            3,
        ],  # REST keeps a cancelled trade, marked ``u``
    }
    last = found["SPY"][-1]
    assert (last.price, last.size, last.conditions, last.tape) == (103, 10, ["@", "I"], "B")
    assert [each.id for rows in first.data.values() for each in rows] == [1, 0]


async def test_alpaca_py_reads_clock_and_calendar() -> None:
    sunday = GetCalendarRequest(start=date(2026, 11, 22), end=date(2026, 11, 22))
    async with Simulator(SimulatorSettings(tape=None)) as simulator:
        with trading(simulator) as client:
            clock: Any = await asyncio.to_thread(client.get_clock)
            days: Any = await asyncio.to_thread(client.get_calendar, sunday)

    assert clock.is_open
    assert clock.timestamp < clock.next_close
    [day] = days
    assert day.open == datetime(2026, 11, 22)  # noqa: DTZ001 - the SDK gives naive New York times
    assert (day.close.hour, day.close.minute) == (23, 59)


async def test_alpaca_py_reads_positions_and_account() -> None:
    async with Simulator(SimulatorSettings(tape=None)) as simulator:
        await simulator.publish({"T": "t", "S": "BAC", "p": 13.91, "s": 100})
        with trading(simulator) as client:
            positions: Any = await asyncio.to_thread(client.get_all_positions)
            incomplete: Any = await asyncio.to_thread(client.get_account)
            await simulator.publish({"T": "t", "S": "IBM", "p": 181.9, "s": 100})
            account: Any = await asyncio.to_thread(client.get_account)

    long, short = positions
    assert (long.symbol, long.qty, long.side, long.current_price) == (
        "BAC",
        "137",
        PositionSide.LONG,
        "13.91",
    )
    assert (short.symbol, short.qty, short.side, short.current_price) == (
        "IBM",
        "-20",
        PositionSide.SHORT,
        None,
    )
    assert incomplete.equity is None
    assert account.equity == "23267.67"  # 25000 + 137 * 13.91 - 20 * 181.9
