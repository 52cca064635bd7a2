"""Halts and resumptions: the meaning of a trading status on its tape, in words.

Only two of CTA's codes (tapes A and B) start or end a halt. Indications, imbalances, short-sale
restrictions and price bands leave a symbol trading or halted as it was. After UTP's quotation
resumption quotes move and trades do not.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from ingest.market.status_codes import Effect, ReasonCode, StatusCode, codes_of
from shared.excerpt import cut

LONGEST_TEXT = 200
"""Alpaca's texts are sentences. A longer one is no text of a status."""

_WORD = re.compile(r"\w+")


class TradingStatus(NamedTuple):
    """A symbol's trading status, by the codes of its ``tape``.

    ``text`` and ``reason`` are Alpaca's own words for the codes. ``at_ns`` is the exchange's time
    in unix ns, None if it cannot be read.
    """

    symbol: str
    code: str
    reason_code: str = ""
    reason: str = ""
    tape: str | None = None
    text: str = ""
    at_ns: int | None = None


class TradingChange(NamedTuple):
    """The meaning of a status, as a sentence, and its effect.

    ``is_halted``: whether the symbol is halted from now on; None if it stays as it was.
    ``restricts_short_sales``: None if the status says nothing about them. ``is_known``: the tape's
    table has the code.
    """

    sentence: str
    is_halted: bool | None = None
    restricts_short_sales: bool | None = None
    is_known: bool = True


def concerns_short_sales(status: TradingStatus) -> bool:
    """Return whether a status is about short sales, so that none about trading outdates it."""
    code = codes_of(status.tape).statuses.get(status.code)
    return code is not None and code.effect is Effect.RESTRICTS_SHORT_SALES


def trading_change(status: TradingStatus) -> TradingChange:
    """Return the change that a status makes, and its sentence."""
    return _change(status.tape, status.code, status.reason_code, status.text, status.reason)


# A pause of the whole market is the same report on thousands of symbols.
@lru_cache(maxsize=256)
def _change(
    tape_name: str | None, code_name: str, reason_code: str, full_text: str, full_reason: str
) -> TradingChange:
    tape = codes_of(tape_name)
    code = tape.statuses.get(code_name)
    text, reason_text = _tidy(full_text), _tidy(full_reason)
    reason = tape.reasons.get(reason_code)
    if code is None:
        told = ": ".join(filter(None, (text, reason_text)))
        sentence = told or f"The exchange has reported the unknown status {code_name[:16]!r}"
        return TradingChange(f"{sentence}.", is_known=False)
    sentence = _sentence(code, reason, text, reason_text, reason_code)
    match code.effect:
        case Effect.HALTS:
            return TradingChange(sentence, is_halted=True)
        case Effect.RESUMES:
            return TradingChange(sentence, is_halted=False)
        case Effect.RESTRICTS_SHORT_SALES:
            # CTA has an indicator for the end of a restriction. Alpaca documents no field for it,
            # so only its words can show it.
            ends = "deactivated" in f"{text} {reason_text}".casefold()
            return TradingChange(sentence, restricts_short_sales=not ends)
        case Effect.NONE:
            return TradingChange(sentence)


def _sentence(
    code: StatusCode, reason: ReasonCode | None, text: str, reason_text: str, reason_code: str
) -> str:
    """Return a status and its reason in our words, and Alpaca's if they say more."""
    why = reason_text or (f"reason {reason_code}" if reason_code.strip() else "")
    if reason is not None:
        why = reason.words
    sentence = f"{code.words}: {why}." if why else f"{code.words}."
    known = f"{code.text} {sentence} {'' if reason is None else reason.text}"
    more = [each for each in (text, reason_text) if _words(each) - _words(known)]
    return f"{sentence} Alpaca adds: {'; '.join(dict.fromkeys(more))}." if more else sentence


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def _tidy(text: str) -> str:
    """Return a text of Alpaca's as a part of a sentence: on one line, with no full stop."""
    return cut(" ".join(text.split()), LONGEST_TEXT).rstrip(". ")
