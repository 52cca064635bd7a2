"""Numbers as text, in the format of Alpaca's trading REST. Pure."""

from decimal import Decimal
from typing import overload


@overload
def text(amount: Decimal) -> str: ...
@overload
def text(amount: None) -> None: ...
@overload
def text(amount: Decimal | None) -> str | None: ...
def text(amount: Decimal | None) -> str | None:
    """Format a number with neither exponent nor trailing zeros; None stays None."""
    if amount is None:
        return None
    written = f"{amount + 0:f}"  # adding zero turns a negative zero into 0
    return written.rstrip("0").rstrip(".") if "." in written else written


def exact(number: float | None) -> Decimal | None:
    """Return the decimal number that a float was parsed from."""
    return None if number is None else Decimal(str(number))
