"""Numbers as text, as Alpaca's trading REST has them. Pure."""

from decimal import Decimal
from typing import overload


@overload
def text(amount: Decimal) -> str: ...
@overload
def text(amount: None) -> None: ...
@overload
def text(amount: Decimal | None) -> str | None: ...
def text(amount: Decimal | None) -> str | None:
    """Write a number without an exponent and without trailing zeros; None stays None."""
    if amount is None:
        return None
    written = f"{amount + 0:f}"  # there is a negative zero, and nobody wants to read it
    return written.rstrip("0").rstrip(".") if "." in written else written


def exact(number: float | None) -> Decimal | None:
    """Return the number that a float was written as."""
    return None if number is None else Decimal(str(number))
