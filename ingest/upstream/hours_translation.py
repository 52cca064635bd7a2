"""Alpaca's calendar and clock in our own terms: the bounds of sessions in unix nanoseconds.

Source: https://docs.alpaca.markets/reference/getcalendar-1 and its neighbour, ``getclock-1``.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from ingest.market.market_hours import NEW_YORK, MarketClock, TradingDay
from shared import rfc3339

_PRE_OPEN, _POST_CLOSE, _OVERNIGHT_OPEN = "0400", "2000", "2000"
_LAST_MINUTE = "2359"
_DAY = timedelta(days=1)


def trading_day(row: Mapping[str, str]) -> TradingDay:
    """Translate one row of ``GET /v2/calendar``.

    Raises:
        KeyError, ValueError: the row has another form.
    """
    day = date.fromisoformat(row["date"])
    return TradingDay(
        overnight_open=_moment(day - _DAY, _OVERNIGHT_OPEN),
        pre_open=_moment(day, row.get("session_open") or _PRE_OPEN),
        open=_moment(day, row["open"]),
        close=_end(day, row["close"]),
        post_close=_end(day, row.get("session_close") or _POST_CLOSE),
    )


def market_clock(answer: Mapping[str, object]) -> MarketClock:
    """Translate the answer of ``GET /v2/clock``.

    Raises:
        KeyError, ValueError: it has another form.
    """
    return MarketClock(
        timestamp=rfc3339.to_nanoseconds(str(answer["timestamp"])),
        is_open=bool(answer["is_open"]),
        next_open=rfc3339.to_nanoseconds(str(answer["next_open"])),
        next_close=rfc3339.to_nanoseconds(str(answer["next_close"])),
    )


def _moment(day: date, text: str) -> int:
    digits = text.replace(":", "")
    at = datetime.combine(day, time(int(digits[:2]), int(digits[2:4])), NEW_YORK)
    return int(at.timestamp()) * 1_000_000_000


def _end(day: date, text: str) -> int:
    # A day that closes at 23:59 closes at its end: the calendar cannot write 24:00.
    if text.replace(":", "") == _LAST_MINUTE:
        return _moment(day + _DAY, "0000")
    return _moment(day, text)
