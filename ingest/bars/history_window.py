"""How far back a number of bars reaches, by the trading days before a moment. Pure."""

from datetime import UTC, date, datetime, time, timedelta

from ingest.bars.timeframes import DAY, FOLDED, MINUTE, MINUTE_NS, Timeframe
from ingest.market.market_hours import NEW_YORK, MarketHours

DAYS_AT_MOST = 4_000
"""Alpaca's bars begin in 2016."""

_OPEN, _CLOSE = time(9, 30), time(16)
_HOUR_BARS = 7
"""The hours of a regular session, the first of which holds its first half hour."""


def history_start(timeframe: Timeframe, count: int, end_ns: int, hours: MarketHours) -> datetime:
    """Return a moment before which ``count`` bars are not needed: that many have begun since then.

    Only regular hours count: some feeds have hardly any bars outside them. A symbol that trades
    seldom has fewer bars; one that trades in all sessions has more. ``end_ns`` is unix ns.
    """
    if hours.never_stops:
        return _around_the_clock(timeframe, count, end_ns)
    end = datetime.fromtimestamp(end_ns // 1_000_000_000, UTC).astimezone(NEW_YORK)
    day, remaining = end.date(), count
    for _ in range(DAYS_AT_MOST):
        open_, close = _at(day, _OPEN), min(_at(day, _CLOSE), end)
        if close > open_ and _trades(day, hours):
            bars = _bars_between(timeframe, open_, close)
            if bars >= remaining:
                return _back_from(timeframe, open_, close, remaining)
            remaining -= bars
        day -= timedelta(days=1)
    return _at(day, time())


def _around_the_clock(timeframe: Timeframe, count: int, end_ns: int) -> datetime:
    span = timedelta(days=1)
    if timeframe != DAY:
        span = timedelta(microseconds=_span_ns(timeframe) // 1_000)
    # A day may have 25 hours.
    days = min(span * count + timedelta(hours=1), timedelta(days=DAYS_AT_MOST))
    return datetime.fromtimestamp(end_ns // 1_000_000_000, UTC) - days


def _bars_between(timeframe: Timeframe, open_: datetime, close: datetime) -> int:
    if timeframe == DAY:
        return 1
    if timeframe == "1Hour":
        return min(_HOUR_BARS, -int(-(close - open_).total_seconds() // 3600))
    span = timedelta(microseconds=_span_ns(timeframe) // 1_000)
    return -int(-((close - open_) / span) // 1)


def _back_from(timeframe: Timeframe, open_: datetime, close: datetime, count: int) -> datetime:
    if timeframe == DAY:
        return _at(open_.date(), time())
    back = close - timedelta(microseconds=_span_ns(timeframe) // 1_000) * count
    # An hour starts before the session does.
    earliest = open_.replace(minute=0) if timeframe == "1Hour" else open_
    return max(back, earliest).astimezone(UTC)


def _span_ns(timeframe: Timeframe) -> int:
    return MINUTE_NS if timeframe == MINUTE else FOLDED[timeframe]


def _trades(day: date, hours: MarketHours) -> bool:
    noon_ns = int(_at(day, time(12)).timestamp()) * 1_000_000_000
    session = hours.session_at(noon_ns)
    # Holidays beyond the calendar count as trading days: the history is a day shorter then.
    return session == "regular" or (session == "unknown" and day.weekday() < 5)


def _at(day: date, at: time) -> datetime:
    return datetime.combine(day, at, NEW_YORK)
