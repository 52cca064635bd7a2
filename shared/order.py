"""The ``orders`` event: an update of an order, from Alpaca's ``trade_updates``."""

import msgspec


class Order(msgspec.Struct, kw_only=True):
    """An order after the event; prices in dollars per share.

    ``symbol`` is null if it has several legs.
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
    submitted_at: str | None = None
    updated_at: str | None = None


class OrderUpdate(msgspec.Struct, kw_only=True):
    """One trade update. ``price`` and ``qty`` are those of this execution, in ``fill`` events.

    ``symbol`` is empty for an order of several legs. ``position_qty`` is the position after it,
    negative when sold short. The JSON gets ``event_id`` when it is published.
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
    recovered: bool = False
    """The order changed while the broker's stream was disconnected, and REST returned its state:
    one event for all changes in that time."""


encode = msgspec.json.Encoder().encode
