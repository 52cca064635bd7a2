"""Bars by brute force: of a plain list of trades or bars, by the published rules, at the end.

Written from Alpaca's FAQ (https://docs.alpaca.markets/us/docs/market-data-faq), not from the code.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ingest.market.bars import Bar
from ingest.market.prints import Trade

SECOND = 1_000_000_000
MINUTE = 60 * SECOND

_REGULAR = {"A": " @EFKLOX56", "B": " @EFKLOX56", "C": " @ABDYFKLOX56", "O": " @FKLOX56"}


class Rule(NamedTuple):
    """``last``: yes, first or no for open and close; whether high and low, and volume, move."""

    last: str
    high_low: bool
    volume: bool


YES, NO = Rule("yes", True, True), Rule("no", False, False)
VOLUME = Rule("no", False, True)


def rule_of(trade: Trade, *, is_day: bool) -> Rule:
    """Return how a trade counts for a minute's or a day's bar: the strictest of its codes."""
    rules = [_rule_of(trade.tape or "", code, is_day=is_day) for code in trade.conditions or ()]
    lasts = {rule.last for rule in rules}
    return Rule(
        "no" if "no" in lasts else "first" if "first" in lasts else "yes",
        all(rule.high_low for rule in rules),
        all(rule.volume for rule in rules),
    )


def bar_of(
    trades: Iterable[Trade],
    start: int,
    *,
    is_day: bool = False,
    base: Bar | None = None,
    base_close_ns: int = -1,
) -> Bar | None:
    """Return the bar of trades, listed in order of arrival, beside those of ``base``.

    Those older than ``base_close_ns`` are neither open nor close.
    """
    opens: list[float] = [base.open] if base else []
    closes: list[float] = [base.close] if base else []
    highs: list[float] = [base.high, base.low] if base else []
    volume = base.volume if base else 0
    count = base.trade_count if base else 0
    assert count is not None
    weighed = [(base.vwap, base.volume)] if base and base.vwap else []
    symbol = ""
    for trade in sorted(trades, key=lambda trade: trade.at_ns):
        rule, size = rule_of(trade, is_day=is_day), trade.size or 0
        symbol = trade.symbol
        is_late = trade.at_ns < base_close_ns
        if not is_late and (rule.last == "yes" or (rule.last == "first" and not opens)):
            opens.append(trade.price)
            closes.append(trade.price)
        if rule.high_low:
            highs.append(trade.price)
        if rule.volume:
            volume += size
            count += 1
        if rule.volume and rule.high_low:
            weighed.append((trade.price, size))
    if not (opens and closes and highs and volume):
        return None
    return Bar(
        base.symbol if base else symbol,
        start,
        opens[0],
        max(highs),
        min(highs),
        closes[-1],
        volume,
        count,
        round(_mean(weighed), 6) if weighed else None,
    )


def folded(minutes: Sequence[Bar], start: int) -> Bar | None:
    """Return the larger bar of minute bars."""
    if not minutes:
        return None
    bars = sorted(minutes, key=lambda bar: bar.at_ns)
    return Bar(
        bars[0].symbol,
        start,
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        sum(bar.volume for bar in bars),
        sum(bar.trade_count or 0 for bar in bars),
        round(_mean([(bar.vwap or 0, bar.volume) for bar in bars]), 6),
    )


def equal(one: Bar | None, other: Bar | None) -> bool:
    """Return whether bars are equal, their averages but for rounding."""
    if one is None or other is None:
        return one is other
    averages = abs((one.vwap or 0) - (other.vwap or 0)) < 2e-6
    return averages and _others(one) == _others(other)


def _others(bar: Bar) -> tuple[object, ...]:
    return (
        *(bar.symbol, bar.at_ns, bar.open, bar.high, bar.low),
        *(bar.close, bar.volume, bar.trade_count),
    )


def _rule_of(tape: str, code: str, *, is_day: bool) -> Rule:
    if code in _REGULAR[tape]:
        return YES
    if code in "MQ":
        return NO
    if code == "9":
        return Rule("yes", True, False) if is_day else NO
    if code == "T":
        return VOLUME if is_day else YES
    if is_day and (code in "PZ4" or (code == "G" and tape == "C")):
        return Rule("first", True, True)
    return VOLUME


def _mean(weighed: Sequence[tuple[float, float]]) -> float:
    total = sum(weight for _, weight in weighed)
    return sum(value * weight for value, weight in weighed) / total if total else 0
