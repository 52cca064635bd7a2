"""Amounts of money and units: their bounds, their sums, and their rounding for events. Pure."""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal

NOTHING = Decimal(0)
CENT = Decimal("0.01")
RATIO = Decimal("0.000001")

LARGEST = Decimal("1e18")
"""No price, quantity or sum of a market comes near it, and sums of products of two smaller amounts
still round to cents without an error."""

_WIDE = Context(prec=100, rounding=ROUND_HALF_EVEN)
"""Digits for the largest amounts that are accepted, their products and ratios: to round beyond the
usual 28 digits raises."""


def is_plausible(*amounts: Decimal | None) -> bool:
    """Return whether all amounts are finite and of a size that a market can have; None is."""
    return all(each is None or (each.is_finite() and abs(each) < LARGEST) for each in amounts)


def total(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum; None if one of the amounts is unknown."""
    found = NOTHING
    for amount in amounts:
        if amount is None:
            return None
        found += amount
    return found


def number(amount: Decimal | None) -> float | None:
    """Return an amount as it is, for an event; None if it is unknown."""
    return None if amount is None else float(amount)


def rounded(amount: Decimal | None, step: Decimal = CENT) -> float | None:
    """Return an amount rounded to a step, by default to cents, for an event.

    None if it is unknown or beyond any market: a ratio to an amount of nearly zero, for example.
    """
    if amount is None or not is_plausible(amount):
        return None
    # + 0: there is no -0.00 of money
    return float(amount.quantize(step, context=_WIDE) + 0)


def fraction(gain: Decimal | None, basis: Decimal | None) -> float | None:
    """Return a gain as a fraction of its basis, for an event."""
    return None if gain is None or not basis else rounded(gain / abs(basis), RATIO)
