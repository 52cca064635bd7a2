"""What is known of orders, so that REST's list tells what the stream has not brought. Pure."""

from collections import OrderedDict
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from ingest.portfolio.broker_rows import tape_symbol
from ingest.upstream.trade_updates import OrderRow, TradeUpdate
from shared import rfc3339
from shared.order import Order, OrderUpdate

REMEMBERED = 2_000

ON_ITS_WAY_NS = 5_000_000_000
"""What REST knows of an order, the stream may still bring, for so long."""

_EVENTS = {"filled": "fill", "partially_filled": "partial_fill"}
"""The events that lead to a status, where they have another name."""


class _Known(NamedTuple):
    status: str | None
    filled: float
    at: int
    recovered: bool


class OrderLog:
    """The newest state of each order that was announced.

    ``begun``: unix ns; what had happened before, and nobody announced, is no news.
    """

    def __init__(self, begun: int) -> None:
        self._begun = begun
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def restore(self, updates: Iterable[OrderUpdate]) -> None:
        """Take what an earlier leader announced, oldest first: what came after it is news."""
        heard, self._known = self._known, OrderedDict()
        for update in updates:
            self._note(update)
            self._begun = rfc3339.to_nanoseconds(update.timestamp)
        self._known |= heard

    def on_update(self, update: TradeUpdate) -> OrderUpdate | None:
        """Take a trade update; return the event, None where REST has told as much already.

        Raises:
            ValueError: its time is none.
        """
        event = event_of(update)
        known = self._known.get(update.order.id)
        if known is not None and known.recovered and update.order.changed_at <= known.at:
            return None
        self._note(event)
        return event

    def on_orders(self, rows: Iterable[OrderRow], now: int, heard_since: int) -> list[OrderUpdate]:
        """Take REST's orders; return what the stream has not brought and will not, oldest first.

        ``now`` and ``heard_since``, when the stream began to be heard, are unix ns.

        Raises:
            ValueError: a time is none.
        """
        news = []
        for row in sorted(rows, key=lambda row: row.changed_at):
            at, known = row.changed_at, self._known.get(row.id)
            if at < self._begun if known is None else _same(known, row):
                continue
            if at >= heard_since and at > now - ON_ITS_WAY_NS:
                continue
            event = recovered_event(row)
            self._note(event)
            news.append(event)
        return news

    def _note(self, event: OrderUpdate) -> None:
        order = event.order
        at = rfc3339.to_nanoseconds(order.updated_at or event.timestamp)
        self._known[order.id] = _Known(order.status, order.filled_qty or 0, at, event.recovered)
        self._known.move_to_end(order.id)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def event_of(update: TradeUpdate) -> OrderUpdate:
    """Return the event for a trade update.

    Raises:
        ValueError: its time is none.
    """
    order = order_of(update.order)
    moment = update.timestamp or update.at or update.order.updated_at
    return OrderUpdate(
        event=update.event,
        symbol=order.symbol,
        timestamp=_utc(moment or ""),
        order=order,
        price=_number(update.price),
        qty=_number(update.qty),
        position_qty=_number(update.position_qty),
        execution_id=update.execution_id,
    )


def recovered_event(row: OrderRow) -> OrderUpdate:
    """Return the event for an order of which REST knows more than was announced.

    Raises:
        ValueError: its time is none.
    """
    order, status = order_of(row), row.status or ""
    return OrderUpdate(
        event=_EVENTS.get(status, status),
        symbol=order.symbol,
        timestamp=order.updated_at or "",
        order=order,
        recovered=True,
    )


def order_of(row: OrderRow) -> Order:
    """Return an order with its symbol as market data spells it, times in UTC.

    Raises:
        ValueError: a time is none.
    """
    return Order(
        id=row.id,
        client_order_id=row.client_order_id,
        symbol=tape_symbol(row.symbol or "", row.asset_class or ""),
        asset_class=row.asset_class or None,
        order_class=row.order_class or None,
        type=row.type,
        side=row.side,
        time_in_force=row.time_in_force,
        status=row.status,
        qty=_number(row.qty),
        notional=_number(row.notional),
        filled_qty=_number(row.filled_qty),
        filled_avg_price=_number(row.filled_avg_price),
        limit_price=_number(row.limit_price),
        stop_price=_number(row.stop_price),
        submitted_at=None if row.submitted_at is None else _utc(row.submitted_at),
        updated_at=None if row.updated_at is None else _utc(row.updated_at),
    )


def _same(known: _Known, row: OrderRow) -> bool:
    return (known.status, known.filled) == (row.status, float(row.filled_qty or 0))


def _utc(moment: str) -> str:
    return rfc3339.from_nanoseconds(rfc3339.to_nanoseconds(moment))


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
