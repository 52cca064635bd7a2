"""The best bid and offer as the ``quote`` event."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from ingest.alpaca import messages as wire
from ingest.alpaca.messages import Number
from shared import rfc3339
from shared.quote import Quote


class _RestQuote(msgspec.Struct, rename={"time": "t", "bid": "bp", "bid_size": "bs",
                 "bid_exchange": "bx", "ask": "ap", "ask_size": "as", "ask_exchange": "ax",
                 "conditions": "c", "tape": "z"}):  # fmt: skip
    time: str
    bid: Number
    bid_size: Number
    ask: Number
    ask_size: Number
    bid_exchange: str | None = None
    ask_exchange: str | None = None
    conditions: list[str] | None = None
    tape: str | None = None


class _RestSnapshot(msgspec.Struct, rename="camel"):
    latest_quote: _RestQuote | None = None


class _Side(NamedTuple):
    price: float | None
    size: float | None
    exchange: str | None


_NO_SIDE = _Side(None, None, None)


def quote_event(quote: wire.Quote, received_us: int) -> Quote:
    """Return a quote of the stream as an event; ``received_us`` in unix µs.

    Raises:
        ValueError: its time is none.
    """
    timestamp = rfc3339.from_nanoseconds(wire.nanoseconds(quote.time))
    return _event(quote.symbol, quote, timestamp, received_us)


def quote_of_snapshot(
    symbol: str, snapshot: Mapping[str, Any] | None, received_us: int
) -> Quote | None:
    """Return a REST snapshot's quote as an event, or None where there is none.

    Raises:
        ValueError: the snapshot has another form.
    """
    quote = msgspec.convert(snapshot or {}, _RestSnapshot).latest_quote
    return None if quote is None else _event(symbol, quote, quote.time, received_us)


def _event(symbol: str, quote: wire.Quote | _RestQuote, timestamp: str, received_us: int) -> Quote:
    bid = _side(quote.bid, quote.bid_size, quote.bid_exchange)
    ask = _side(quote.ask, quote.ask_size, quote.ask_exchange)
    return Quote(
        symbol=symbol,
        bid=bid.price,
        bid_size=bid.size,
        bid_exchange=bid.exchange,
        ask=ask.price,
        ask_size=ask.size,
        ask_exchange=ask.exchange,
        crossed=bid.price is not None and ask.price is not None and bid.price > ask.price,
        conditions=quote.conditions or [],
        tape=quote.tape,
        timestamp=timestamp,
        received=received_us,
    )


def _side(price: float, size: float, exchange: str | None) -> _Side:
    """Zero in either says that nobody bids, or offers; no other such number is a quote either."""
    if 0 < price < math.inf and 0 < size < math.inf:
        return _Side(price, size, exchange)
    return _NO_SIDE
