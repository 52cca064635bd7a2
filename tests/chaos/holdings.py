"""The account in decimals between two changes, and what its fills make of it. Pure.

Written without a look at the ingest, and apart from the simulator's own ledger.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Decimal
from typing import Any, NamedTuple

from simulator.account.asset import asset_of
from tests.chaos.markets import is_pair, multiplier

FEE = Decimal("0.0025")
"""Pairs alone have it: Alpaca takes it from the coins of a purchase, or the dollars of a sale."""

_CENT = Decimal("0.01")
_SMALLEST_COIN = Decimal("1e-9")
_NOTHING = Decimal(0)
_EXECUTIONS = ("fill", "partial_fill")


class Owned(NamedTuple):
    """Units of one symbol (negative when sold short) and their cost in dollars."""

    qty: Decimal
    cost: Decimal


NONE = Owned(_NOTHING, _NOTHING)


@dataclass(frozen=True)
class State:
    """The account between two changes."""

    cash: Decimal
    owned: Mapping[str, Owned]


class Fill(NamedTuple):
    """An execution: units as ordered (negative for a sale), dollars for one unit."""

    symbol: str
    qty: Decimal
    price: Decimal

    @property
    def units(self) -> Decimal:
        """The change of the position: less coins than were bought."""
        if not is_pair(self.symbol) or self.qty < 0:
            return self.qty
        return (self.qty * (1 - FEE)).quantize(_SMALLEST_COIN, ROUND_DOWN)

    @property
    def paid(self) -> Decimal:
        """The dollars for it, before a fee; negative for a sale."""
        return self.qty * self.price * multiplier(self.symbol)

    @property
    def fee(self) -> Decimal:
        """The dollars of a sale that are the fee. No update of an order has them."""
        if not is_pair(self.symbol) or self.qty > 0:
            return _NOTHING
        return (-self.paid * FEE).quantize(_CENT, ROUND_UP)


def fills_of(update: Mapping[str, Any]) -> list[Fill]:
    """Return the executions in an update of an order: those of all legs, if it has some."""
    if update["event"] not in _EXECUTIONS:
        return []
    order = update["order"]
    if not update.get("legs"):
        return [_fill(order, update)]
    parts = {part["id"]: part for part in order["legs"]}
    return [_fill(parts[leg["order_id"]], leg) for leg in update["legs"]]


def _fill(order: Mapping[str, Any], execution: Mapping[str, Any]) -> Fill:
    qty = Decimal(execution["qty"])
    symbol = asset_of(order["symbol"]).market_symbol
    return Fill(symbol, qty if order["side"] == "buy" else -qty, Decimal(execution["price"]))


def after(state: State, fills: Iterable[Fill]) -> State:
    """Return the account after executions, before any fee in dollars."""
    cash, owned = state.cash, state.owned
    for fill in fills:
        cash -= fill.paid
        owned = added(owned, fill.symbol, fill.units, fill.price)
    return State(cash, owned)


def added(
    owned: Mapping[str, Owned], symbol: str, units: Decimal, price: Decimal
) -> Mapping[str, Owned]:
    """Return the positions with more units at a price; a larger sale turns a position."""
    was, each = owned.get(symbol, NONE), price * multiplier(symbol)
    new = was.qty + units
    if was.qty * units >= 0:
        cost = was.cost + units * each
    elif was.qty * new >= 0:
        cost = was.cost * new / was.qty
    else:
        cost = new * each
    found = {**owned, symbol: Owned(new, cost)}
    if not new:
        del found[symbol]
    return found


def cents(amount: Any) -> Decimal:
    """Return an amount of money as events show it."""
    return Decimal(str(amount)).quantize(_CENT, ROUND_HALF_EVEN)
