"""The events of a symbol's tape: every print, and what became of it later."""

import msgspec


class Trade(msgspec.Struct, kw_only=True):
    """A print. ``eligible``: its sale conditions let it move the last price.

    ``id`` is text since ids exceed what JavaScript can count; it is unique within symbol, exchange
    and day. The JSON gets ``event_id`` when it is published.
    """

    symbol: str
    id: str | None
    price: float
    size: float
    exchange: str | None
    conditions: tuple[str, ...]
    tape: str | None
    eligible: bool
    timestamp: str
    received: int


class Correction(msgspec.Struct, kw_only=True):
    """What a print should have been: ``original_id`` names it, the other values are new."""

    symbol: str
    original_id: str
    id: str
    price: float
    size: float
    exchange: str | None
    conditions: tuple[str, ...]
    tape: str | None
    timestamp: str
    received: int


class Cancel(msgspec.Struct, kw_only=True):
    """A print that is to be forgotten. ``action``: ``C`` cancelled, ``E`` an error."""

    symbol: str
    original_id: str
    action: str | None
    exchange: str | None
    tape: str | None
    timestamp: str
    received: int


encode = msgspec.json.Encoder().encode
