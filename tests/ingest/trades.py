"""Hand-made prints, and a market whose hours are known."""

from collections.abc import Mapping, Sequence
from typing import Any

from ingest.market.adjusted_closes import AdjustedCloses
from ingest.market.market_hours import MarketHours
from ingest.market.prints import Cancel, Correction, Trade
from ingest.market.snapshot import Snapshot
from ingest.market.trading_day import day_of
from ingest.upstream import translation
from ingest.upstream.hours_translation import trading_day
from shared import rfc3339

MONDAY = {"date": "2026-11-16", "open": "09:30", "close": "16:00"}
TUESDAY = {"date": "2026-11-17", "open": "09:30", "close": "16:00"}

SECOND = 1_000_000_000


def ns(text: str) -> int:
    return rfc3339.to_nanoseconds(text)


NOON = ns("2026-11-16T12:00:00-05:00")
"""Monday, in regular hours."""


def rest_snapshot(row: Mapping[str, Any], symbol: str = "SPY") -> Snapshot:
    """Return a row of Alpaca's REST snapshots as the ingest reads it.

    A daily bar may lack all values but its time and its close.
    """
    day = row.get("dailyBar")
    if isinstance(day, dict) and "c" in day:
        row = {**row, "dailyBar": {**dict.fromkeys("ohl", day["c"]), "v": 1, **day}}
    return translation.snapshot(symbol, row)


def closed_before(at: int, close: float) -> AdjustedCloses:
    """Return adjusted closes of which the newest is of the day before a moment."""
    return AdjustedCloses({day_of(at) - 1: close}, day_of(at))


def two_days() -> MarketHours:
    return MarketHours([trading_day(MONDAY), trading_day(TUESDAY)])


def trade(
    at: int = NOON,
    price: Any = 100.5,
    conditions: Sequence[str] | None = ("@",),
    *,
    symbol: str = "SPY",
    tape: str | None = "B",
    size: float = 100,
    number: int | None = 1,
    exchange: str | None = "V",
) -> Trade:
    """Return a print; ``number`` is its id."""
    return Trade(
        symbol=symbol,
        price=price,
        size=size,
        at_ns=at,
        id=number,
        exchange=exchange,
        conditions=None if conditions is None else tuple(conditions),
        tape=tape,
    )


def correction_of(
    wrong: Trade,
    price: Any,
    *,
    number: int,
    conditions: Sequence[str] | None = ("@",),
    size: float | None = None,
    at: int | None = None,
) -> Correction:
    """Return the message that puts a print right; ``number`` is the id of what it becomes."""
    assert wrong.id is not None
    return Correction(
        symbol=wrong.symbol,
        original_id=wrong.id,
        original_price=wrong.price,
        original_size=wrong.size,
        id=number,
        price=price,
        size=wrong.size if size is None else size,
        conditions=None if conditions is None else tuple(conditions),
        exchange=wrong.exchange,
        tape=wrong.tape,
        at_ns=wrong.at_ns if at is None else at,
    )


def cancel_of(wrong: Trade, at: int | None = None) -> Cancel:
    """Return the message that takes a print back."""
    assert wrong.id is not None
    return Cancel(
        symbol=wrong.symbol,
        id=wrong.id,
        price=wrong.price,
        size=wrong.size,
        exchange=wrong.exchange,
        action="C",
        tape=wrong.tape,
        at_ns=wrong.at_ns if at is None else at,
    )
