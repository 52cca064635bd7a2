"""The bounds of amounts that arithmetic and events can carry. Pure."""

from decimal import Decimal

LARGEST = Decimal("1e18")
"""No price, quantity or sum of a market comes near it, and sums of products of two smaller amounts
still round to cents without an error."""


def is_plausible(*amounts: Decimal | None) -> bool:
    """Return whether all amounts are finite and of a size that a market can have; None is."""
    return all(each is None or (each.is_finite() and abs(each) < LARGEST) for each in amounts)
