"""Orders and positions over HTTP."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from simulator.account.ledger import Holding
from simulator.service import Simulator, SimulatorSettings
from tests.simulator.client import KEYS, until

QUOTE = {"T": "q", "S": "BAC", "bx": "P", "bp": 13.9, "bs": 500, "ax": "Q", "ap": 13.91, "as": 500}
ORDER = {"symbol": "BAC", "qty": "137", "side": "buy", "type": "market", "time_in_force": "day"}
LIMIT = ORDER | {"type": "limit", "limit_price": "13.5"}


@pytest.fixture
async def http(quiet: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client with the keys, of a simulator that knows a quote of BAC."""
    await quiet.publish(QUOTE)
    async with httpx.AsyncClient(base_url=quiet.rest_url, headers=KEYS) as client:
        yield client


async def test_an_order_is_taken_and_fills(http: httpx.AsyncClient, quiet: Simulator) -> None:
    taken = (await http.post("/v2/orders", json=ORDER)).json()
    order = (await http.get(f"/v2/orders/{taken['id']}")).json()
    position = (await http.get("/v2/positions/BAC")).json()
    state: Any = quiet.state()["account"]

    assert (taken["status"], taken["filled_qty"], order["status"]) == ("new", "0", "filled")
    assert (order["filled_avg_price"], position["qty"]) == ("13.91", "274")
    assert quiet.account.quantity("BAC") == 274
    assert quiet.account.cash == 25000 - 137 * Decimal("13.91")
    assert state == {"orders": {"filled": 1}, "fills": 1}


async def test_curl_sends_an_order_as_a_form(http: httpx.AsyncClient) -> None:
    body = '{"symbol":"BAC","qty":"137","side":"buy","type":"market","time_in_force":"day"}'
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await http.post("/v2/orders", content=body, headers=form)

    assert (answer.status_code, answer.json()["qty"]) == (200, "137")


async def test_an_order_is_found_by_the_clients_id_and_canceled(http: httpx.AsyncClient) -> None:
    taken = (await http.post("/v2/orders", json=LIMIT | {"client_order_id": "mine"})).json()
    found = await http.get("/v2/orders:by_client_order_id?client_order_id=mine")
    listed = await http.get("/v2/orders")
    canceled = await http.delete(f"/v2/orders/{taken['id']}")
    again = await http.delete(f"/v2/orders/{taken['id']}")
    closed = await http.get("/v2/orders?status=closed&symbols=BAC")

    assert found.json() == taken
    assert listed.json() == [taken]
    assert (canceled.status_code, canceled.content) == (204, b"")
    assert (again.status_code, again.json()["code"]) == (422, 42210000)
    assert [one["status"] for one in closed.json()] == ["canceled"]


async def test_all_open_orders_are_canceled_at_once(http: httpx.AsyncClient) -> None:
    taken = [(await http.post("/v2/orders", json=LIMIT)).json()["id"] for _ in range(2)]
    answer = await http.delete("/v2/orders")

    assert answer.status_code == 207
    assert answer.json() == [{"id": order_id, "status": 200} for order_id in taken]
    assert (await http.get("/v2/orders")).json() == []


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "/v2/orders", ORDER | {"symbol": "ZZZ"}, (422, 40010001, '"ZZZ" not found')),
        ("POST", "/v2/orders", ORDER | {"qty": "x"}, (422, 40010001, "invalid qty: x")),
        ("GET", "/v2/orders?status=lost", None, (422, 40010001, "invalid status: lost")),
        ("GET", "/v2/orders/unknown", None, (404, 40410000, "order not found for unknown")),
        ("DELETE", "/v2/orders/unknown", None, (404, 40410000, "order not found for unknown")),
        ("GET", "/v2/positions/SPY", None, (404, 40410000, "position does not exist: SPY")),
        (
            "GET",
            "/v2/orders:by_client_order_id?client_order_id=x",
            None,
            (404, 40410000, "order not found for x"),
        ),
    ],
)
async def test_a_refusal_has_alpacas_code(
    http: httpx.AsyncClient, method: str, path: str, body: Any, expected: tuple[int, int, str]
) -> None:
    answer = await http.request(method, path, json=body)
    status, code, text = expected

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert text in answer.json()["message"]


async def test_buying_power_has_an_end(http: httpx.AsyncClient, quiet: Simulator) -> None:
    for symbol, price in (("BAC", 13.9), ("IBM", 182)):
        await quiet.publish({"T": "t", "S": symbol, "p": price, "s": 1})
    answer = await http.post("/v2/orders", json=ORDER | {"qty": 90000})

    assert answer.status_code == 403
    assert answer.json() == {"code": 40310000, "message": "insufficient buying power"}


async def test_a_position_is_found_by_symbol_pair_and_id(quiet: Simulator) -> None:
    quiet.positions = [Holding("BTC/USD", Decimal("0.5"), Decimal(60000))]
    async with httpx.AsyncClient(base_url=quiet.rest_url, headers=KEYS) as http:
        [position] = (await http.get("/v2/positions")).json()
        names = ("BTCUSD", "BTC/USD", "BTC%2FUSD", position["asset_id"])
        found = [(await http.get(f"/v2/positions/{name}")).json() for name in names]

    assert (position["symbol"], position["exchange"]) == ("BTCUSD", "CRYPTO")
    assert found == [position] * 4


async def test_the_list_of_assets_has_what_is_listed_and_can_be_filtered(
    quiet: Simulator, http: httpx.AsyncClient
) -> None:
    for symbol in ("SPY", "BTC/USD"):
        await quiet.publish({"T": "t", "S": symbol, "p": 1, "s": 1})
    rows = {row["symbol"]: row for row in (await http.get("/v2/assets")).json()}
    filters = [
        {"status": "active", "asset_class": "us_equity"},
        {"asset_class": "crypto"},
        {"status": "inactive"},
    ]
    found = [
        [row["symbol"] for row in (await http.get("/v2/assets", params=query)).json()]
        for query in filters
    ]

    assert rows["SPY"]["name"] == "SPDR S&P 500 ETF Trust"
    assert rows["BTC/USD"]["class"] == "crypto"
    assert sorted([*found[0], *found[1]]) == sorted(rows)
    assert found[1] == ["BTC/USD"]
    assert found[2] == []


async def test_an_asset_is_found_if_it_is_listed(quiet: Simulator, http: httpx.AsyncClient) -> None:
    await quiet.publish({"T": "t", "S": "SPY", "p": 1, "s": 1})
    found = await http.get("/v2/assets/SPY")
    unknown = await http.get("/v2/assets/NOSUCH")

    shown = found.json()
    assert (shown["symbol"], shown["status"], shown["class"]) == ("SPY", "active", "us_equity")
    assert shown["attributes"] == []
    assert (unknown.status_code, unknown.json()) == (
        404,
        {"code": 40410000, "message": "asset not found for NOSUCH"},
    )


async def test_orders_count_against_the_budget_of_trading() -> None:
    settings = SimulatorSettings(tape=None, requests_per_minute=2)
    async with (
        Simulator(settings, clock=lambda: 10**18) as simulator,
        httpx.AsyncClient(base_url=simulator.rest_url, headers=KEYS) as http,
    ):
        answers = [await http.post("/v2/orders", json=LIMIT) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    remaining = [answer.headers["X-Ratelimit-Remaining"] for answer in answers]
    assert remaining == ["1", "0", "0"]


async def test_orders_need_the_keys(quiet: Simulator) -> None:
    async with httpx.AsyncClient(base_url=quiet.rest_url) as http:
        answer = await http.post("/v2/orders", json=ORDER)

    assert (answer.status_code, quiet.state()["account"]) == (401, {"orders": {}, "fills": 0})


@pytest.mark.slow
async def test_an_order_fills_at_the_tapes_quotes() -> None:
    async with (
        Simulator(SimulatorSettings(speed=100)) as simulator,
        httpx.AsyncClient(base_url=simulator.rest_url, headers=KEYS) as http,
    ):
        taken = (await http.post("/v2/orders", json=ORDER)).json()
        await until(lambda: simulator.account.quantity("BAC") == 274)
        order = (await http.get(f"/v2/orders/{taken['id']}")).json()

    assert order["status"] == "filled"
    assert Decimal("13.5") < Decimal(order["filled_avg_price"]) < Decimal("14.5")


async def test_stale_rest_tells_of_what_was(http: httpx.AsyncClient, quiet: Simulator) -> None:
    paths = ("/v2/positions", "/v2/account", "/v2/orders?status=all")
    before = [(await http.get(path)).json() for path in paths]
    quiet.faults.stale_positions(seconds=60)
    taken = (await http.post("/v2/orders", json=ORDER)).json()
    stale = [(await http.get(path)).json() for path in paths]
    unknown = await http.get(f"/v2/orders/{taken['id']}")
    faults: Any = quiet.state()["faults"]
    quiet.faults.clear("account")
    after = [(await http.get(path)).json() for path in paths]

    assert stale == before
    assert unknown.status_code == 404
    assert [(one["fault"], one["target"]) for one in faults] == [("stale_positions", "account")]
    assert quiet.account.quantity("BAC") == 274
    assert (after[0][0]["qty"], [one["id"] for one in after[2]]) == ("274", [taken["id"]])


async def test_a_second_stale_time_shows_what_was_at_its_own_start(
    http: httpx.AsyncClient, quiet: Simulator
) -> None:
    quiet.faults.stale_positions(seconds=60)
    quiet.faults.clear("account")
    await quiet.fill("BAC", Decimal(-10), Decimal("13.9"))
    quiet.faults.stale_positions(seconds=60)
    await quiet.fill("BAC", Decimal(-20), Decimal("13.9"))

    rows = {row["symbol"]: row["qty"] for row in (await http.get("/v2/positions")).json()}
    assert rows["BAC"] == "127"


async def test_setting_the_positions_starts_the_day_anew(quiet: Simulator) -> None:
    await quiet.fill("BAC", Decimal(-10), Decimal("13.9"))
    assert quiet.account.cash == 25139
    assert quiet.positions[0].quantity == 137
    quiet.positions = [Holding("SPY", Decimal(1))]

    assert quiet.account.cash == 25000
    assert list(quiet.account.positions) == ["SPY"]
