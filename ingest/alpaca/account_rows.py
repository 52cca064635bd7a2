"""The account's REST rows, decoded; their numbers are text. No I/O.

Source: https://docs.alpaca.markets/reference/getallopenpositions and its neighbours.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ingest.alpaca.bounds import no_amounts
from ingest.alpaca.tolerant import bounded

UNKNOWN = "?"
"""Stands for the symbol of a position whose row lacks one."""

SYMBOL_CHARACTERS = 64
"""Options have 21."""


class PositionRow(msgspec.Struct, kw_only=True):
    """A row of ``GET /v2/positions``."""

    symbol: Annotated[str, Meta(max_length=SYMBOL_CHARACTERS)]
    qty: Decimal
    asset_class: str = "us_equity"
    side: str = ""
    avg_entry_price: Decimal | None = None
    cost_basis: Decimal | None = None
    market_value: Decimal | None = None
    unrealized_intraday_pl: Decimal | None = None
    current_price: Decimal | None = None
    lastday_price: Decimal | None = None


class AccountRow(msgspec.Struct, kw_only=True):
    """The response to ``GET /v2/account``."""

    cash: Decimal
    currency: str = "USD"
    equity: Decimal | None = None
    last_equity: Decimal | None = None
    buying_power: Decimal | None = None
    long_market_value: Decimal | None = None
    short_market_value: Decimal | None = None


def read_positions(rows: Sequence[Any]) -> tuple[list[PositionRow], list[str]]:
    """Return the open positions, and the symbols of those that cannot be read."""
    read: list[PositionRow] = []
    unreadable: list[str] = []
    for row in rows:
        try:
            position = msgspec.convert(_without_empty(row), PositionRow, strict=False)
        except (msgspec.ValidationError, RecursionError):
            symbol = row.get("symbol") if isinstance(row, dict) else None
            is_name = isinstance(symbol, str) and len(symbol) <= SYMBOL_CHARACTERS
            unreadable.append(str(symbol) if is_name else UNKNOWN)
            continue
        # One number that no account has spoils the position's value, and the account's sums.
        if any(no_amounts(position)):
            unreadable.append(position.symbol)
        elif position.qty:
            read.append(position)
    return read, unreadable


def read_account(row: Mapping[str, Any]) -> AccountRow:
    """Return the account.

    Raises:
        ValueError: it has another form.
    """
    try:
        account = msgspec.convert(_without_empty(row), AccountRow, strict=False)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ValueError(f"an account of another form: {bounded(error)}") from error
    # The sums of an account belong together: with one of them unusable, none of them is used.
    if odd := list(no_amounts(account)):
        raise ValueError(f"an account of another form: {', '.join(odd)} cannot be amounts of money")
    return account


def _without_empty(row: Any) -> Any:
    """Return a row with no fields that are null or empty: they are as good as absent."""
    if not isinstance(row, dict):
        return row
    # But not the class of the assets: an absent one would mean stocks.
    return {
        name: value
        for name, value in row.items()
        if (value is not None and value != "") or name == "asset_class"
    }
