"""The account and the assets with a tape of pairs."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulator.account.ledger import Holding
from simulator.crypto.book_tape import GEMINI, read_book_tape
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.recording import DailyBar
from tests.simulator.client import KEYS, until

COIN = Holding("BTCUSD", Decimal("0.5"), Decimal(60000))
BAR = DailyBar(o=61000, h=63000, l=60500, c=62000, v=10)
AT = "2021-06-24T00:14:26Z"
BOOK = {"T": "o", "S": "BTC/USD", "t": AT, "r": True}
ROWS = [
    BOOK | {"b": [{"p": 63999, "s": 1}], "a": [{"p": 64001, "s": 2}]},
    {"T": "t", "S": "BTC/USD", "t": AT, "p": 64000.5, "s": 0.25, "i": 7, "tks": "B"},
]


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "coin.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


@pytest.fixture
async def replayed(tape: Path) -> AsyncIterator[Simulator]:
    """Return a simulator that has replayed a short tape of BTC/USD."""
    settings = SimulatorSettings(
        tape=None,
        crypto_tape=tape,
        loop=False,
        positions=[COIN],
        previous_daily_bars={"BTC/USD": [BAR]},
    )
    async with Simulator(settings) as simulator:
        await until(lambda: simulator.crypto.market.latest_trade("BTC/USD") is not None)
        yield simulator


async def rows(simulator: Simulator, path: str) -> Any:
    async with httpx.AsyncClient(base_url=simulator.rest_url, headers=KEYS) as http:
        answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_position_is_valued_at_the_newest_trade_of_its_pair(replayed: Simulator) -> None:
    [held] = await rows(replayed, "/v2/positions")
    await replayed.publish({"T": "t", "S": "BTC/USD", "p": 65000, "s": 1})
    [later] = await rows(replayed, "/v2/positions")

    assert (held["symbol"], held["current_price"], held["market_value"]) == (
        "BTCUSD",
        "64000.5",
        "32000.25",
    )
    assert (later["current_price"], later["unrealized_pl"]) == ("65000", "2500")


async def test_the_gain_of_the_day_is_since_the_last_close_in_chicago(replayed: Simulator) -> None:
    [held] = await rows(replayed, "/v2/positions")

    assert (held["lastday_price"], held["unrealized_intraday_pl"]) == ("62000", "1000.25")


async def test_an_order_for_a_pair_fills_at_the_best_of_its_book(replayed: Simulator) -> None:
    order = {"symbol": "BTC/USD", "qty": "0.1", "side": "sell", "type": "market"}
    async with httpx.AsyncClient(base_url=replayed.rest_url, headers=KEYS) as http:
        taken = (await http.post("/v2/orders", json=order | {"time_in_force": "gtc"})).json()
        filled = (await http.get(f"/v2/orders/{taken['id']}")).json()

    assert (filled["status"], filled["filled_avg_price"]) == ("filled", "63999")
    assert replayed.account.quantity("BTCUSD") == Decimal("0.4")


async def test_a_pair_that_is_not_on_the_tape_has_no_price(replayed: Simulator) -> None:
    replayed.positions = [Holding("ETHUSD", Decimal(1))]
    [held] = await rows(replayed, "/v2/positions")

    assert (held["current_price"], held["market_value"]) == (None, None)


async def test_the_assets_contain_the_pairs_of_the_tape() -> None:
    pairs = sorted(read_book_tape(GEMINI).symbols)
    async with Simulator(SimulatorSettings(tape=None, crypto_tape=GEMINI)) as simulator:
        found = await rows(simulator, "/v2/assets?asset_class=crypto&status=active")
        everything = await rows(simulator, "/v2/assets")
        one = await rows(simulator, "/v2/assets/FIL/USD")
        other = await rows(simulator, "/v2/assets/BTC%2FGBP")

    shown = {asset["symbol"]: asset for asset in found}
    assert list(shown) == pairs
    assert {asset["class"] for asset in found} == {"crypto"}
    assert [asset for asset in everything if asset["class"] == "crypto"] == found
    assert {asset["symbol"] for asset in everything} == {*pairs, "BAC", "IBM"}
    assert (one, other) == (shown["FIL/USD"], shown["BTC/GBP"])
    tradable = [pair for pair in pairs if shown[pair]["tradable"]]
    assert tradable == ["ALCX/USD", "ANKR/USD", "FIL/USD", "GRT/USD"], "those in dollars"


async def test_the_account_does_not_trade_a_pair_that_is_not_in_dollars(quiet: Simulator) -> None:
    await quiet.publish({"T": "t", "S": "BTC/GBP", "p": 24000, "s": 1})
    order = {"symbol": "BTC/GBP", "qty": "1", "side": "buy", "type": "market"}
    async with httpx.AsyncClient(base_url=quiet.rest_url, headers=KEYS) as http:
        answer = await http.post("/v2/orders", json=order | {"time_in_force": "gtc"})

    assert answer.status_code == 422
    assert "BTC/GBP" in answer.json()["message"]
