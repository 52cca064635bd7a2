"""The lots of a position, as the base of the day's gain; sales take the oldest first. Pure.

The broker reports only their sum. The lots within it are known if all shares are from before today,
or if every purchase of today was seen; otherwise they are one lot of unknown composition.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from ingest.portfolio.amount import NOTHING


class Lot(NamedTuple):
    """Units of one purchase, or of several; negative if sold short.

    ``basis``: their value at the previous close, or their purchase price if bought since.
    ``is_uniform``: each unit has the same part in it.
    """

    qty: Decimal
    basis: Decimal
    is_uniform: bool


def sum_of(lots: Sequence[Lot]) -> Lot:
    """Return the quantity and the basis of some lots together."""
    qty = sum((lot.qty for lot in lots), NOTHING)
    return Lot(qty, sum((lot.basis for lot in lots), NOTHING), len(lots) <= 1)


def without_oldest(lots: Sequence[Lot], qty: Decimal) -> tuple[Lot, ...] | None:
    """Return the rest after a sale of ``qty``, which has the lots' sign and is less than all.

    None if it takes a part of a lot of unknown composition: which part is then unknown.
    """
    for index, lot in enumerate(lots):
        if abs(lot.qty) <= abs(qty):
            qty -= lot.qty
            continue
        if not qty:
            return tuple(lots[index:])
        if not lot.is_uniform:
            return None
        left = lot.qty - qty
        return Lot(left, lot.basis * left / lot.qty, is_uniform=True), *lots[index + 1 :]
    return ()
