"""Alpaca's orders and trade updates in our own terms: the account stream and REST alike."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from msgspec import Struct, structs

from ingest.alpaca import trade_updates
from ingest.alpaca.bounds import LARGEST_PRICE
from ingest.alpaca.trade_updates import FilledLeg, TradeUpdate, read_order
from ingest.portfolio.amount import number
from ingest.portfolio.asset_class import US_EQUITY, US_OPTION
from ingest.portfolio.execution import Execution
from ingest.portfolio.order_log import FILLS, changed_at
from ingest.upstream.account_translation import tape_symbol
from shared import rfc3339
from shared.order import Leg, LegExecution, Order, OrderUpdate

_ORDER_TIMES = (
    "submitted_at",
    "updated_at",
    "filled_at",
    "canceled_at",
    "expired_at",
    "failed_at",
    "replaced_at",
)

_NO_TIME = "0001-01-01T00:00:00Z"
"""The zero value of a time in Go, in which Alpaca's servers are written."""

_MULTI_LEG = "mleg"


def remove_unreadable_times(message: TradeUpdate | trade_updates.Order) -> list[str]:
    """Set the times that cannot be read to None, in all parts; return the problems."""
    problems = []
    for part, names in _with_times(message):
        for name in names:
            moment = getattr(part, name)
            try:
                # Its form in UTC must be readable too: it is read back from the history.
                rfc3339.to_nanoseconds(_utc(moment) or _NO_TIME)
            except ValueError as error:
                problems.append(f"{name}: {error}")
                moment = None
            setattr(part, name, None if moment == _NO_TIME else moment)
    return problems


def order_update(update: TradeUpdate, received_ns: int) -> OrderUpdate:
    """Translate a trade update; one that states no time has that of its receipt.

    ``remove_unreadable_times`` comes first.
    """
    order = _order(update.order)
    return OrderUpdate(
        event=update.event,
        symbol=order.symbol or "",
        timestamp=_moment(update, received_ns),
        order=order,
        price=number(update.price),
        qty=number(update.qty),
        position_qty=number(update.position_qty),
        execution_id=update.execution_id,
        legs=[_leg_execution(update, leg) for leg in update.legs or ()],
    )


def executions(update: TradeUpdate, received_ns: int) -> list[Execution] | None:
    """Return the changes that a trade update makes to positions; None if one cannot be read.

    A multi-leg order changes the position of each leg, at the leg's own price. Some of its changes
    would make an account that never was.
    """
    if update.event not in FILLS:
        return []
    moment, order = _moment(update, received_ns), update.order
    if order.symbol:
        one = _execution(order, order.symbol, update.price, update.qty, update.position_qty, moment)
        return None if one is None else [replace(one, id=update.execution_id or None)]
    after = update.position_qtys or {}
    found: list[Execution] = []
    for leg in update.legs or ():
        at = _utc(leg.timestamp) or moment
        qty = after.get(leg.symbol)
        one = _execution(_leg_of(update, leg), leg.symbol, leg.price, leg.qty, qty, at)
        if one is None:
            return None
        found.append(replace(one, id=leg.execution_id or None))
    # A fill of several legs that names none of them, or fewer than it has quantities for.
    return found if found and {*after} <= {leg.symbol for leg in update.legs or ()} else None


def orders(rows: Iterable[Any], on_malformed: Callable[[str], None]) -> list[Order]:
    """Translate the rows of ``GET /v2/orders``.

    An unreadable field costs the field, and a row that has no id or no time is skipped; both are
    reported to ``on_malformed``. The legs of bracket, OCO and OTO orders are orders too, as on the
    stream; those of a multi-leg order are only a part of it.
    """
    found: list[Order] = []
    for row in rows:
        try:
            read, problems = read_order(row)
            problems += remove_unreadable_times(read)
            order = _order(read)
            changed_at(order)
        except ValueError as error:  # also msgspec's
            on_malformed(str(error))
            continue
        for problem in problems:
            on_malformed(problem)
        found += _separate_orders(order)
    return found


def _separate_orders(order: Order) -> Iterator[Order]:
    """Yield the orders of a row that have events of their own."""
    is_multi_leg = order.order_class == _MULTI_LEG
    # A leg that is listed apart from its order is in the order's own row as well.
    if not is_multi_leg or order.symbol is None:
        yield order
    for leg in () if is_multi_leg else order.legs:
        # One that waits for its parent, and was never changed, may have no time yet.
        if leg.updated_at or leg.submitted_at:
            yield Order(**structs.asdict(leg))


def _with_times(
    message: TradeUpdate | trade_updates.Order,
) -> Iterator[tuple[Struct, Sequence[str]]]:
    """Yield the parts of a message with the names of their times."""
    order = message
    if isinstance(message, TradeUpdate):
        yield message, ("timestamp", "at")
        yield from ((leg, ("timestamp",)) for leg in message.legs or ())
        order = message.order
    yield from ((each, _ORDER_TIMES) for each in (order, *(order.legs or ())))


def _execution(
    order: trade_updates.Leg | None,
    symbol: str,
    price: Decimal | None,
    qty: Decimal | None,
    after: Decimal | None,
    at: str,
) -> Execution | None:
    """Return a change of one position; None if its side or a number is unknown or impossible."""
    if price is None or qty is None or after is None or order is None or order.side is None:
        return None
    if not all(each.is_finite() for each in (price, qty, after)):
        return None
    # Only the net price of several legs can be negative.
    if not 0 <= price < LARGEST_PRICE or qty <= 0:
        return None
    asset_class = order.asset_class or (US_EQUITY if order.order_class != _MULTI_LEG else US_OPTION)
    return Execution(
        symbol=tape_symbol(symbol, asset_class),
        asset_class=asset_class,
        delta=qty if order.side.startswith("buy") else -qty,
        price=price,
        qty=after,
        at=at,
    )


def _leg_of(update: TradeUpdate, execution: FilledLeg) -> trade_updates.Leg | None:
    """Return the leg that an execution belongs to: by its id, or else by its symbol."""
    legs = update.order.legs or []
    same_id = (leg for leg in legs if leg.id == execution.order_id)
    same_symbol = (leg for leg in legs if leg.symbol == execution.symbol)
    return next(same_id, None) or next(same_symbol, None)


def _leg_execution(update: TradeUpdate, execution: FilledLeg) -> LegExecution:
    after = (update.position_qtys or {}).get(execution.symbol)
    found = LegExecution(
        order_id=execution.order_id,
        symbol=execution.symbol,
        price=number(execution.price),
        qty=number(execution.qty),
        position_qty=number(after),
        execution_id=execution.execution_id,
        timestamp=_utc(execution.timestamp),
    )
    leg = _leg_of(update, execution)
    if leg is None:
        return found
    return structs.replace(
        found,
        order_id=leg.id,
        symbol=tape_symbol(execution.symbol, leg.asset_class or ""),
        side=leg.side,
        status=leg.status,
        ratio_qty=leg.ratio_qty,
        filled_qty=leg.filled_qty,
        filled_avg_price=leg.filled_avg_price,
    )


def _order(row: trade_updates.Order) -> Order:
    return Order(**_fields(row), legs=[Leg(**_fields(leg)) for leg in row.legs or ()])


def _fields(row: trade_updates.Leg) -> dict[str, Any]:
    """Return the fields of an order: its symbol as market data spells it, its times in UTC.

    They have the same names as Alpaca's.
    """
    fields = {name: getattr(row, name) for name in Leg.__struct_fields__}
    fields["symbol"] = tape_symbol(row.symbol, row.asset_class or "") if row.symbol else None
    for name in ("asset_class", "type", "position_intent", "replaced_by", "replaces"):
        fields[name] = fields[name] or None  # Alpaca writes "" in legs and multi-leg orders
    for name in _ORDER_TIMES:
        fields[name] = _utc(fields[name])
    return fields


def _moment(update: TradeUpdate, received_ns: int) -> str:
    """Return the time of an update in UTC."""
    stated = update.timestamp or update.at or update.order.updated_at
    return _utc(stated) or rfc3339.from_nanoseconds(received_ns)


def _utc(moment: str | None) -> str | None:
    return moment and rfc3339.from_nanoseconds(rfc3339.to_nanoseconds(moment))
