"""Which trade moves which part of a bar, by its conditions. Pure.

Source: the table in Alpaca's market data FAQ (docs.alpaca.markets/us/docs/market-data-faq), whose
rules for minute bars and for daily bars differ.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple


class Price(IntEnum):
    """How a trade's price moves the open and the close of a bar; a smaller one is stricter."""

    NONE = 0
    FIRST = 1
    """Only if no trade has moved them before."""
    ALL = 2


class Effect(NamedTuple):
    """What a trade moves: open and close; high and low; volume and the number of trades."""

    price: Price
    high_low: bool
    volume: bool


class Effects(NamedTuple):
    """What a trade moves in the bar of its minute, and in that of its day."""

    minute: Effect
    day: Effect


EVERYTHING: Final = Effect(Price.ALL, high_low=True, volume=True)
_VOLUME: Final = Effect(Price.NONE, high_low=False, volume=True)
_NOTHING: Final = Effect(Price.NONE, high_low=False, volume=False)
_FIRST: Final = Effect(Price.FIRST, high_low=True, volume=True)
_NO_VOLUME: Final = Effect(Price.ALL, high_low=True, volume=False)

_REGULAR: Final = Effects(EVERYTHING, EVERYTHING)
_UNPRICED: Final = Effects(_VOLUME, _VOLUME)
_OFFICIAL: Final = Effects(_NOTHING, _NOTHING)
_LATE: Final = Effects(_VOLUME, _FIRST)

_ANY_TAPE: Final[Mapping[str, Effects]] = {
    **dict.fromkeys("FKLOX56", _REGULAR),
    **dict.fromkeys("CHINRUV7", _UNPRICED),
    **dict.fromkeys("MQ", _OFFICIAL),
    **dict.fromkeys("PZ4", _LATE),
    "9": Effects(_NOTHING, _NO_VOLUME),
    "T": Effects(EVERYTHING, _VOLUME),
    # The regular sale is a space on the tapes A and B and @ on C and O. Hand-made trades mix them.
    **dict.fromkeys(" @", _REGULAR),
}
_CTA: Final[Mapping[str, Effects]] = {**_ANY_TAPE, "B": _UNPRICED, "E": _REGULAR}
_OTC: Final[Mapping[str, Effects]] = {**_ANY_TAPE, "W": _UNPRICED}
_NASDAQ: Final[Mapping[str, Effects]] = {
    **_OTC,
    **dict.fromkeys("ABDY", _REGULAR),
    "G": _LATE,
}
_TAPES: Final[Mapping[object, Mapping[str, Effects]]] = {
    "A": _CTA,
    "B": _CTA,
    "C": _NASDAQ,
    "O": _OTC,
}


def effects_of(tape: object, conditions: object) -> Effects:
    """Return what a trade moves, by its listing tape (`z`) and its conditions (`c`).

    The strictest of several conditions counts, column by column. A code that the tape does not
    have moves the volume only. A trade that has no conditions moves everything.
    """
    codes = tuple(conditions) if isinstance(conditions, list | tuple) else ()
    if not all(isinstance(code, str) for code in codes):
        return _UNPRICED
    return _strictest(tape if isinstance(tape, str) else None, codes)


@lru_cache(maxsize=4096)
def _strictest(tape: str | None, codes: Sequence[str]) -> Effects:
    table = _TAPES.get(tape, _NASDAQ)
    minute = day = EVERYTHING
    for code in codes:
        found = table.get(code, _UNPRICED)
        minute, day = _stricter(minute, found.minute), _stricter(day, found.day)
    return Effects(minute, day)


def outside_regular_hours(effect: Effect) -> Effect:
    """Return the rest of a trade's effect on the day's bar: the volume."""
    return Effect(Price.NONE, high_low=False, volume=effect.volume)


def _stricter(one: Effect, other: Effect) -> Effect:
    return Effect(
        min(one.price, other.price), one.high_low and other.high_low, one.volume and other.volume
    )
