"""Which trades move the last price: sale conditions by tape and code.

Source: the consolidated rules of CTA (https://www.ctaplan.com) and UTP (https://www.utpplan.com) as
Polygon's glossary, dxFeed's table and Massive's mapping give them, compared in the threads 8996 and
13850 of https://forum.alpaca.markets. All codes of a trade must allow it. A code may mean different
things on different tapes: ``B`` is an average price on tapes A and B and a bunched trade on tape C.
"""

from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache

from shared.ingest_status import Session


class Eligibility(IntEnum):
    """Whether a trade may move the last price; of several codes the strictest decides."""

    ALWAYS = 0
    FIRST_ONLY = 1
    """Only while the day has no last price yet."""
    NEVER = 2


_ALWAYS = "@ FEXO56KADSY1L9"
_FIRST_ONLY = "Z4PG"
# C cash, N next day, H price variation, V contingent, 7 qualified contingent, I odd lot,
# U extended hours out of sequence, R seller, M Q official close and open of one exchange.
_NEVER = "CNHV7IURMQ"

_EVERY_TAPE = {
    **dict.fromkeys(_ALWAYS, Eligibility.ALWAYS),
    **dict.fromkeys(_FIRST_ONLY, Eligibility.FIRST_ONLY),
    **dict.fromkeys(_NEVER, Eligibility.NEVER),
}
_CTA = {**_EVERY_TAPE, "B": Eligibility.NEVER}
_UTP = {**_EVERY_TAPE, "B": Eligibility.ALWAYS, "W": Eligibility.NEVER}
_BY_TAPE = {"A": _CTA, "B": _CTA, "C": _UTP, "O": _UTP}

_FORM_T = "T"

_WITHOUT_SIZE = "9"
"""A corrected consolidated close states a price that nothing was traded at
(https://forum.alpaca.markets/t/13653)."""


@lru_cache(maxsize=4096)
def eligibility(
    tape: str | None, conditions: tuple[str, ...] | None, session: Session
) -> Eligibility:
    """Return whether a trade may move the last price.

    An unknown code, or an unknown tape where the tape matters, is not eligible. Form T (a trade
    outside regular hours) counts unless its time lies within regular hours. So it counts while the
    session is ``closed``, for the prints just after the last one, and while it is ``unknown``
    because no calendar has been read. A Form T print states itself that it was made in extended
    hours, and before the opening there are no other prints.
    """
    rules = _BY_TAPE.get(tape or "", _EVERY_TAPE)
    strictest = Eligibility.ALWAYS
    for code in conditions or ():
        if code == _FORM_T:
            rule = Eligibility.NEVER if session == "regular" else Eligibility.ALWAYS
        else:
            rule = rules.get(code, Eligibility.NEVER) if code else Eligibility.ALWAYS
        strictest = max(strictest, rule)
    return strictest


def may_lack_size(conditions: Iterable[str] | None) -> bool:
    """Return whether a print of size 0 with these conditions states a price.

    For other conditions no source gives such a print a meaning: nothing was traded.
    """
    return _WITHOUT_SIZE in (conditions or ())


def unknown_codes(tape: str | None, conditions: Iterable[str]) -> list[str]:
    """Return the codes that the tape's table does not have, to count them."""
    rules = _BY_TAPE.get(tape or "", _EVERY_TAPE)
    return [code for code in conditions if code not in rules and code not in (_FORM_T, "")]
