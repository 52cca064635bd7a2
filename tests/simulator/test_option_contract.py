"""Contracts and their symbols; the examples are those of Alpaca's documentation."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.options.contract import Contract, contract_of
from simulator.protocol.option_feeds import is_option_symbol


def test_a_symbol_has_root_expiry_type_and_strike() -> None:
    assert contract_of("AAPL240315C00172500") == Contract(
        "AAPL", date(2024, 3, 15), "call", Decimal("172.5")
    )
    assert contract_of("SPXW240327P04925000").type == "put"


def test_an_adjusted_contract_has_the_stock_of_its_root_with_no_digit() -> None:
    adjusted = contract_of("AAPL1261218C00100000")

    assert (adjusted.root, adjusted.underlying) == ("AAPL1", "AAPL")


def test_a_name_is_as_in_alpacas_list_of_contracts() -> None:
    assert contract_of("AAPL250620C00100000").name == "AAPL Jun 20 2025 100 Call"
    assert contract_of("SPY250620P00472500").name == "SPY Jun 20 2025 472.5 Put"


@pytest.mark.parametrize(
    "symbol",
    [
        "SPY",
        "SPY   230901C00470000",
        "spy230901C00470000",
        "SPY230901X00470000",
        "SPY230901C0470000",
        "SPY230901C004700000",
        "TOOBIG230901C00470000",
        "SPY12230901C00470000",
        "BTC/USD",
        "",
    ],
)
def test_another_form_is_no_contract(symbol: str) -> None:
    assert not is_option_symbol(symbol)
    with pytest.raises(ValueError, match="expected one such as SPY230901C00470000"):
        contract_of(symbol)


def test_an_expiry_that_is_no_date_is_named() -> None:
    with pytest.raises(ValueError, match="'SPY230231C00470000', whose expiry is no date"):
        contract_of("SPY230231C00470000")


@given(
    st.from_regex(r"\A[A-Z]{1,5}[0-9]?\Z"),
    st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    st.sampled_from(["call", "put"]),
    st.integers(0, 99_999_999),
)
def test_a_contract_has_the_symbol_from_which_it_is_read(
    root: str, expiration: date, kind: str, thousandths: int
) -> None:
    contract = Contract(
        root, expiration, "call" if kind == "call" else "put", Decimal(thousandths) / 1000
    )

    assert contract_of(contract.symbol) == contract
