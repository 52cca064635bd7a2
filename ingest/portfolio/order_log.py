"""What is known of orders, so that REST's list tells what the stream has not brought. Pure."""

from collections import OrderedDict
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from msgspec import structs

from ingest.alpaca.trade_updates import TradeUpdate, changed_at
from ingest.portfolio.broker_rows import tape_symbol
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
        if known is not None and known.recovered and changed_at(update.order) <= known.at:
            return None
        self._note(event)
        return event

    def on_orders(self, rows: Iterable[Order], now: int, heard_since: int) -> list[OrderUpdate]:
        """Take REST's orders; return what the stream has not brought and will not, oldest first.

        ``now`` and ``heard_since``, when the stream began to be heard, are unix ns.

        Raises:
            ValueError: a time is none.
        """
        news = []
        for row in sorted(rows, key=changed_at):
            at, known = changed_at(row), self._known.get(row.id)
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
    order = spelt(update.order)
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


def recovered_event(row: Order) -> OrderUpdate:
    """Return the event for an order of which REST knows more than was announced.

    Raises:
        ValueError: its time is none.
    """
    order, status = spelt(row), row.status or ""
    return OrderUpdate(
        event=_EVENTS.get(status, status),
        symbol=order.symbol or "",
        timestamp=rfc3339.from_nanoseconds(changed_at(row)),
        order=order,
        recovered=True,
    )


def spelt(order: Order) -> Order:
    """Return an order with its symbol as market data spells it, times in UTC.

    Raises:
        ValueError: a time is none.
    """
    return structs.replace(
        order,
        symbol=tape_symbol(order.symbol, order.asset_class or "") if order.symbol else None,
        submitted_at=order.submitted_at and _utc(order.submitted_at),
        updated_at=order.updated_at and _utc(order.updated_at),
    )


def _same(known: _Known, row: Order) -> bool:
    return (known.status, known.filled) == (row.status, row.filled_qty or 0)


def _utc(moment: str) -> str:
    return rfc3339.from_nanoseconds(rfc3339.to_nanoseconds(moment))


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
