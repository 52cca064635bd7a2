"""Multi-leg orders: several assets that fill together, or not at all. Pure.

Source: docs.alpaca.markets/docs/options-level-3-trading and …/docs/websocket-streaming.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from simulator.account.asset import Asset
from simulator.account.order import Order, OrderRequest, OrderType, Side, TimeInForce
from simulator.protocol.decimals import text

MULTI_LEG: Final = "mleg"

_NO_ASSET: Final = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class LegRequest:
    """A part of a request: `ratio` units for each unit of the whole."""

    asset: Asset
    side: Side
    ratio: Decimal

    @property
    def signed(self) -> Decimal:
        """The ratio, negative for a sale."""
        return self.ratio if self.side == "buy" else -self.ratio


@dataclass(frozen=True)
class MultiLegRequest:
    """A client's request; a negative `limit_price` is the least amount to receive."""

    legs: Sequence[LegRequest]
    quantity: Decimal
    type: OrderType = "market"
    time_in_force: TimeInForce = "day"
    limit_price: Decimal | None = None
    client_order_id: str | None = None

    @property
    def whole(self) -> OrderRequest:
        """The request of the order itself; its asset, which it must have, is that of a leg."""
        return OrderRequest(
            self.legs[0].asset,
            "buy",
            self.quantity,
            type=self.type,
            time_in_force=self.time_in_force,
            limit_price=self.limit_price,
            client_order_id=self.client_order_id,
        )

    def net(self, prices: Sequence[Decimal]) -> Decimal:
        """Return the price of one unit, at one price for each leg; negative to receive."""
        pairs = zip(self.legs, prices, strict=True)
        return sum((leg.signed * price for leg, price in pairs), Decimal(0))

    def cost(self, prices: Sequence[Decimal]) -> Decimal:
        """Return the dollars to pay for all of it; negative to receive."""
        pairs = zip(self.legs, prices, strict=True)
        each = (leg.signed * price * leg.asset.multiplier for leg, price in pairs)
        return self.quantity * sum(each, Decimal(0))


@dataclass
class MultiLegOrder(Order):
    """An order with legs, each an order that has no events of its own."""

    ratios: Sequence[Decimal] = ()
    legs: Sequence[Order] = field(default_factory=list)

    def shown(self) -> dict[str, object]:
        """Return the JSON of the order: it has no symbol of its own."""
        legs = [
            {**leg.shown(), "order_class": MULTI_LEG, "type": "", "order_type": ""}
            | {"ratio_qty": text(ratio)}
            for leg, ratio in zip(self.legs, self.ratios, strict=True)
        ]
        return super().shown() | {
            "asset_id": _NO_ASSET,
            "symbol": "",
            "asset_class": "",
            "order_class": MULTI_LEG,
            "legs": legs,
        }
