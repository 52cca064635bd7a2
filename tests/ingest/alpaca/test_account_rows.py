"""Numbers that no account has: a position with one is unreadable, an account keeps its figures."""

from typing import Any

import pytest

from ingest.alpaca.account_rows import UNKNOWN, read_account, read_positions

POSITION = {"symbol": "BAC", "qty": "137", "cost_basis": "5000", "current_price": "36.5"}
ACCOUNT = {"cash": "1000", "equity": "6000"}
NO_AMOUNTS = [
    *("NaN", "sNaN", "Infinity", "-Infinity", "1e15", "-1e26", "1e30", "1E+999999", "1E-1000000"),
    *(float("nan"), float("inf"), 1e300, 10**15, "9" * 100_000, "0." + "9" * 31, "0E-999999"),
]
NUMBERS = [
    *("qty", "avg_entry_price", "cost_basis", "market_value", "unrealized_intraday_pl"),
    *("current_price", "lastday_price"),
]


@pytest.mark.parametrize("number", NO_AMOUNTS, ids=lambda each: str(each)[:20])
def test_a_position_with_a_number_that_is_no_amount_is_unreadable(number: Any) -> None:
    for name in NUMBERS:
        rows = [{**POSITION, name: number}, {**POSITION, "symbol": "SPY"}]
        read, unreadable = read_positions(rows)

        assert ([row.symbol for row in read], unreadable) == (["SPY"], ["BAC"]), name


@pytest.mark.parametrize("number", NO_AMOUNTS, ids=lambda each: str(each)[:20])
@pytest.mark.parametrize("name", ["cash", "equity", "last_equity", "buying_power"])
def test_an_account_with_a_number_that_is_no_amount_is_not_used(name: str, number: Any) -> None:
    with pytest.raises(ValueError, match="another form"):
        read_account({**ACCOUNT, name: number})


@pytest.mark.parametrize("number", ["999999999999999.99", "-0.000000001", "1e-9", "0", "123456789"])
def test_amounts_of_real_accounts_are_read(number: str) -> None:
    read, unreadable = read_positions([{**POSITION, "qty": "1e-9", "cost_basis": number}])

    assert (len(read), unreadable) == (1, [])
    assert read_account({**ACCOUNT, "cash": number}).cash is not None


@pytest.mark.parametrize("symbol", [None, 5, "x" * 100_000])
def test_a_row_whose_symbol_cannot_be_shown_is_unreadable(symbol: Any) -> None:
    assert read_positions([{**POSITION, "symbol": symbol}]) == ([], [UNKNOWN])


def test_an_empty_text_is_null_except_for_the_class_of_the_assets() -> None:
    names = ("side", *NUMBERS[1:])
    row = {**POSITION, "asset_class": "us_option"}
    [read], unreadable = read_positions([row | dict.fromkeys(names, "")])
    assert (read.asset_class, read.side, read.current_price, unreadable) == (
        *("us_option", "", None),
        [],
    )
    assert read_positions([row | {"asset_class": None}]) == ([], ["BAC"])

    account = read_account({**ACCOUNT, "currency": None, "last_equity": "", "buying_power": ""})
    assert (account.currency, account.last_equity, account.buying_power) == ("USD", None, None)
