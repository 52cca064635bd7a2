"""An order: its request, its progress, and its JSON in Alpaca's REST. Pure."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Final, Literal, TypeAlias

from simulator.account.asset import Asset
from simulator.protocol.decimals import text
from simulator.protocol.rfc3339 import render

Side: TypeAlias = Literal["buy", "sell"]
OrderType: TypeAlias = Literal["market", "limit"]
TimeInForce: TypeAlias = Literal["day", "gtc", "ioc"]
End: TypeAlias = Literal["canceled", "expired", "rejected", "replaced"]
Event: TypeAlias = Literal["new", "pending_replace", "partial_fill", "fill"] | End
Session: TypeAlias = Literal["regular", "extended"]
Status: TypeAlias = Literal["new", "pending_replace", "partially_filled", "filled"] | End

_SMALLEST: Final = Decimal("1e-9")
"""Alpaca divides shares and coins to nine decimals."""


@dataclass(frozen=True)
class OrderRequest:
    """A client's request: for a quantity or for an amount in dollars (`notional`), not both."""

    asset: Asset
    side: Side
    quantity: Decimal | None = None
    notional: Decimal | None = None
    type: OrderType = "market"
    time_in_force: TimeInForce = "day"
    limit_price: Decimal | None = None
    client_order_id: str | None = None
    extended_hours: bool = False


@dataclass
class Order:
    """An order and its progress; times are Unix nanoseconds."""

    id: str
    client_order_id: str
    request: OrderRequest
    submitted_at: int
    updated_at: int
    status: Status = "new"
    total: Decimal | None = None
    """The total quantity; None for an amount in dollars that no price has converted yet."""
    filled: Decimal = Decimal(0)
    turnover: Decimal = Decimal(0)
    """The sum of quantities times prices."""
    ended_at: int | None = None
    replaces: str | None = None
    replaced_by: str | None = None

    @property
    def asset(self) -> Asset:
        """The asset that it trades."""
        return self.request.asset

    @property
    def is_open(self) -> bool:
        """Whether it may still fill."""
        return self.status in ("new", "pending_replace", "partially_filled")

    @property
    def session(self) -> Session | None:
        """The hours in which it may fill; None for crypto, which has no closing time."""
        if self.asset.asset_class == "crypto":
            return None
        return "extended" if self.request.extended_hours else "regular"

    def remaining(self, price: Decimal) -> Decimal:
        """Return the quantity that remains to be filled, at a price in dollars."""
        if self.total is not None:
            return self.total - self.filled
        whole = (self.request.notional or Decimal(0)) / price
        return whole.quantize(_SMALLEST, ROUND_DOWN)

    def allows(self, price: Decimal) -> bool:
        """Return whether it may fill at a price."""
        limit = self.request.limit_price
        if limit is None:
            return True
        return price <= limit if self.request.side == "buy" else price >= limit

    def execute(self, quantity: Decimal, price: Decimal, now: int) -> Event:
        """Fill a quantity, and return the event."""
        if self.total is None:
            self.total = self.remaining(price)
        self.filled += quantity
        self.turnover += quantity * price
        self.updated_at = now
        if self.filled < self.total:
            self.status = "partially_filled"
            return "partial_fill"
        self.status, self.ended_at = "filled", now
        return "fill"

    def end(self, status: End, now: int) -> None:
        """End it, whether partly filled or unfilled."""
        self.status = status
        self.updated_at = self.ended_at = now

    def shown(self) -> dict[str, object]:
        """Return the JSON of an order; numbers are text."""
        asked = self.request
        ended = None if self.ended_at is None else render(self.ended_at)
        at = {one: f"{one}_at" for one in ("filled", "canceled", "expired", "replaced")}
        times = dict.fromkeys((*at.values(), "failed_at"))
        if not self.is_open:
            times[at.get(self.status, "failed_at")] = ended
        return {
            "id": self.id,
            "client_order_id": self.client_order_id,
            "created_at": render(self.submitted_at),
            "updated_at": render(self.updated_at),
            "submitted_at": render(self.submitted_at),
            **times,
            "replaced_by": self.replaced_by,
            "replaces": self.replaces,
            "asset_id": asked.asset.id,
            "symbol": asked.asset.symbol,
            "asset_class": asked.asset.asset_class,
            "notional": text(asked.notional),
            "qty": text(asked.quantity),
            "filled_qty": text(self.filled),
            "filled_avg_price": text(self.turnover / self.filled) if self.filled else None,
            "order_class": "",
            "order_type": asked.type,
            "type": asked.type,
            "side": asked.side,
            "time_in_force": asked.time_in_force,
            "limit_price": text(asked.limit_price),
            "stop_price": None,
            "status": self.status,
            "extended_hours": asked.extended_hours,
            "legs": None,
            "trail_percent": None,
            "trail_price": None,
            "hwm": None,
        }
