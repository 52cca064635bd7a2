"""The effect of a fill on a position. Pure, in Decimal."""

from dataclasses import dataclass
from decimal import Decimal

from ingest.portfolio.amount import NOTHING
from ingest.portfolio.asset_class import CRYPTO
from shared.rfc3339 import to_nanoseconds

FEE_RATE = Decimal("0.003")
"""Alpaca takes the fee of a crypto purchase from the coins: at most 0.25 % of them, rounded.
Source: https://docs.alpaca.markets/docs/crypto-fees."""


@dataclass(frozen=True)
class Execution:
    """The effect of a fill on a position.

    ``delta`` is negative for a sale; ``qty`` is the quantity after it; ``at`` is RFC 3339.
    ``id`` is the broker's, the same if it sends an execution twice.
    """

    symbol: str
    asset_class: str
    delta: Decimal
    price: Decimal
    qty: Decimal
    at: str
    id: str | None = None

    @property
    def moment(self) -> float:
        """Its own time, unix seconds."""
        return to_nanoseconds(self.at) / 1e9

    @property
    def fee_at_most(self) -> Decimal:
        """The largest fee that the broker takes from the bought quantity itself."""
        buys_coins = self.asset_class == CRYPTO and self.delta > 0
        return self.delta * FEE_RATE if buys_coins else NOTHING

    def follows(self, before: Decimal) -> bool:
        """Return whether it leads from a quantity to its own, less at most its own fee."""
        return NOTHING <= before + self.delta - self.qty <= self.fee_at_most
