"""alpaca-py's own `StockDataStream` and `CryptoDataStream`, unmodified, against the simulator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from alpaca.common.types import RawData
from alpaca.data.live import CryptoDataStream, StockDataStream
from alpaca.data.models import Orderbook, Quote, Trade

from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.protocol import rfc3339
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.recording import SHIPPED, read_tape
from tests.limits import LIMIT_SECONDS
from tests.simulator.client import endpoint_state, until


def client_of(simulator: Simulator, feed: str = "iex", **options: Any) -> StockDataStream:
    url = f"{simulator.stream_url}/v2/{feed}"
    return StockDataStream(DEFAULT_KEY, DEFAULT_SECRET, url_override=url, **options)


async def ignore(_message: object) -> None:
    """Take a message."""


@asynccontextmanager
async def running(stream: StockDataStream | CryptoDataStream) -> AsyncIterator[None]:
    # its run() would create another event loop
    task = asyncio.create_task(stream._run_forever())
    try:
        yield
    finally:
        # Python 3.11's wait_for, inside of it, may lose a cancellation: ask in words as well
        await stream.stop_ws()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await stream.close()


async def test_alpaca_py_receives_the_trades_of_the_tape() -> None:
    rows = read_tape(SHIPPED).rows
    trades: list[Trade] = []
    quotes: list[Quote] = []
    enough = asyncio.Event()

    async def on_trade(trade: Trade | RawData) -> None:
        assert isinstance(trade, Trade)
        trades.append(trade)
        if len(trades) >= 50 and quotes:
            enough.set()

    async def on_quote(quote: Quote | RawData) -> None:
        assert isinstance(quote, Quote)
        quotes.append(quote)

    async with Simulator(SimulatorSettings(speed=5)) as simulator:
        stream = client_of(simulator)
        stream.subscribe_trades(on_trade, "SPY", "BAC")
        stream.subscribe_quotes(on_quote, "IBM")
        async with running(stream):
            await asyncio.wait_for(enough.wait(), LIMIT_SECONDS)

    for trade in trades:
        assert trade.id is not None
        recorded = rows[trade.id - 1].fields
        assert (trade.symbol, trade.price, trade.size) == (
            recorded["S"],
            recorded["p"],
            recorded["s"],
        )
        assert trade.conditions == recorded["c"]
        assert trade.tape == {"SPY": "B", "BAC": "A"}[trade.symbol]
        assert abs(datetime.now(UTC) - trade.timestamp) < timedelta(minutes=2)
    ids = [cast("int", trade.id) for trade in trades]
    assert ids == sorted(set(ids))
    assert {quote.symbol for quote in quotes} == {"IBM"}


async def test_alpaca_py_reads_every_nanosecond() -> None:
    received: asyncio.Queue[Any] = asyncio.Queue()
    time = "2026-11-22T15:28:52.011856266Z"
    async with Simulator(SimulatorSettings(tape=None, positions=())) as simulator:
        stream = client_of(simulator, raw_data=True)
        stream.subscribe_trades(received.put, "SPY")
        async with running(stream):
            await subscribed(simulator, ["SPY"])
            await simulator.publish({"T": "t", "S": "SPY", "p": 1.5, "s": 1, "t": time})
            message = await asyncio.wait_for(received.get(), LIMIT_SECONDS)

    assert next(iter(message)) == "T"
    assert message["t"].to_unix_nano() == rfc3339.parse(time)


async def test_alpaca_py_receives_books_quotes_and_trades_of_pairs() -> None:
    received: asyncio.Queue[Any] = asyncio.Queue()
    pair = {"S": "BTC/USD", "t": "2026-11-22T15:28:52.011856Z"}
    book = pair | {"T": "o", "b": [{"p": 64000, "s": 0.5}], "a": [{"p": 64001, "s": 2}], "r": True}
    async with Simulator(SimulatorSettings(tape=None, positions=())) as simulator:
        url = f"{simulator.stream_url}/v1beta3/crypto/us"
        stream = CryptoDataStream(DEFAULT_KEY, DEFAULT_SECRET, url_override=url)
        for subscribe in (stream.subscribe_orderbooks, stream.subscribe_quotes):
            subscribe(received.put, "BTC/USD")
        stream.subscribe_trades(received.put, "BTC/USD")
        async with running(stream):
            await until(lambda: endpoint_state(simulator, "crypto")["trades"] == ["BTC/USD"])
            await simulator.publish(book)
            await simulator.publish(pair | {"T": "t", "p": 64000.5, "s": 0.25, "i": 2**62 + 1})
            messages = [await asyncio.wait_for(received.get(), LIMIT_SECONDS) for _ in range(3)]

    whole, quote, trade = messages
    assert isinstance(whole, Orderbook)
    assert [(level.price, level.size) for level in whole.bids + whole.asks] == [
        (64000, 0.5),
        (64001, 2),
    ]
    assert whole.reset
    assert isinstance(quote, Quote)
    assert (quote.bid_price, quote.ask_size) == (64000, 2)
    assert isinstance(trade, Trade)
    assert (trade.id, trade.price, trade.size) == (2**62 + 1, 64000.5, 0.25)


async def test_alpaca_py_subscribes_and_unsubscribes_while_it_runs() -> None:
    async with Simulator(SimulatorSettings(tape=None, positions=())) as simulator:
        stream = client_of(simulator)
        stream.subscribe_trades(ignore, "SPY")
        async with running(stream):
            await subscribed(simulator, ["SPY"])
            await until_running(stream)
            await asyncio.to_thread(stream.subscribe_trades, ignore, "IBM")
            await subscribed(simulator, ["IBM", "SPY"])
            await asyncio.to_thread(stream.unsubscribe_trades, "SPY")
            await subscribed(simulator, ["IBM"])


async def test_alpaca_py_gives_up_on_a_feed_outside_of_the_plan() -> None:
    async with Simulator(SimulatorSettings(tape=None, positions=())) as simulator:
        stream = client_of(simulator, "sip")
        stream.subscribe_trades(ignore, "SPY")
        await asyncio.wait_for(stream._run_forever(), LIMIT_SECONDS)  # 409 makes it return
        assert endpoint_state(simulator, "sip")["refused"] == {"409": 1}


@pytest.mark.parametrize("count", [5, 4000])
async def test_alpaca_py_subscribes_to_any_number_of_symbols(count: int) -> None:
    symbols = [f"S{number}" for number in range(count)]

    async with Simulator(SimulatorSettings(tape=None, positions=(), plan="plus")) as simulator:
        stream = client_of(simulator)
        stream.subscribe_trades(ignore, *symbols)
        async with running(stream):
            await subscribed(simulator, sorted(symbols))


async def subscribed(simulator: Simulator, symbols: list[str]) -> None:
    await until(lambda: endpoint_state(simulator)["subscriptions"] == symbols)


async def until_running(stream: StockDataStream) -> None:
    # a change between its connecting and its running would be stored, but not sent
    await until(lambda: stream._running)
