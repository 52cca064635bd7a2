"""The ``book`` event: the best levels of a pair's order book, complete each time."""

from typing import TypeAlias

import msgspec

TOP_LEVELS = 10
"""The levels of each side that an event has at most."""

Level: TypeAlias = tuple[float, float]
"""Price and size as received: of BTC/USD dollars, and coins of BTC."""


class Book(msgspec.Struct, kw_only=True):
    """The best ``TOP_LEVELS`` of each side, the best first.

    An event is the whole view: a client replaces the one before it. While ``valid`` is false, both
    sides are empty and ``reason`` is a sentence for people; a valid book has none.
    ``timestamp`` is that of the newest message of Alpaca's in it, RFC 3339; ``received`` is when
    the ingest got that message, unix µs. Both are null until there is one. The JSON gets
    ``event_id`` when it is published.

    Source: https://docs.alpaca.markets/docs/real-time-crypto-pricing-data
    """

    symbol: str
    bids: list[Level]
    asks: list[Level]
    valid: bool
    reason: str | None
    timestamp: str | None
    received: int | None


encode = msgspec.json.Encoder().encode
