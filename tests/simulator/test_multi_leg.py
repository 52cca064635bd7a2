"""Multi-leg orders, in the form of docs.alpaca.markets/docs/websocket-streaming."""

from decimal import Decimal
from typing import Any

import httpx
import pytest

from simulator.service import Simulator
from tests.simulator.client import KEYS

PUT, CALL = "AAPL250321P00200000", "AAPL250321C00380000"
SPREAD = {
    "order_class": "mleg",
    "qty": "2",
    "type": "limit",
    "limit_price": "1.3",
    "time_in_force": "day",
    "legs": [
        {"symbol": PUT, "side": "buy", "ratio_qty": "1", "position_intent": "buy_to_open"},
        {"symbol": CALL, "side": "sell", "ratio_qty": "3"},
    ],
}


async def post(simulator: Simulator, **changes: Any) -> httpx.Response:
    simulator.positions = ()
    for symbol, price in ((PUT, 1.6), (CALL, 0.1)):
        await simulator.publish({"T": "t", "S": symbol, "p": price, "s": 1})
    async with httpx.AsyncClient(base_url=simulator.rest_url, headers=KEYS) as http:
        taken = await http.post("/v2/orders", json=SPREAD | changes)
        if taken.status_code != 200:
            return taken
        return await http.get(f"/v2/orders/{taken.json()['id']}")


@pytest.fixture
def updates(quiet: Simulator, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the updates of the account, as they are published."""
    found: list[Any] = []
    monkeypatch.setattr(quiet._broker.updates, "_publish", found.append)
    return found


async def test_all_legs_fill_together_each_at_its_own_price(
    quiet: Simulator, updates: list[Any]
) -> None:
    order = (await post(quiet)).json()
    new, fill = updates

    assert (new["event"], fill["event"], fill["price"], fill["qty"]) == ("new", "fill", "1.3", "2")
    assert fill["position_qtys"] == {PUT: "2", CALL: "-6"}
    assert [(leg["symbol"], leg["qty"], leg["price"]) for leg in fill["legs"]] == [
        (PUT, "2", "1.6"),
        (CALL, "6", "0.1"),
    ]
    assert fill["order"] == order
    assert (order["symbol"], order["asset_class"], order["order_class"]) == ("", "", "mleg")
    assert [leg["id"] for leg in order["legs"]] == [leg["order_id"] for leg in fill["legs"]]
    assert [(leg["status"], leg["ratio_qty"], leg["type"]) for leg in order["legs"]] == [
        ("filled", "1", ""),
        ("filled", "3", ""),
    ]
    held = {name: row.quantity for name, row in quiet.account.positions.items()}
    assert held == {PUT: 2, CALL: -6}
    assert quiet.account.cash == 25000 - 2 * 100 * Decimal("1.3")


async def test_an_order_whose_limit_is_not_reached_is_canceled(
    quiet: Simulator, updates: list[Any]
) -> None:
    order = (await post(quiet, limit_price="-0.5")).json()

    assert [each["event"] for each in updates] == ["new", "canceled"]
    assert (order["status"], order["legs"][0]["filled_qty"]) == ("canceled", "0")
    assert quiet.account.cash == 25000


async def test_a_fill_by_hand_may_come_in_parts(quiet: Simulator, updates: list[Any]) -> None:
    legs = {PUT: Decimal(1), CALL: Decimal(-1)}
    await quiet.fill_legs(legs, [Decimal("1.6"), Decimal("0.1")], parts=2)

    assert [each["event"] for each in updates] == ["new", "partial_fill", "fill"]
    assert updates[1]["position_qtys"] == {PUT: "1", CALL: "-1"}
    assert [leg["status"] for leg in updates[1]["order"]["legs"]] == ["partially_filled"] * 2
    assert updates[2]["position_qtys"] == {PUT: "2", CALL: "-2"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"legs": SPREAD["legs"][:1]}, "invalid legs: expected 2 to 4"),
        ({"legs": [7, 8]}, "invalid leg: 7"),
        ({"legs": [{"symbol": PUT, "side": "buy", "ratio_qty": "0.5"}] * 2}, "invalid ratio_qty"),
        ({"legs": [{"symbol": "SPY", "side": "buy", "ratio_qty": "1"}] * 2}, "has no price"),
        ({"qty": None}, "invalid qty"),
        ({"limit_price": None}, "limit orders require a limit_price"),
        ({"time_in_force": "gtc"}, "invalid time_in_force"),
        ({"qty": "100000", "limit_price": "9"}, "insufficient buying power"),
    ],
)
async def test_a_rejected_order_names_the_value(
    quiet: Simulator, changes: dict[str, Any], problem: str
) -> None:
    answer = await post(quiet, **changes)

    assert answer.status_code in (403, 422)
    assert problem in answer.json()["message"]
