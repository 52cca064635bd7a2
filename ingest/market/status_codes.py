"""The trading statuses of both tapes, their effects, and their reasons: one table for each tape.

Source: https://docs.alpaca.markets/docs/real-time-stock-pricing-data, read on 30 November 2026, and
its older form in https://github.com/alpacahq/alpaca-docs, which spells ``O1`` for ``01``.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import NamedTuple


class Effect(Enum):
    """The effect of a status on the trading of a symbol."""

    HALTS = auto()
    RESUMES = auto()
    RESTRICTS_SHORT_SALES = auto()
    NONE = auto()


class StatusCode(NamedTuple):
    """A status: Alpaca's text for it, and a sentence, which lacks its full stop."""

    text: str
    words: str
    effect: Effect = Effect.NONE


class ReasonCode(NamedTuple):
    """A reason: Alpaca's text for it, and the words that follow a status and a colon."""

    text: str
    words: str


class Tape(NamedTuple):
    """The codes of a tape."""

    statuses: Mapping[str, StatusCode]
    reasons: Mapping[str, ReasonCode]


CTA = Tape(
    {
        "2": StatusCode("Trading Halt", "Trading is halted", Effect.HALTS),
        "3": StatusCode("Resume", "Trading has resumed", Effect.RESUMES),
        "5": StatusCode("Price Indication", "The exchange indicates a price"),
        "6": StatusCode("Trading Range Indication", "The exchange indicates a range of prices"),
        "7": StatusCode("Market Imbalance Buy", "There are more orders to buy than to sell"),
        "8": StatusCode("Market Imbalance Sell", "There are more orders to sell than to buy"),
        "9": StatusCode(
            "Market On Close Imbalance Buy",
            "There are more orders to buy than to sell at the close",
        ),
        "A": StatusCode(
            "Market On Close Imbalance Sell",
            "There are more orders to sell than to buy at the close",
        ),
        "C": StatusCode("No Market Imbalance", "Orders to buy and to sell are in balance"),
        "D": StatusCode(
            "No Market On Close Imbalance",
            "Orders to buy and to sell at the close are in balance",
        ),
        "E": StatusCode(
            "Short Sale Restriction", "Short sales are restricted", Effect.RESTRICTS_SHORT_SALES
        ),
        "F": StatusCode("Limit Up-Limit Down", "The exchange reports on limit up-limit down"),
    },
    {
        "D": ReasonCode("News Released (formerly News Dissemination)", "news is released"),
        "I": ReasonCode("Order Imbalance", "order imbalance"),
        "M": ReasonCode(
            "Limit Up-Limit Down (LULD) Trading Pause", "volatility, by limit up-limit down"
        ),
        "P": ReasonCode("News Pending", "news is pending"),
        "X": ReasonCode("Operational", "an operational problem"),
        "Y": ReasonCode("Sub-Penny Trading", "sub-penny trading"),
        "1": ReasonCode(
            "Market-Wide Circuit Breaker Level 1 - Breached",
            "market-wide circuit breaker, level 1",
        ),
        "2": ReasonCode(
            "Market-Wide Circuit Breaker Level 2 - Breached",
            "market-wide circuit breaker, level 2",
        ),
        "3": ReasonCode(
            "Market-Wide Circuit Breaker Level 3 - Breached",
            "market-wide circuit breaker, level 3",
        ),
    },
)
"""Tapes A and B."""

_OPERATIONAL = ReasonCode("Operations Halt, Contact Market Operations", "an operational problem")

UTP = Tape(
    {
        "H": StatusCode("Trading Halt", "Trading is halted", Effect.HALTS),
        "P": StatusCode("Volatility Trading Pause", "Trading is paused", Effect.HALTS),
        # Quotes move again, and trades do not.
        "Q": StatusCode(
            "Quotation Resumption", "Quotes have resumed, trades not yet", Effect.HALTS
        ),
        "T": StatusCode("Trading Resumption", "Trading has resumed", Effect.RESUMES),
    },
    {
        "T1": ReasonCode("Halt News Pending", "news is pending"),
        "T2": ReasonCode("Halt News Dissemination", "news is being disseminated"),
        "T3": ReasonCode(
            "News and Resumption Times", "news is out and a time for the resumption is set"
        ),
        "T5": ReasonCode("Single Stock Trading Pause In Affect", "a single-stock trading pause"),
        "T6": ReasonCode(
            "Regulatory Halt Extraordinary Market Activity", "extraordinary market activity"
        ),
        "T7": ReasonCode(
            "Single Stock Trading Pause/Quotation-Only Period",
            "a single-stock trading pause, quotes only",
        ),
        "T8": ReasonCode("Halt ETF", "a halt of an exchange-traded fund"),
        "T12": ReasonCode(
            "Trading Halted; For information requested by NASDAQ",
            "Nasdaq has asked for information",
        ),
        "H4": ReasonCode("Halt Non Compliance", "non-compliance with listing rules"),
        "H9": ReasonCode("Halt Filings Not Current", "filings are not current"),
        "H10": ReasonCode("Halt SEC Trading Suspension", "suspended by the SEC"),
        "H11": ReasonCode("Halt Regulatory Concern", "a regulatory concern"),
        "01": _OPERATIONAL,
        "O1": _OPERATIONAL,
        "IPO1": ReasonCode("IPO Issue not yet Trading", "a new issue that does not trade yet"),
        "IPOQ": ReasonCode(
            "IPO security released for quotation", "a new issue, released for quotation"
        ),
        "IPOE": ReasonCode(
            "IPO security - positioning window extension",
            "a new issue, its opening is postponed",
        ),
        "M1": ReasonCode("Corporate Action", "a corporate action"),
        "M2": ReasonCode("Quotation Not Available", "quotes are not available"),
        "LUDP": ReasonCode("Volatility Trading Pause", "volatility, by limit up-limit down"),
        "LUDS": ReasonCode(
            "Volatility Trading Pause - Straddle Condition",
            "a straddle condition, by limit up-limit down",
        ),
        "MWC0": ReasonCode(
            "Market Wide Circuit Breaker Halt - Carry over from previous day",
            "market-wide circuit breaker, carried over from the day before",
        ),
        "MWC1": ReasonCode(
            "Market Wide Circuit Breaker Halt - Level 1", "market-wide circuit breaker, level 1"
        ),
        "MWC2": ReasonCode(
            "Market Wide Circuit Breaker Halt - Level 2", "market-wide circuit breaker, level 2"
        ),
        "MWC3": ReasonCode(
            "Market Wide Circuit Breaker Halt - Level 3", "market-wide circuit breaker, level 3"
        ),
        "MWCQ": ReasonCode(
            "Market Wide Circuit Breaker Resumption", "the market-wide circuit breaker has ended"
        ),
        "R": ReasonCode("Issue Available", "the issue is available"),
        "R1": ReasonCode("New Issue Available", "a new issue is available"),
        "R4": ReasonCode(
            "Qualifications Issues Reviewed/Resolved; Quotations/Trading to Resume",
            "the issues of its qualification are resolved",
        ),
        "R9": ReasonCode(
            "Filing Requirements Satisfied/Resolved; Quotations/Trading To Resume",
            "the filing requirements are satisfied",
        ),
        "C3": ReasonCode(
            "Issuer News Not Forthcoming; Quotations/Trading To Resume",
            "no news of the issuer is to come",
        ),
        "C4": ReasonCode(
            "Qualifications Halt ended; maint. Req. met; Resume",
            "the requirements of its listing are met",
        ),
        "C9": ReasonCode(
            "Qualifications Halt Concluded; Filings Met; Quotes/Trades To Resume",
            "the filings are there",
        ),
        "C11": ReasonCode(
            "Trade Halt Concluded By Other Regulatory Auth,; Quotes/Trades Resume",
            "another authority has ended the halt",
        ),
    },
)
"""Tapes C and O."""

_TAPES = {"A": CTA, "B": CTA, "C": UTP, "O": UTP}
_EITHER = Tape({**CTA.statuses, **UTP.statuses}, {**CTA.reasons, **UTP.reasons})
"""For a status that has no tape, or an unknown one: no code has different meanings on the two."""


def codes_of(tape: str | None) -> Tape:
    """Return the codes of a tape; of an unknown one those of both."""
    return _TAPES.get(tape or "", _EITHER)
