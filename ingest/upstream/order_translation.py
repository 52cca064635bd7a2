"""Alpaca's orders and trade updates in our own terms: the account stream and REST alike."""

from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal
from typing import Any

from ingest.alpaca import trade_updates
from ingest.alpaca.trade_updates import TradeUpdate, read_order
from ingest.portfolio.asset_class import US_EQUITY
from ingest.portfolio.holdings import Execution
from ingest.portfolio.order_log import changed_at
from ingest.upstream.account_translation import tape_symbol
from shared import rfc3339
from shared.order import Order, OrderUpdate

_EXECUTIONS = frozenset({"fill", "partial_fill"})


def order_update(update: TradeUpdate) -> OrderUpdate:
    """Translate a trade update.

    Raises:
        ValueError: it has no valid time.
    """
    order = _order(update.order)
    moment = update.timestamp or update.at or update.order.updated_at
    return OrderUpdate(
        event=update.event,
        symbol=order.symbol or "",
        timestamp=_utc(moment or ""),
        order=order,
        price=_number(update.price),
        qty=_number(update.qty),
        position_qty=_number(update.position_qty),
        execution_id=update.execution_id,
    )


def execution(update: TradeUpdate) -> Execution | None:
    """Return the change that a trade update makes to a position; None if it states no change.

    Raises:
        ValueError: it has no valid time.
    """
    order = update.order
    price, qty, after = update.price, update.qty, update.position_qty
    if update.event not in _EXECUTIONS or not order.symbol:
        return None
    if price is None or qty is None or after is None or order.side is None:
        return None
    if not all(each.is_finite() for each in (price, qty, after)):
        return None
    asset_class = order.asset_class or US_EQUITY
    moment = update.timestamp or update.at or order.updated_at or ""
    return Execution(
        symbol=tape_symbol(order.symbol, asset_class),
        asset_class=asset_class,
        delta=qty if order.side.startswith("buy") else Decimal(0) - qty,
        price=price,
        qty=after,
        at=_utc(moment),
    )


def orders(rows: Iterable[Any]) -> list[Order]:
    """Translate the rows of ``GET /v2/orders``; rows of another form are skipped."""
    found = []
    for row in rows:
        with suppress(ValueError):  # msgspec's errors, and invalid times
            order = _order(read_order(row))
            changed_at(order)
            found.append(order)
    return found


def _order(row: trade_updates.Order) -> Order:
    """Translate an order: its symbol as market data spells it, its times in UTC."""
    return Order(
        id=row.id,
        client_order_id=row.client_order_id,
        symbol=tape_symbol(row.symbol, row.asset_class or "") if row.symbol else None,
        asset_class=row.asset_class,
        order_class=row.order_class,
        type=row.type,
        side=row.side,
        time_in_force=row.time_in_force,
        status=row.status,
        qty=row.qty,
        notional=row.notional,
        filled_qty=row.filled_qty,
        filled_avg_price=row.filled_avg_price,
        limit_price=row.limit_price,
        stop_price=row.stop_price,
        submitted_at=row.submitted_at and _utc(row.submitted_at),
        updated_at=row.updated_at and _utc(row.updated_at),
    )


def _utc(moment: str) -> str:
    return rfc3339.from_nanoseconds(rfc3339.to_nanoseconds(moment))


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
