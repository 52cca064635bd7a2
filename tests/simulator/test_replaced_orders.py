"""Orders that replace others."""

import json
from typing import Any

import httpx
import pytest

from simulator.account.order_request import TradingError
from simulator.service import Simulator
from tests.simulator.brokerage import Brokerage
from tests.simulator.client import KEYS

ORDER = {"symbol": "BAC", "qty": "10", "side": "buy", "type": "limit", "limit_price": "13.5"}


def replace(one: Brokerage, order: dict[str, Any], **changes: Any) -> dict[str, Any]:
    taken = one.broker.replace(order["id"], json.dumps(changes).encode())
    return one.shown(str(taken["id"]))


@pytest.fixture
def one() -> Brokerage:
    """Return a broker in a market with a quote of BAC."""
    brokerage = Brokerage()
    brokerage.quote("BAC", 13.89, 13.91, ask_size=4)
    return brokerage


def test_a_replaced_order_and_its_successor_name_each_other(one: Brokerage) -> None:
    old = one.order("BAC", "buy", 10, limit_price=13.5)
    new = replace(one, old, qty=12, limit_price="13.6")
    updates: list[Any] = one.told

    assert one.events() == ["new", "pending_replace", "replaced", "new"]
    assert [each["order"]["status"] for each in updates] == [
        "new",
        "pending_replace",
        "replaced",
        "new",
    ]
    assert (updates[2]["order"]["replaced_by"], new["replaces"]) == (new["id"], old["id"])
    assert updates[2]["order"]["replaced_at"] == updates[2]["timestamp"]
    assert (new["qty"], new["limit_price"], new["replaced_by"]) == ("12", "13.6", None)
    one.quote("BAC", 13.4, 13.5)
    assert one.events()[4:] == [("fill", "12", "13.5")], "the old one no longer fills"


def test_a_successor_has_the_rest_of_the_quantity_and_fills_at_once_if_it_can(
    one: Brokerage,
) -> None:
    old = one.order("BAC", "buy", 10, limit_price=13.91)
    one.quote("BAC", 13.99, 14.01)
    new = replace(one, old, limit_price=14.01)

    assert one.events()[1:] == [
        ("partial_fill", "4", "13.91"),
        "pending_replace",
        "replaced",
        "new",
        ("fill", "6", "14.01"),
    ]
    assert (new["qty"], new["status"]) == ("6", "filled")
    assert one.broker.account.quantity("BAC") == 10


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"qty": "0"}, "invalid qty"),
        ({"qty": "1e6"}, "insufficient buying power"),
        ({"client_order_id": "taken"}, "client_order_id must be unique"),
        ({"time_in_force": "fok"}, "invalid time_in_force"),
    ],
)
def test_an_order_whose_replacement_is_rejected_stays(
    one: Brokerage, changes: dict[str, Any], problem: str
) -> None:
    order = one.order("BAC", "buy", 10, limit_price=13.5, client_order_id="taken")
    with pytest.raises(TradingError, match=problem):
        replace(one, order, **changes)

    assert one.events() == ["new"]
    assert one.shown(order["id"]) == order


def test_an_order_that_has_ended_cannot_be_replaced(one: Brokerage) -> None:
    order = one.order("BAC", "buy", 1)
    with pytest.raises(TradingError, match='already in "filled" state'):
        replace(one, order, qty=2)


async def test_an_order_is_replaced_over_http(quiet: Simulator) -> None:
    await quiet.publish({"T": "t", "S": "BAC", "p": 14.0, "s": 1})
    async with httpx.AsyncClient(base_url=quiet.rest_url, headers=KEYS) as http:
        taken = await http.post("/v2/orders", json=ORDER | {"time_in_force": "day"})
        new = await http.patch(f"/v2/orders/{taken.json()['id']}", json={"limit_price": "13.6"})
        lost = await http.patch("/v2/orders/unknown", json={})

    assert (new.status_code, new.json()["replaces"]) == (200, taken.json()["id"])
    assert lost.status_code == 404
