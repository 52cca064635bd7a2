"""Which trade moves which part of a bar: by bar, tape and sale condition.

Source: the table of Alpaca's market data FAQ (https://docs.alpaca.markets/us/docs/market-data-faq),
as of 2026-09-21. Its part for minute bars was checked by an independent program that rebuilt 16,610
of 16,613 recorded SIP minute bars (54 symbols, 2021-02-01). It differs from the rules for the last
price (``ingest.market.conditions``), which are no authority for bars.
"""

from enum import IntFlag
from functools import lru_cache


class Effect(IntFlag):
    """The parts of a bar that a trade moves. Of several conditions the common parts remain."""

    NOTHING = 0
    FIRST = 1
    """It may be the first price of the bar, and the close as long as no other trade is."""
    PRICE = 2
    """It may be open and close beside others; always together with ``FIRST``."""
    HIGH_LOW = 4
    VOLUME = 8
    """It counts for volume and number of trades."""
    ALL = 15


_ALL, _NOTHING, _VOLUME = Effect.ALL, Effect.NOTHING, Effect.VOLUME
_ONLY_FIRST = Effect.FIRST | Effect.HIGH_LOW | Effect.VOLUME
_WITHOUT_VOLUME = Effect.ALL & ~Effect.VOLUME

_EVERY_TAPE = {
    # F intermarket sweep, K rule 127 or 155, L sold last, O opening, X cross, 5 re-opening,
    # 6 closing print.
    **dict.fromkeys("FKLOX56", _ALL),
    # A regular sale: a blank slot on tapes A and B, @ on C and O. No tape gives either another
    # meaning, so a feed that writes the other's loses no bar.
    **dict.fromkeys(" @", _ALL),
    # C cash, H price variation, I odd lot, N next day, R seller, U extended hours out of sequence,
    # V contingent, 7 qualified contingent.
    **dict.fromkeys("CHINRUV7", _VOLUME),
    # M official close, Q official open: the trades themselves carry 6 and O.
    **dict.fromkeys("MQ", _NOTHING),
}
_MINUTE = {
    **_EVERY_TAPE,
    "9": _NOTHING,  # corrected consolidated close: nothing was traded
    "T": _ALL,  # extended hours
    **dict.fromkeys("PZ4", _VOLUME),  # prior reference price, out of sequence, derivatively priced
}
_DAY = {
    **_EVERY_TAPE,
    "9": _WITHOUT_VOLUME,
    "T": _VOLUME,
    **dict.fromkeys("PZ4", _ONLY_FIRST),
}
# E automatic execution, B an average price.
_CTA = {"E": _ALL, "B": _VOLUME}
# A acquisition, B bunched, D distribution, Y yellow flag, W average price, G bunched and sold.
_UTP = {**dict.fromkeys("ABDY", _ALL), "W": _VOLUME}
_OTC = {"W": _VOLUME}
# If the tape is unknown, B may be the average price.
_UNKNOWN_TAPE = {**_UTP, **_CTA}

_MINUTE_BY_TAPE = {
    "A": {**_MINUTE, **_CTA},
    "B": {**_MINUTE, **_CTA},
    "C": {**_MINUTE, **_UTP, "G": _VOLUME},
    "O": {**_MINUTE, **_OTC},
    None: {**_MINUTE, **_UNKNOWN_TAPE, "G": _VOLUME},
}
_DAY_BY_TAPE = {
    "A": {**_DAY, **_CTA},
    "B": {**_DAY, **_CTA},
    "C": {**_DAY, **_UTP, "G": _ONLY_FIRST},
    "O": {**_DAY, **_OTC},
    None: {**_DAY, **_UNKNOWN_TAPE, "G": _ONLY_FIRST},
}


@lru_cache(maxsize=4096)
def minute_effect(tape: str | None, conditions: tuple[str, ...] | None) -> int:
    """Return the ``Effect`` of a trade on its minute bar, as a plain number.

    A code that the table does not have moves the volume alone. No code is a regular sale.
    """
    return _effect(_MINUTE_BY_TAPE.get(tape) or _MINUTE_BY_TAPE[None], conditions)


@lru_cache(maxsize=4096)
def day_effect(tape: str | None, conditions: tuple[str, ...] | None) -> int:
    """Return the ``Effect`` of a trade on its day's bar, as ``minute_effect`` does.

    Trades of the extended hours (``T``) count for the day's volume, not for its prices.
    """
    return _effect(_DAY_BY_TAPE.get(tape) or _DAY_BY_TAPE[None], conditions)


def _effect(table: dict[str, Effect], conditions: tuple[str, ...] | None) -> int:
    effect = Effect.ALL
    for code in conditions or ():
        if code:
            effect &= table.get(code, _VOLUME)
    # A plain number: operators of an IntFlag take a microsecond, and this is asked for each trade.
    return int(effect)
