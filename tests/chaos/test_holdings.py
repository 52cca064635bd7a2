"""What fills make of an account: fees in coins and in dollars, contracts of a hundred shares."""

from decimal import Decimal
from typing import Any

import pytest

from tests.chaos.holdings import Fill, Owned, State, after, cents, fills_of

PAIR, CALL, PUT = "FIL/USD", "SPY301220C00500000", "SPY301220P00400000"
EMPTY = State(Decimal(1000), {})


def fill(symbol: str, qty: str, price: str) -> Fill:
    return Fill(symbol, Decimal(qty), Decimal(price))


@pytest.mark.parametrize(
    ("made", "cash", "owned", "fee"),
    [
        (fill("SPY", "2", "100"), "800", ("2", "200"), "0"),
        (fill("SPY", "-2", "100"), "1200", ("-2", "-200"), "0"),
        (fill(CALL, "2", "1.25"), "750", ("2", "250"), "0"),
        (fill(CALL, "-2", "1.25"), "1250", ("-2", "-250"), "0"),
        (fill(PAIR, "10", "50"), "500", ("9.975", "498.75"), "0"),
        (fill(PAIR, "-10", "50.001"), "1500.01", ("-10", "-500.01"), "1.26"),
    ],
)
def test_a_fill_changes_cash_and_position_and_may_have_a_fee(
    made: Fill, cash: str, owned: tuple[str, str], fee: str
) -> None:
    state = after(EMPTY, [made])

    assert state == State(Decimal(cash), {made.symbol: Owned(*map(Decimal, owned))})
    assert made.fee == Decimal(fee)


def test_coins_are_rounded_down_to_the_ninth_decimal() -> None:
    assert fill(PAIR, "0.000000003", "50").units == Decimal("2e-9")


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        ("10", "-4", Owned(Decimal(6), Decimal(600))),
        ("10", "5", Owned(Decimal(15), Decimal(1600))),
        ("10", "-15", Owned(Decimal(-5), Decimal(-600))),
        ("-10", "4", Owned(Decimal(-6), Decimal(-600))),
        ("10", "-10", None),
    ],
)
def test_a_purchase_averages_and_a_sale_keeps_the_average_or_turns_the_position(
    first: str, second: str, left: Owned | None
) -> None:
    state = after(EMPTY, [fill("SPY", first, "100"), fill("SPY", second, "120")])

    assert state.owned.get("SPY") == left


def test_an_update_of_one_asset_has_one_fill() -> None:
    order = {"id": "a", "symbol": "FILUSD", "side": "sell", "legs": None}
    update = {"event": "partial_fill", "order": order, "qty": "2.5", "price": "50"}

    assert fills_of(update) == [fill(PAIR, "-2.5", "50")]
    assert fills_of(update | {"event": "canceled"}) == []


def test_an_update_of_several_legs_has_a_fill_of_each() -> None:
    legs: list[dict[str, Any]] = [
        {"id": "b", "symbol": CALL, "side": "buy"},
        {"id": "s", "symbol": PUT, "side": "sell"},
    ]
    executions = [
        {"order_id": "s", "symbol": PUT, "qty": "3", "price": "1.5"},
        {"order_id": "b", "symbol": CALL, "qty": "1", "price": "2"},
    ]
    order = {"id": "m", "symbol": "", "side": "buy", "legs": legs}
    update = {"event": "fill", "order": order, "qty": "1", "price": "-2.5", "legs": executions}

    assert fills_of(update) == [fill(PUT, "-3", "1.5"), fill(CALL, "1", "2")]


def test_cents_are_those_of_the_events() -> None:
    assert [cents(each) for each in (1, 2.345, "0.005")] == [
        Decimal("1.00"),
        Decimal("2.34"),
        Decimal("0.00"),
    ]
