"""Prints as REST shows them: each with its later fate, which the stream reports by messages."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, TypeAlias

from ingest.market.prints import Cancel, Correction, Trade
from ingest.market.withdrawal import corrected


class Fate(Enum):
    """What became of a print. Source: docs.alpaca.markets/reference/stocktrades, field ``u``."""

    STANDS = "stands"
    CANCELED = "canceled"
    INCORRECT = "incorrect"
    """A corrected print replaces it."""
    CORRECTED = "corrected"
    """It is the replacement."""


class RestPrint(NamedTuple):
    """A print and its fate."""

    trade: Trade
    fate: Fate = Fate.STANDS

    @property
    def is_void(self) -> bool:
        """Return whether the print does not stand."""
        return self.fate in (Fate.CANCELED, Fate.INCORRECT)


Step: TypeAlias = RestPrint | Cancel | Correction
"""A print that stands, or the withdrawal of one."""


def steps_of(prints: Sequence[RestPrint], found_ns: int) -> list[Step]:
    """Return prints that stand, cancels and corrections, in the order of REST's rows.

    ``found_ns`` (unix ns) is the time of each withdrawal, since REST does not show it.
    A wrong print and its replacement are a correction if both have one exchange, id and time.
    Otherwise it is not certain which belong together: one is cancelled, the other is a print.
    """
    replacements = {
        _place(each.trade): each.trade for each in prints if each.fate is Fate.CORRECTED
    }
    paired = {
        _place(each.trade)
        for each in prints
        if each.fate is Fate.INCORRECT and _place(each.trade) in replacements
    }
    steps: list[Step] = []
    for each in prints:
        place = _place(each.trade)
        if not each.is_void:
            # The correction below contains it.
            if each.fate is Fate.STANDS or place not in paired:
                steps.append(each)
        elif each.fate is Fate.INCORRECT and place in paired:
            steps.append(_correction(each.trade, replacements[place], found_ns))
        # A print without an id cannot be named; Alpaca's rows have one.
        elif each.trade.id is not None:
            steps.append(_cancel(each, found_ns))
    return steps


def replacement_of(correction: Correction) -> Trade:
    """Return the print that a correction of ``steps_of`` puts in the place of the wrong one."""
    at_ns = correction.print_at_ns
    return corrected(correction, correction.at_ns if at_ns is None else at_ns)


def _place(trade: Trade) -> tuple[object, ...]:
    return trade.exchange, trade.id, trade.at_ns


def _cancel(void: RestPrint, found_ns: int) -> Cancel:
    trade = void.trade
    return Cancel(
        symbol=trade.symbol,
        id=trade.id or 0,
        price=trade.price,
        size=trade.size,
        at_ns=found_ns,
        exchange=trade.exchange,
        action="C" if void.fate is Fate.CANCELED else None,
        tape=trade.tape,
        print_at_ns=trade.at_ns,
    )


def _correction(wrong: Trade, right: Trade, found_ns: int) -> Correction:
    return Correction(
        symbol=wrong.symbol,
        original_id=wrong.id or 0,
        original_price=wrong.price,
        original_size=wrong.size,
        id=right.id or 0,
        price=right.price,
        size=right.size,
        at_ns=found_ns,
        exchange=right.exchange,
        conditions=right.conditions,
        tape=right.tape,
        print_at_ns=wrong.at_ns,
    )
