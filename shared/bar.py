"""The ``bar.…`` events: a symbol's trading over a span of time."""

import msgspec


class Bar(msgspec.Struct, kw_only=True):
    """``timestamp`` is the start of the bar, RFC 3339; ``volume`` in shares.

    ``revision`` numbers the versions of one bar from 0; ``final``: its span has ended and no
    revision is expected. The JSON gets ``event_id`` when it is published.
    """

    symbol: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    trade_count: int | None
    vwap: float | None
    revision: int
    final: bool
    timestamp: str


encode = msgspec.json.Encoder().encode
