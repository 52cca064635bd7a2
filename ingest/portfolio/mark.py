"""The price that a position is valued at: the tape's last price, or else the broker's. Pure.

Quotes are never used: one-sided and crossed ones would be wrong, and the last price is what the
price stream shows. Outside of regular hours the last price is that of the extended session.
"""

from dataclasses import dataclass
from decimal import Decimal

from ingest.portfolio.broker_rows import US_EQUITY
from shared.position import PriceSource
from shared.price import Price

CLOSES_APART = Decimal("1.2")
"""Previous closes of the tape and the broker that are further apart are of another number of
shares: a split that only one of them has carried out."""


@dataclass(frozen=True)
class Mark:
    """A price, whose it is, when it was (RFC 3339), and why it is not the tape's."""

    price: Decimal | None
    source: PriceSource | None = None
    timestamp: str | None = None
    reason: str | None = None


def mark_of(
    asset_class: str, last: Price | None, broker_price: Decimal | None, broker_close: Decimal | None
) -> Mark:
    """Return what a position is valued at.

    ``last`` is the tape's last price; ``broker_price`` and ``broker_close``, the close before, are
    what the broker told at its last report.
    """
    if asset_class != US_EQUITY:
        reason = f"the tape has stocks only, no {asset_class}"
    elif last is None or last.price is None:
        reason = "the tape has no price of it yet"
    elif _are_apart(last.previous_close, broker_close):
        reason = (
            f"the close before is {last.previous_close} on the tape and {broker_close} at the "
            "broker: only one of them has carried out a split"
        )
    else:
        return Mark(Decimal(str(last.price)), "trade", last.timestamp)
    if broker_price is None:
        return Mark(None, reason=f"{reason}, and the broker tells none")
    return Mark(broker_price, "broker", reason=reason)


def _are_apart(ours: float | None, theirs: Decimal | None) -> bool:
    if not ours or not theirs:
        return False
    return not 1 / CLOSES_APART < Decimal(str(ours)) / theirs < CLOSES_APART
