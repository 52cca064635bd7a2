"""The ledger: cash, average cost and lots."""

from decimal import Decimal
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.account.asset import asset_of
from simulator.account.ledger import Account, Holding, Lot

BAC = asset_of("BAC")
QUANTITIES = st.decimals(-1000, 1000, places=3).filter(bool)
PRICES = st.decimals("0.01", 1000, places=2)


def account(*fills: tuple[str, str], symbol: str = "BAC", cash: int = 1000) -> Account:
    held = Account(Decimal(cash), ())
    for time, (quantity, price) in enumerate(fills):
        held.fill(asset_of(symbol), Decimal(quantity), Decimal(price), time)
    return held


@pytest.mark.parametrize(
    ("fills", "quantity", "average", "cash"),
    [
        ([("10", "5")], "10", "5", "950"),
        ([("10", "5"), ("30", "7")], "40", "6.5", "740"),
        ([("10", "5"), ("30", "7"), ("-20", "9")], "20", "6.5", "920"),
        ([("-10", "5"), ("-10", "6")], "-20", "5.5", "1110"),
        ([("-10", "5"), ("4", "9")], "-6", "5", "1014"),
        ([("10", "5"), ("-25", "8")], "-15", "8", "1150"),
        ([("-10", "5"), ("10.5", "4")], "0.5", "4", "1008"),
        ([("0.1", "10"), ("0.2", "40")], "0.3", "30", "991"),
    ],
)
def test_buying_averages_in_and_selling_keeps_the_average(
    fills: list[tuple[str, str]], quantity: str, average: str, cash: str
) -> None:
    held = account(*fills)

    assert held.quantity("BAC") == Decimal(quantity)
    assert held.positions["BAC"].average_price == Decimal(average)
    assert held.cash == Decimal(cash)


def test_a_closed_position_disappears() -> None:
    held = account(("10", "5"), ("-4", "6"), ("-6", "7"))

    assert dict(held.positions) == {}
    assert (held.quantity("BAC"), held.cash) == (Decimal(0), Decimal(1016))


def test_sales_take_the_oldest_lots_first() -> None:
    held = Account(Decimal(0), [Holding("BAC", Decimal(10), Decimal(4))])
    held.fill(BAC, Decimal(5), Decimal(6), 1)
    held.fill(BAC, Decimal(5), Decimal(7), 2)
    held.fill(BAC, Decimal(-12), Decimal(8), 3)

    assert held.positions["BAC"].lots == [
        Lot(Decimal(3), Decimal(6), 1),
        Lot(Decimal(5), Decimal(7), 2),
    ]
    assert held.positions["BAC"].average_price == Decimal("5.25"), "(10·4 + 5·6 + 5·7) / 20"


def test_a_contract_costs_a_hundred_times_its_price() -> None:
    held = account(("2", "1.5"), symbol="AAPL240119C00100000")

    assert held.cash == Decimal(700)
    assert held.positions["AAPL240119C00100000"].average_price == Decimal("1.5")


def test_a_pair_is_one_position_however_it_is_spelled() -> None:
    held = Account(Decimal(0), [Holding("BTC/USD", Decimal("0.5"))])
    held.fill(asset_of("BTCUSD"), Decimal("-0.25"), Decimal(100), 1)

    assert held.quantity("BTCUSD") == Decimal("0.25")


@pytest.mark.parametrize("symbol", ["", "bac", "BTC/EUR", "A B"])
def test_what_can_be_no_symbol_is_named(symbol: str) -> None:
    with pytest.raises(ValueError, match=f"symbol is '{symbol}'"):
        Account(Decimal(0), [Holding(symbol, Decimal(1))])


@given(st.lists(st.tuples(QUANTITIES, PRICES), max_size=30))
def test_no_money_is_made_or_lost_by_keeping_books(fills: list[tuple[Decimal, Decimal]]) -> None:
    held = Account(Decimal(0), ())
    for time, (quantity, price) in enumerate(fills):
        held.fill(BAC, quantity, price, time)
    quantity = sum((one for one, _ in fills), Decimal(0))
    position = held.positions.get("BAC")

    assert held.cash == -sum((one * price for one, price in fills), Decimal(0))
    assert held.quantity("BAC") == quantity
    assert (position is None) == (quantity == 0)
    if position is not None:
        sides = [total > 0 for total in accumulate(one for one, _ in fills)]
        flips = [at for at, side in enumerate(sides) if side != sides[-1]]
        since = fills[(flips[-1] + 1 if flips else 0) :]
        prices = [price for _, price in since]
        assert min(prices) <= round(position.average_price, 9) <= max(prices)
        assert all((lot.quantity > 0) == (quantity > 0) for lot in position.lots)
