"""Bars in our own terms: every vendor's rows become these. Times are unix nanoseconds."""

from typing import NamedTuple

import msgspec


class Bar(msgspec.Struct, frozen=True, gc=False):
    """A span of trading that starts at ``at_ns``; ``volume`` in shares."""

    symbol: str
    at_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trade_count: int | None
    vwap: float | None


class Close(NamedTuple):
    """The close of a bar that starts at ``at_ns``."""

    at_ns: int
    price: float
