"""The ``quote`` event: a symbol's best bid and offer, with all fields each time."""

import msgspec
from msgspec import UNSET, UnsetType


class Quote(msgspec.Struct, kw_only=True):
    """Prices and sizes as received. A side whose price or size is zero is null.

    ``crossed``: the bid is above the ask. This happens for moments, and throughout a halt; such a
    quote is not used to value anything. The JSON gets ``event_id`` when it is published.
    """

    symbol: str
    bid: float | None
    bid_size: float | None
    bid_exchange: str | None
    ask: float | None
    ask_size: float | None
    ask_exchange: str | None
    crossed: bool
    conditions: list[str]
    tape: str | None
    timestamp: str
    received: int
    indicative: bool | UnsetType = UNSET
    """True if the feed derives its quotes and they are not the exchanges'; otherwise absent."""


encode = msgspec.json.Encoder().encode
