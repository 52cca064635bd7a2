"""Symbols that are on no tape, which a simulator invents for its clients if it is set up so."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulator.capture.settings import CaptureSettings
from simulator.crypto.book_tape import GEMINI
from simulator.protocol import rfc3339
from simulator.service import Simulator, SimulatorSettings
from tests.simulator.capture.written import Capture
from tests.simulator.client import KEYS, StreamClient, endpoint_state, open_stream, until

NOW = rfc3339.parse("2026-11-23T15:31:00Z")
SNAPSHOT = {"latestTrade", "latestQuote", "minuteBar", "dailyBar", "prevDailyBar"}


@pytest.fixture
async def inventive() -> AsyncIterator[Simulator]:
    async with Simulator(SimulatorSettings(tape=None, invents=True, history=True)) as simulator:
        yield simulator


@pytest.fixture
async def stopped() -> AsyncIterator[Simulator]:
    """Return a simulator whose time stands still, so that a symbol trades once."""
    settings = SimulatorSettings(tape=None, invents=True, history=True, requests_per_minute=50)
    async with Simulator(settings, clock=lambda: NOW) as simulator:
        yield simulator


@pytest.fixture
async def http(stopped: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stopped.rest_url, headers=KEYS) as client:
        yield client


async def get(http: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def subscribe(client: StreamClient, **channels: list[str]) -> None:
    """Subscribe, and expect the acknowledgement before any data."""
    await client.send({"action": "subscribe", **channels})
    [answer] = await client.receive()
    assert answer["T"] == "subscription"


async def test_a_subscription_brings_the_first_trade_at_once_and_more_after_it(
    inventive: Simulator,
) -> None:
    async with open_stream(inventive) as client:
        await client.sign_in()
        await subscribe(client, trades=["AAPL"], quotes=["AAPL"])
        messages = await client.receive_data(6)

    assert [(each["T"], each["S"]) for each in messages[:6]] == 3 * [("q", "AAPL"), ("t", "AAPL")]
    assert [each["i"] for each in messages[1:6:2]] == [1, 2, 3]
    assert inventive.state()["invented"] == ["AAPL"]


async def test_a_subscription_to_bars_alone_makes_a_symbol_walk(inventive: Simulator) -> None:
    async with open_stream(inventive) as client:
        await client.sign_in()
        await subscribe(client, bars=["AAPL"])
        bar: Any = {"n": 0}
        while bar["n"] < 3:
            before = bar
            await until(lambda: inventive.day_bar("AAPL") != before)  # noqa: B023 - called at once
            bar = inventive.day_bar("AAPL")

    assert bar["o"] == pytest.approx(190, rel=0.01)


async def test_a_subscription_beyond_the_plans_limit_invents_nothing(inventive: Simulator) -> None:
    async with open_stream(inventive) as client:
        await client.sign_in()
        symbols = [f"S{number}" for number in range(31)]
        answer = await client.ask({"action": "subscribe", "trades": symbols})

    assert answer["code"] == 405
    assert inventive.state()["invented"] == []


async def test_a_pair_has_a_book_quotes_and_trades(inventive: Simulator) -> None:
    async with open_stream(inventive, "crypto") as client:
        await client.sign_in()
        pairs = ["DOGE/USD"]
        await subscribe(client, trades=pairs, quotes=pairs, orderbooks=pairs)
        book, quote, trade, *_ = await client.receive_data(3)

    assert [book["T"], quote["T"], trade["T"]] == ["o", "q", "t"]
    assert (quote["bp"], quote["ap"]) == (book["b"][0]["p"], book["a"][0]["p"])
    assert trade["p"] in (quote["bp"], quote["ap"])


@pytest.mark.parametrize("how", ["unsubscribes", "leaves"])
async def test_a_symbol_stands_still_after_its_last_session(inventive: Simulator, how: str) -> None:
    def newest(pair: str) -> Any:
        return inventive.crypto.market.latest_trade(pair)

    async def walk(client: StreamClient, pair: str, trades: int) -> None:
        await subscribe(client, trades=[pair])
        for _ in range(trades):
            before = newest(pair)
            await until(lambda: newest(pair) != before)  # noqa: B023 - called at once

    async with AsyncExitStack() as streams:
        client = await streams.enter_async_context(open_stream(inventive, "crypto"))
        await client.sign_in()
        await walk(client, "DOGE/USD", 1)
        if how == "unsubscribes":
            await client.ask({"action": "unsubscribe", "trades": ["DOGE/USD"]})
        else:
            await streams.aclose()
            await until(lambda: endpoint_state(inventive, "crypto")["connections"] == 0)
            client = await streams.enter_async_context(open_stream(inventive, "crypto"))
            await client.sign_in()
        last = newest("DOGE/USD")
        await walk(client, "SOL/USD", 4)

    assert newest("DOGE/USD") == last


async def test_a_snapshot_has_the_first_trade_and_the_day_before(
    stopped: Simulator, http: httpx.AsyncClient
) -> None:
    found = await get(http, "/v2/stocks/snapshots", symbols="AAPL,ZZZZ")

    assert set(found) == {"AAPL", "ZZZZ"}
    aapl = found["AAPL"]
    assert set(aapl) == SNAPSHOT
    assert aapl["latestTrade"]["p"] == pytest.approx(190, rel=0.01)
    assert aapl["latestTrade"]["t"] == "2026-11-23T15:31:00Z"
    assert aapl["latestQuote"]["bp"] < aapl["latestQuote"]["ap"]
    assert aapl["dailyBar"]["t"] == "2026-11-23T05:00:00Z"
    assert aapl["prevDailyBar"]["c"] == pytest.approx(190, rel=0.05)
    assert aapl["minuteBar"]["c"] == pytest.approx(190, rel=0.05)
    assert stopped.state()["invented"] == ["AAPL", "ZZZZ"]


async def test_bars_and_trades_that_are_asked_for_first_are_invented_too(
    http: httpx.AsyncClient,
) -> None:
    days = await get(http, "/v2/stocks/bars", symbols="AAPL", timeframe="1Day", start="2026-11-09")
    trades = await get(
        http, "/v2/stocks/trades", symbols="MSFT", start="2026-11-23T15:30:00Z", feed="iex"
    )
    base = "/v1beta3/crypto/us"
    pair = (await get(http, f"{base}/snapshots", symbols="DOGE/USD"))["snapshots"]["DOGE/USD"]
    books = (await get(http, f"{base}/latest/orderbooks", symbols="SOL/USD"))["orderbooks"]

    assert len(days["bars"]["AAPL"]) > 9
    assert [each["i"] for each in trades["trades"]["MSFT"]] == [1]
    assert set(pair) == SNAPSHOT
    assert None not in pair.values()
    assert len(books["SOL/USD"]["b"]) > 5


async def test_assets_are_found_by_name_and_listed_once_they_are_invented(
    http: httpx.AsyncClient,
) -> None:
    before = await get(http, "/v2/assets")
    stock = await get(http, "/v2/assets/AAPL")
    pair = await get(http, "/v2/assets/DOGE/USD")
    after = await get(http, "/v2/assets")
    wrong = [await http.get(f"/v2/assets/{name}") for name in ("aapl", "DOGEUSD", "*")]

    assert (stock["symbol"], stock["class"], stock["status"]) == ("AAPL", "us_equity", "active")
    assert (pair["symbol"], pair["class"]) == ("DOGE/USD", "crypto")
    symbols = [{row["symbol"] for row in rows} for rows in (before, after)]
    assert symbols[1] - symbols[0] == {"AAPL", "DOGE/USD"}
    assert [answer.status_code for answer in wrong] == [404, 404, 404]


async def test_an_order_for_a_symbol_that_no_client_has_named_fills(
    http: httpx.AsyncClient,
) -> None:
    order = {"symbol": "MSFT", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
    answer = await http.post("/v2/orders", json=order)
    position = await get(http, "/v2/positions/MSFT")

    assert answer.status_code == 200, answer.text
    assert float(position["current_price"]) == pytest.approx(410, rel=0.01)
    assert float(position["lastday_price"]) == pytest.approx(410, rel=0.05)


async def test_symbols_of_a_tape_and_words_that_are_none_are_not_invented() -> None:
    settings = SimulatorSettings(crypto_tape=GEMINI, invents=True, assets=["NODATA"])
    async with Simulator(settings) as simulator:
        invented = [each for each in ("AAPL", "BRK.B", "DOGE/USD") if simulator.is_invented(each)]
        others = (
            *("SPY", "IBM", "BAC", "AIG", "FIL/USD", "NODATA"),
            *("aapl", "DOGEUSD", "AAPL240119C00100000", "*", "", "A B"),
        )
        assert [each for each in others if simulator.is_invented(each)] == []
        assert simulator.state()["invented"] == []
    assert invented == ["AAPL", "BRK.B", "DOGE/USD"]


async def test_it_is_off_by_default(quiet: Simulator) -> None:
    async with httpx.AsyncClient(base_url=quiet.rest_url, headers=KEYS) as http:
        found = await get(http, "/v2/stocks/snapshots", symbols="AAPL")

    assert (found, quiet.is_invented("AAPL")) == ({}, False)


async def test_nothing_is_invented_beside_a_capture(tmp_path: Path) -> None:
    path = Capture().session().write(tmp_path / "capture.jsonl")
    settings = SimulatorSettings(replay=CaptureSettings(path), invents=True)
    async with Simulator(settings) as simulator:
        assert not simulator.is_invented("AAPL")
