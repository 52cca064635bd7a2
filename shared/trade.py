"""The events of a symbol's tape: prints, their corrections and their cancels."""

import msgspec


class Trade(msgspec.Struct, kw_only=True):
    """A print. ``eligible``: its sale conditions allow it to set the last price.

    ``id`` is text because ids exceed the integers of JavaScript; it is unique within symbol,
    exchange and day. The JSON gets ``event_id`` when it is published.
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
    """The corrected values of a print: ``original_id`` names it, the other values are new."""

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
    """The cancel of a print. ``action``: ``C`` cancelled, ``E`` an error."""

    symbol: str
    original_id: str
    action: str | None
    exchange: str | None
    tape: str | None
    timestamp: str
    received: int


encode = msgspec.json.Encoder().encode
