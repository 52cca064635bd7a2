"""The ``price`` event: a symbol's last price, with all fields each time."""

import msgspec
from msgspec import UNSET, UnsetType


class Price(msgspec.Struct, gc=False):
    """The last eligible trade of a symbol, or the reason why there is none.

    Prices and sizes are as received; ``timestamp`` is the exchange's, RFC 3339 with all its
    nanoseconds; ``received`` the ingest's clock in unix µs; ``change_percent`` a fraction of the
    previous close. The JSON gets ``event_id`` when it is published.
    """

    symbol: str
    price: float | None = None
    size: float | None = None
    exchange: str | None = None
    conditions: tuple[str, ...] = ()
    tape: str | None = None
    session: str | None = None
    timestamp: str | None = None
    previous_close: float | None = None
    change: float | None = None
    change_percent: float | None = None
    received: int | None = None
    reason: str | None = None
    """For a null ``price``: ``no_trade_seen``, ``unknown_symbol`` or ``redis_unavailable``."""
    delayed: bool | UnsetType = UNSET
    """True if the feed shows its trades fifteen minutes late; otherwise it is absent."""
    day_zone: str | UnsetType = UNSET
    """Of a pair alone: the time zone at whose midnight the day begins that ``previous_close`` and
    ``change`` refer to. The days of stocks and options are those of New York's market."""


encode = msgspec.json.Encoder().encode
