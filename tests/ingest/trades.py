"""Hand-made messages of Alpaca's wire, and a market whose hours are known."""

from collections.abc import Sequence
from typing import Any

from msgpack import Timestamp

from ingest.market.market_hours import MarketHours, parse_day
from shared import rfc3339

MONDAY = {"date": "2026-11-16", "open": "09:30", "close": "16:00"}
TUESDAY = {"date": "2026-11-17", "open": "09:30", "close": "16:00"}

SECOND = 1_000_000_000


def ns(text: str) -> int:
    return rfc3339.to_nanoseconds(text)


NOON = ns("2026-11-16T12:00:00-05:00")
"""Monday, in regular hours."""


def two_days() -> MarketHours:
    return MarketHours([parse_day(MONDAY), parse_day(TUESDAY)])


def trade(
    at: int = NOON,
    price: Any = 100.5,
    conditions: Sequence[str] | None = ("@",),
    *,
    symbol: str = "SPY",
    tape: str | None = "B",
    size: int = 100,
) -> dict[str, Any]:
    """Return a trade as msgpack unpacks it."""
    message: dict[str, Any] = {
        "T": "t",
        "S": symbol,
        "i": 1,
        "x": "V",
        "p": price,
        "s": size,
        "t": Timestamp.from_unix_nano(at),
    }
    if conditions is not None:
        message["c"] = list(conditions)
    if tape is not None:
        message["z"] = tape
    return message
