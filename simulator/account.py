"""A small account: a long and a short position, valued at the replayed prices.

All money is Decimal and leaves as text, as in Alpaca's `/v2/positions` and `/v2/account`.
The holdings are invented; a value that depends on a price nobody has seen yet is null.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import NAMESPACE_URL, uuid5

_RATIO: Final = Decimal("1e-16")
"""Ratios are given with sixteen decimals, as Alpaca's examples are."""


@dataclass(frozen=True)
class Holding:
    """Shares (negative when sold short) and the average price paid, in dollars."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal = Decimal(100)
    exchange: str = "NYSE"


HOLDINGS: Final = (
    Holding("BAC", Decimal(137), Decimal("13.7425")),
    Holding("IBM", Decimal(-20), Decimal("182.35")),
)
CASH: Final = Decimal(25000)

Quote = Callable[[str], Decimal | None]
"""Gives a symbol's price in dollars, None if it is not known."""


def positions(
    holdings: Iterable[Holding], price: Quote, previous_close: Quote
) -> list[dict[str, str | bool | None]]:
    """Return the body of `/v2/positions`."""
    return [
        _position(holding, price(holding.symbol), previous_close(holding.symbol))
        for holding in holdings
    ]


def account(holdings: Iterable[Holding], price: Quote) -> dict[str, str | bool | None]:
    """Return the body of `/v2/account`, a margin account without other activity."""
    values = [_value(holding, price(holding.symbol)) for holding in holdings]
    known = [value for value in values if value is not None]
    complete = len(known) == len(values)
    longs = sum((value for value in known if value > 0), Decimal(0)) if complete else None
    shorts = sum((value for value in known if value < 0), Decimal(0)) if complete else None
    equity = None if longs is None or shorts is None else CASH + longs + shorts
    return {
        "id": str(uuid5(NAMESPACE_URL, "simulator:account")),
        "account_number": "PASIMULATOR",
        "status": "ACTIVE",
        "currency": "USD",
        "cash": _text(CASH),
        "buying_power": _text(CASH),
        "equity": _text(equity),
        "portfolio_value": _text(equity),
        "last_equity": None,
        "long_market_value": _text(longs),
        "short_market_value": _text(shorts),
        "initial_margin": None,
        "maintenance_margin": None,
        "multiplier": "2",
        "shorting_enabled": True,
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
        "created_at": "2013-10-07T13:30:00Z",
    }


def _position(
    holding: Holding, price: Decimal | None, previous_close: Decimal | None
) -> dict[str, str | bool | None]:
    cost = holding.quantity * holding.entry_price
    value = _value(holding, price)
    gain = None if value is None else value - cost
    start = None if previous_close is None else holding.quantity * previous_close
    intraday = None if value is None or start is None else value - start
    moved = None if price is None or previous_close is None else price - previous_close
    return {
        "asset_id": str(uuid5(NAMESPACE_URL, f"simulator:{holding.symbol}")),
        "symbol": holding.symbol,
        "exchange": holding.exchange,
        "asset_class": "us_equity",
        "asset_marginable": True,
        "qty": _text(holding.quantity),
        "qty_available": _text(holding.quantity),
        "side": "long" if holding.quantity > 0 else "short",
        "avg_entry_price": _text(holding.entry_price),
        "cost_basis": _text(cost),
        "market_value": _text(value),
        "unrealized_pl": _text(gain),
        "unrealized_plpc": _ratio(gain, abs(cost)),
        "unrealized_intraday_pl": _text(intraday),
        "unrealized_intraday_plpc": _ratio(intraday, None if start is None else abs(start)),
        "current_price": _text(price),
        "lastday_price": _text(previous_close),
        "change_today": _ratio(moved, previous_close),
    }


def _value(holding: Holding, price: Decimal | None) -> Decimal | None:
    return None if price is None else holding.quantity * price


def _ratio(part: Decimal | None, whole: Decimal | None) -> str | None:
    if part is None or not whole:
        return None
    return _text((part / whole).quantize(_RATIO))


def _text(amount: Decimal | None) -> str | None:
    """Write a number without an exponent and without trailing zeros."""
    if amount is None:
        return None
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
