"""The ``orders`` event: an update of an order, from Alpaca's ``trade_updates``."""

import msgspec


class Leg(msgspec.Struct, kw_only=True):
    """An order within an order, after the event; prices in dollars per share, times in UTC.

    ``ratio_qty`` is its part in a multi-leg order. ``hwm`` is the best price since a trailing stop
    was submitted.
    """

    id: str
    client_order_id: str | None = None
    symbol: str | None = None
    asset_class: str | None = None
    order_class: str | None = None
    type: str | None = None
    side: str | None = None
    time_in_force: str | None = None
    status: str | None = None
    qty: float | None = None
    notional: float | None = None
    filled_qty: float | None = None
    filled_avg_price: float | None = None
    limit_price: float | None = None
    stop_price: float | None = None
    trail_price: float | None = None
    trail_percent: float | None = None
    hwm: float | None = None
    ratio_qty: float | None = None
    position_intent: str | None = None
    extended_hours: bool | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    submitted_at: str | None = None
    updated_at: str | None = None
    filled_at: str | None = None
    canceled_at: str | None = None
    expired_at: str | None = None
    failed_at: str | None = None
    replaced_at: str | None = None


class Order(Leg, kw_only=True):
    """An order after the event; prices in dollars per share, times in UTC.

    ``symbol`` is null for a multi-leg order. A bracket, OCO or OTO order has both symbol and legs.
    """

    legs: list[Leg] = []


class LegExecution(msgspec.Struct, kw_only=True):
    """The execution of one leg of a multi-leg order, and the state of the leg after it.

    ``price`` and ``qty`` are those of this execution. ``position_qty`` is the position after it,
    negative when sold short.
    """

    order_id: str | None
    symbol: str
    side: str | None = None
    price: float | None = None
    qty: float | None = None
    position_qty: float | None = None
    execution_id: str | None = None
    status: str | None = None
    ratio_qty: float | None = None
    filled_qty: float | None = None
    filled_avg_price: float | None = None
    timestamp: str | None = None


class OrderUpdate(msgspec.Struct, kw_only=True):
    """One trade update. ``price`` and ``qty`` are those of this execution, in ``fill`` events.

    ``symbol`` is empty for a multi-leg order, and ``legs`` has the execution of each leg.
    ``position_qty`` is the position after it, negative when sold short. The JSON gets ``event_id``
    when it is published.
    """

    event: str
    """The broker's name of it: ``new fill partial_fill canceled expired rejected`` and others."""
    symbol: str
    timestamp: str
    order: Order
    price: float | None = None
    qty: float | None = None
    position_qty: float | None = None
    execution_id: str | None = None
    legs: list[LegExecution] = []
    recovered: bool = False
    """The order changed while the broker's stream was disconnected, and REST returned its state:
    one event for all changes in that time."""


encode = msgspec.json.Encoder().encode
