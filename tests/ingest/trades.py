"""Hand-made messages of Alpaca's wire, and a market whose hours are known."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgpack import Timestamp

from ingest.alpaca import messages as wire
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


def wire_time(at: int) -> msgspec.msgpack.Ext:
    """Return unix nanoseconds as msgpack has them."""
    return msgspec.msgpack.Ext(-1, Timestamp.from_unix_nano(at).to_bytes())


def trade(
    at: int = NOON,
    price: Any = 100.5,
    conditions: Sequence[str] | None = ("@",),
    *,
    symbol: str = "SPY",
    tape: str | None = "B",
    size: int = 100,
    number: int | None = 1,
    exchange: str | None = "V",
) -> wire.Trade:
    """Return a print; ``number`` is its id."""
    return wire.Trade(
        symbol=symbol,
        price=price,
        size=size,
        time=wire_time(at),
        id=number,
        exchange=exchange,
        conditions=None if conditions is None else tuple(conditions),
        tape=tape,
    )


def correction_of(
    wrong: wire.Trade,
    price: Any,
    *,
    number: int,
    conditions: Sequence[str] | None = ("@",),
    at: int | None = None,
) -> wire.Correction:
    """Return the message that puts a print right; ``number`` is the id of what it becomes."""
    assert wrong.id is not None
    return wire.Correction(
        symbol=wrong.symbol,
        original_id=wrong.id,
        original_price=wrong.price,
        original_size=wrong.size,
        id=number,
        price=price,
        size=wrong.size,
        conditions=None if conditions is None else tuple(conditions),
        exchange=wrong.exchange,
        tape=wrong.tape,
        time=wrong.time if at is None else wire_time(at),
    )


def cancel_of(wrong: wire.Trade, at: int | None = None) -> wire.Cancel:
    """Return the message that takes a print back."""
    assert wrong.id is not None
    return wire.Cancel(
        symbol=wrong.symbol,
        id=wrong.id,
        price=wrong.price,
        size=wrong.size,
        exchange=wrong.exchange,
        action="C",
        tape=wrong.tape,
        time=wrong.time if at is None else wire_time(at),
    )
