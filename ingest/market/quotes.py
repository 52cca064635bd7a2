"""The best bid and offer in our own terms, and as the ``quote`` event."""

import math
from typing import NamedTuple

import msgspec

from shared import quote, rfc3339


class Quote(msgspec.Struct, frozen=True, gc=False):
    """The best bid and offer as received; ``at_ns`` is the exchange's time in unix ns."""

    symbol: str
    bid: float
    bid_size: float
    bid_exchange: str | None
    ask: float
    ask_size: float
    ask_exchange: str | None
    at_ns: int
    conditions: tuple[str, ...] | None
    tape: str | None


class _Side(NamedTuple):
    price: float | None
    size: float | None
    exchange: str | None


_NO_SIDE = _Side(None, None, None)


def quote_event(best: Quote, received_us: int) -> quote.Quote:
    """Return a quote as an event; ``received_us`` in unix µs."""
    bid = _side(best.bid, best.bid_size, best.bid_exchange)
    ask = _side(best.ask, best.ask_size, best.ask_exchange)
    return quote.Quote(
        symbol=best.symbol,
        bid=bid.price,
        bid_size=bid.size,
        bid_exchange=bid.exchange,
        ask=ask.price,
        ask_size=ask.size,
        ask_exchange=ask.exchange,
        crossed=bid.price is not None and ask.price is not None and bid.price > ask.price,
        conditions=list(best.conditions or ()),
        tape=best.tape,
        timestamp=rfc3339.from_nanoseconds(best.at_ns),
        received=received_us,
    )


def has_both_sides(best: Quote) -> bool:
    """Return whether a quote has a bid and an offer."""
    bid = _side(best.bid, best.bid_size, best.bid_exchange)
    ask = _side(best.ask, best.ask_size, best.ask_exchange)
    return bid is not _NO_SIDE and ask is not _NO_SIDE


def _side(price: float, size: float, exchange: str | None) -> _Side:
    """Return one side of a quote, empty if its price or its size is not a positive number.

    Alpaca and the tapes state a missing bid or offer as zero.
    """
    if 0 < price < math.inf and 0 < size < math.inf:
        return _Side(price, size, exchange)
    return _NO_SIDE
