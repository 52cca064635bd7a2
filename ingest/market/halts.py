"""Halts and resumptions: the meaning of a trading status on its tape.

Source: the status and reason codes of
https://docs.alpaca.markets/docs/real-time-stock-pricing-data. Only two of CTA's codes (tapes A and
B) start or end a halt. Indications, imbalances, short sale restrictions and price bands leave a
symbol trading or halted as it was. After UTP's quotation resumption quotes move and trades do not.
"""

from collections.abc import Mapping
from typing import NamedTuple


class TradingStatus(NamedTuple):
    """A symbol's trading status, by the codes of its ``tape``; ``reason`` is a text."""

    symbol: str
    code: str
    reason_code: str = ""
    reason: str = ""
    tape: str | None = None


class TradingChange(NamedTuple):
    """A symbol stops trading, with a sentence that gives the reason, or trades again."""

    is_halted: bool
    reason: str = ""


_HALT = "Trading is halted"
_PAUSE = "Trading is paused"
_QUOTES_ONLY = "Quotes have resumed, trades not yet"
_RESUMED = ""

_CTA = {"2": _HALT, "3": _RESUMED}
_UTP = {"H": _HALT, "P": _PAUSE, "Q": _QUOTES_ONLY, "T": _RESUMED}

_CTA_REASONS = {
    "D": "news is released",
    "I": "order imbalance",
    "M": "volatility, by limit up-limit down",
    "P": "news is pending",
    "X": "an operational problem",
    "Y": "sub-penny trading",
    "1": "market-wide circuit breaker, level 1",
    "2": "market-wide circuit breaker, level 2",
    "3": "market-wide circuit breaker, level 3",
}
_UTP_REASONS = {
    "T1": "news is pending",
    "T2": "news is being disseminated",
    "T3": "news is out and a time for the resumption is set",
    "T5": "a single-stock trading pause",
    "T6": "extraordinary market activity",
    "T7": "a single-stock trading pause, quotes only",
    "T8": "a halt of an exchange-traded fund",
    "T12": "Nasdaq has asked for information",
    "H4": "non-compliance with listing rules",
    "H9": "filings are not current",
    "H10": "suspended by the SEC",
    "H11": "a regulatory concern",
    "01": "an operational problem",
    "IPO1": "a new issue that does not trade yet",
    "IPOQ": "a new issue, released for quotation",
    "IPOE": "a new issue, its opening is postponed",
    "M1": "a corporate action",
    "M2": "quotes are not available",
    "LUDP": "volatility, by limit up-limit down",
    "LUDS": "a straddle condition, by limit up-limit down",
    "MWC0": "market-wide circuit breaker, carried over from the day before",
    "MWC1": "market-wide circuit breaker, level 1",
    "MWC2": "market-wide circuit breaker, level 2",
    "MWC3": "market-wide circuit breaker, level 3",
}


class _Tape(NamedTuple):
    codes: Mapping[str, str]
    reasons: Mapping[str, str]


_CTA_TAPE, _UTP_TAPE = _Tape(_CTA, _CTA_REASONS), _Tape(_UTP, _UTP_REASONS)
_TAPES = {"A": _CTA_TAPE, "B": _CTA_TAPE, "C": _UTP_TAPE, "O": _UTP_TAPE}
_EITHER = _Tape(_CTA | _UTP, _CTA_REASONS | _UTP_REASONS)
"""For a status without a tape: no code has different meanings on the two."""


def trading_change(status: TradingStatus) -> TradingChange | None:
    """Return the change that a status makes; None if it neither starts nor ends a halt."""
    tape = _EITHER if status.tape is None else _TAPES.get(status.tape, _EITHER)
    meaning = tape.codes.get(status.code)
    if meaning is None:
        return None
    if meaning == _RESUMED:
        return TradingChange(is_halted=False)
    reason = tape.reasons.get(status.reason_code) or status.reason.strip().rstrip(".")
    return TradingChange(
        is_halted=True, reason=f"{meaning}: {reason}." if reason else f"{meaning}."
    )
