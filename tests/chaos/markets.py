"""The pairs and the contracts of a chaos run, and what distinguishes them from stocks."""

from decimal import Decimal
from functools import cache

from simulator.options.delay import DELAY
from simulator.protocol.option_feeds import is_option_symbol
from simulator.protocol.subscription import is_pair

STOCKS_FEED, PAIRS_FEED, CONTRACTS_FEED = "iex", "crypto", "indicative"
"""The names of the streams at the simulator."""

PAIRS = ("FIL/USD", "ANKR/USD")
"""The pairs in dollars with the most messages in the replayed tape."""

BOOK_PAIR = PAIRS[0]
"""The pair whose order book clients watch."""

PAIR_CLOSES = {"FIL/USD": 57.25, "ANKR/USD": 0.0785}
"""The previous close of each, in dollars."""

SHARES = Decimal(100)
"""Of a contract."""


@cache
def multiplier(symbol: str) -> Decimal:
    """Return the value of a unit at a price of one dollar."""
    return SHARES if is_option_symbol(symbol) else Decimal(1)


@cache
def delay_ns(symbol: str) -> int:
    """Return by how much the feed shows the trades of a symbol late, in nanoseconds."""
    return DELAY if is_option_symbol(symbol) else 0


@cache
def is_other(symbol: str) -> bool:
    """Return whether a symbol is one of the pairs, or a contract."""
    return symbol in PAIRS or is_option_symbol(symbol)


__all__ = [
    "BOOK_PAIR",
    "CONTRACTS_FEED",
    "PAIRS",
    "PAIRS_FEED",
    "PAIR_CLOSES",
    "STOCKS_FEED",
    "delay_ns",
    "is_option_symbol",
    "is_other",
    "is_pair",
    "multiplier",
]
