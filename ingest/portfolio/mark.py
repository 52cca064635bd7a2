"""The price of a position: the tape's last price, or else the broker's. Pure.

Quotes are not used: one-sided and crossed quotes would be wrong, and the price stream shows the
last price. Outside regular hours the last price is the extended session's.
"""

from dataclasses import dataclass
from decimal import Decimal

from ingest.portfolio.asset_class import US_EQUITY
from shared.position import PriceSource
from shared.price import Price

CLOSES_APART = Decimal("1.2")
"""Previous closes of tape and broker that differ by more than this factor count different shares:
only one of them has carried out a split."""


@dataclass(frozen=True)
class Mark:
    """A price, its source and time (RFC 3339), and the reason if it is not the tape's."""

    price: Decimal | None
    source: PriceSource | None = None
    timestamp: str | None = None
    reason: str | None = None


def mark_of(
    asset_class: str, last: Price | None, broker_price: Decimal | None, broker_close: Decimal | None
) -> Mark:
    """Return the price of a position.

    ``last`` is the tape's last price; ``broker_price`` and ``broker_close``, the previous close,
    come from the broker's newest report.
    """
    if asset_class != US_EQUITY:
        reason = f"the tape has only stocks, no {asset_class}"
    elif last is None or last.price is None:
        reason = "the tape has no price for it yet"
    elif _are_apart(last.previous_close, broker_close):
        reason = (
            f"the previous close is {last.previous_close} on the tape and {broker_close} at the "
            "broker: only one of them has carried out a split"
        )
    else:
        return Mark(Decimal(str(last.price)), "trade", last.timestamp)
    if broker_price is None:
        return Mark(None, reason=f"{reason}, and the broker reports none")
    return Mark(broker_price, "broker", reason=reason)


def _are_apart(ours: float | None, theirs: Decimal | None) -> bool:
    if not ours or not theirs:
        return False
    return not 1 / CLOSES_APART < Decimal(str(ours)) / theirs < CLOSES_APART
