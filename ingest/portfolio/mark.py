"""The price of a position: the tape's last price, or else the broker's. Pure.

Quotes are not used: one-sided and crossed quotes would be wrong, and the price stream shows the
last price. Outside regular hours the last price is the extended session's.
"""

from dataclasses import dataclass
from decimal import Decimal

from ingest.portfolio.asset_class import CRYPTO, US_EQUITY, US_OPTION
from shared import rfc3339
from shared.position import PriceSource
from shared.price import Price

APART = Decimal("1.2")
"""Prices of tape and broker that differ by more than this factor may count different shares: only
one of them has applied a split."""

OLD_NS = 4 * 3600 * 1_000_000_000
"""A last trade that is older than this at the broker's report is from before the night, or of a
symbol so thin that the broker's price is newer."""

_UNPRICED = {
    US_OPTION: "the option feed is off, or its trades are fifteen minutes late",
    CRYPTO: "orders in pairs execute at Alpaca's own venue, which is the feed us, and the tape "
    "does not show it",
}


@dataclass(frozen=True)
class Mark:
    """A price, its source and time (RFC 3339), and the reason if it is not the tape's.

    ``close`` is the tape's previous close for the day of its price.
    """

    price: Decimal | None
    source: PriceSource | None = None
    timestamp: str | None = None
    reason: str | None = None
    close: Decimal | None = None


@dataclass(frozen=True)
class BrokerPrice:
    """A position's price and its previous close by the broker's newest report, at ``as_of``."""

    price: Decimal | None
    previous_close: Decimal | None
    as_of: str


def mark_of(asset_class: str, last: Price | None, broker: BrokerPrice, *, is_priced: bool) -> Mark:
    """Return the price of a position; ``last`` is the tape's last price.

    ``is_priced``: the tape has the prices at which the assets of this class are traded.
    """
    reason: str | None
    if not is_priced:
        reason = _UNPRICED.get(asset_class, f"the tape has no {asset_class}")
    elif last is None or last.price is None:
        reason = "the tape has no price for it yet"
    elif asset_class == US_OPTION and _is_outdated(last, broker):
        # Most contracts trade seldom, and their value follows the stock's.
        reason = "the last trade is hours old"
    elif asset_class != US_EQUITY:
        # There are no splits, and the broker's day begins at another time than the tape's.
        return Mark(Decimal(str(last.price)), "trade", last.timestamp)
    else:
        reason = _contradiction(last, last.price, broker)
        if reason is None:
            close = None if last.previous_close is None else Decimal(str(last.previous_close))
            return Mark(Decimal(str(last.price)), "trade", last.timestamp, close=close)
    if broker.price is None:
        return Mark(None, reason=f"{reason}, and the broker reports none")
    return Mark(broker.price, "broker", reason=reason)


def _contradiction(last: Price, price: float, broker: BrokerPrice) -> str | None:
    """Return why the tape's price may count other shares than the broker's quantity, or None.

    One sign is not enough: while tape and broker have nearly the same price, it counts, even if
    one of their previous closes is not adjusted for a split.
    """
    if broker.price and not are_apart(price, broker.price):
        return None
    if are_apart(last.previous_close, broker.previous_close):
        return (
            f"the previous close is {last.previous_close} on the tape and {broker.previous_close} "
            "at the broker: only one of them has carried out a split"
        )
    # On a split morning the last trade is yesterday's, in yesterday's shares. Within hours a price
    # may really move by this much, and the tape is ahead of the broker.
    if broker.price and _is_old(last.timestamp, broker.as_of):
        return (
            f"the last trade is hours old, and its price {price} is more than 20 % off the "
            f"broker's {broker.price}: one of them may not have carried out a split"
        )
    return None


def are_apart(ours: float | Decimal | None, theirs: Decimal | None) -> bool:
    """Return whether two known prices above zero may count different shares."""
    if not ours or not theirs:
        return False
    return not 1 / APART <= Decimal(str(ours)) / theirs <= APART


def _is_outdated(last: Price, broker: BrokerPrice) -> bool:
    return broker.price is not None and _is_old(last.timestamp, broker.as_of)


def _is_old(traded: str | None, reported: str) -> bool:
    if traded is None:
        return False
    return rfc3339.to_nanoseconds(reported) - rfc3339.to_nanoseconds(traded) > OLD_NS
