"""Alpaca's positions and account in our own terms. Pure, in Decimal.

Source: https://docs.alpaca.markets/reference/getallopenpositions and its neighbours.
"""

from collections.abc import Iterable
from decimal import Decimal

from ingest.alpaca.account_rows import AccountRow, PositionRow
from ingest.portfolio.amount import NOTHING, RATIO
from ingest.portfolio.asset_class import CRYPTO, OPTION_MULTIPLIER, US_OPTION
from ingest.portfolio.broker_report import ReportedAccount
from ingest.portfolio.holding import Holding
from ingest.portfolio.same_symbol import by_symbol
from shared.symbols import QUOTE_CURRENCIES


def positions(rows: Iterable[PositionRow], as_of: str) -> tuple[list[Holding], list[str]]:
    """Translate the open positions, one for each symbol.

    The second list has the symbols whose rows have no cost or no sum.
    """
    found: list[Holding] = []
    unreadable: list[str] = []
    for row in rows:
        # With neither its cost nor its average price, its gain would be its whole value.
        has_cost = row.cost_basis is not None or row.avg_entry_price is not None
        if has_cost:
            found.append(holding(row, as_of))
        else:
            unreadable.append(tape_symbol(row.symbol, row.asset_class))
    summed, without_sum = by_symbol(found)
    # One of its rows is not enough to value a symbol of which another cannot be read.
    held = [each for each in summed if each.symbol not in unreadable]
    return held, [*unreadable, *without_sum]


def holding(row: PositionRow, as_of: str) -> Holding:
    """Translate an open position; ``as_of``: the time of the request, RFC 3339."""
    qty = -abs(row.qty) if row.side == "short" else row.qty
    multiplier = _multiplier(row)
    cost = row.cost_basis
    if cost is None:
        cost = abs(qty * (row.avg_entry_price or NOTHING) * multiplier)
    value = None if row.market_value is None else _signed(row.market_value, qty)
    day_basis = None
    # The broker's own gain knows which shares were bought today; the previous close does not.
    if value is not None and row.unrealized_intraday_pl is not None:
        day_basis = value - row.unrealized_intraday_pl
    elif row.lastday_price is not None:
        day_basis = qty * row.lastday_price * multiplier
    return Holding(
        symbol=tape_symbol(row.symbol, row.asset_class),
        asset_class=row.asset_class,
        qty=qty,
        cost_basis=_signed(cost, qty),
        day_basis=day_basis,
        avg_entry_price=row.avg_entry_price,
        lastday_price=row.lastday_price,
        broker_price=row.current_price,
        multiplier=multiplier,
        as_of=as_of,
    )


def account(row: AccountRow) -> ReportedAccount:
    """Translate the account."""
    return ReportedAccount(
        cash=row.cash,
        currency=row.currency,
        equity=row.equity,
        last_equity=row.last_equity,
        buying_power=row.buying_power,
        long_market_value=row.long_market_value,
        short_market_value=row.short_market_value,
    )


def tape_symbol(symbol: str, asset_class: str) -> str:
    """Return the symbol as market data spells it: the broker writes ``BTCUSD`` for ``BTC/USD``."""
    if asset_class != CRYPTO or "/" in symbol:
        return symbol
    for currency in QUOTE_CURRENCIES:
        base = symbol.removesuffix(currency)
        if base and base != symbol:
            return f"{base}/{currency}"
    return symbol


def _signed(amount: Decimal, qty: Decimal) -> Decimal:
    """Return an amount with its position's sign: the broker writes shorts with either sign."""
    return abs(amount) if qty > 0 else -abs(amount)


def _multiplier(row: PositionRow) -> Decimal:
    if row.asset_class != US_OPTION:
        return Decimal(1)
    # A contract that was adjusted for a split or a merger has other units than 100.
    if row.market_value and row.current_price:
        units = abs(row.market_value / (row.qty * row.current_price))
        if (whole := units.to_integral_value()) and abs(units - whole) < RATIO:
            return whole
    return OPTION_MULTIPLIER
