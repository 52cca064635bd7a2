"""The bounds of the values in Alpaca's data. A value beyond them counts as one of another form.

Larger numbers overflow in sums and products, and longer texts are no text of Alpaca's.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

_SECOND_NS = 1_000_000_000

EARLIEST_NS, LATEST_NS = -62_135_596_800 * _SECOND_NS, 253_402_300_800 * _SECOND_NS - 1
"""The years 1 to 9999, which RFC 3339 can express. Go writes year 1 for no time."""

LARGEST_PRICE = 10**9
"""No market has such a price: the dearest stock trades below a million dollars."""

LARGEST_SIZE = 10**12

Price: TypeAlias = (
    Annotated[int, Meta(gt=0, lt=LARGEST_PRICE)] | Annotated[float, Meta(gt=0, lt=LARGEST_PRICE)]
)
Number: TypeAlias = (
    Annotated[int, Meta(gt=-LARGEST_SIZE, lt=LARGEST_SIZE)]
    | Annotated[float, Meta(gt=-LARGEST_SIZE, lt=LARGEST_SIZE)]
)
"""A size, or a price that may be absent. Not NaN; zero and negative ones have their own meaning."""

Volume: TypeAlias = (
    Annotated[int, Meta(ge=0, lt=LARGEST_SIZE)] | Annotated[float, Meta(ge=0, lt=LARGEST_SIZE)]
)
LARGEST_LEVEL = 10**18
"""Some coins exist more than 10**14 times, above ``LARGEST_SIZE``. Nothing is computed with it."""

LevelSize: TypeAlias = (
    Annotated[int, Meta(ge=0, lt=LARGEST_LEVEL)] | Annotated[float, Meta(ge=0, lt=LARGEST_LEVEL)]
)
"""The size at a price of an order book."""

Count: TypeAlias = Annotated[int, Meta(ge=0, lt=LARGEST_SIZE)]

Symbol: TypeAlias = Annotated[str, Meta(max_length=32)]
Symbols: TypeAlias = Annotated[list[Symbol], Meta(max_length=10_000)]
Code: TypeAlias = Annotated[str, Meta(max_length=16)]
"""An exchange, a tape, a condition: mostly one letter."""

Codes: TypeAlias = Annotated[tuple[Code, ...], Meta(max_length=100)]
Time: TypeAlias = Annotated[str, Meta(max_length=64)]
Text: TypeAlias = Annotated[str, Meta(max_length=1_000)]
LongText: TypeAlias = Annotated[str, Meta(max_length=100_000)]
Url: TypeAlias = Annotated[str, Meta(max_length=10_000)]

LARGEST_AMOUNT = 10**15
"""Above any price, quantity or amount of money of an account. Products and ratios of two amounts
stay within the digits that ``ingest.portfolio`` rounds."""

MOST_DECIMALS = 30
"""Crypto quantities have up to 18 decimals."""


def is_amount(number: Decimal) -> bool:
    """Return whether a number can be a price, a quantity or an amount of money."""
    # Compared before it is computed with: an operation with NaN or 1e1000000 may raise.
    if not number.is_finite() or number.copy_abs() >= LARGEST_AMOUNT:
        return False
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -MOST_DECIMALS


def no_amounts(row: Struct) -> Iterator[str]:
    """Yield the names of a row's decimal fields that cannot be amounts."""
    for name in row.__struct_fields__:
        value = getattr(row, name)
        if isinstance(value, Decimal) and not is_amount(value):
            yield name
