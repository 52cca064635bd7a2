"""The start of a history: as many bars as are stored have begun since then."""

from datetime import datetime

import pytest

from ingest.bars.history_window import history_start
from ingest.bars.timeframes import Timeframe
from ingest.market.market_hours import NEW_YORK, MarketHours
from ingest.upstream.hours_translation import trading_day

# Thanksgiving is on the 26th; the day after it is a half day, the 28th a Saturday.
HOURS = MarketHours(
    [
        trading_day({"date": f"2026-11-{day}", "open": "09:30", "close": close})
        for day, close in (
            (23, "16:00"),
            (24, "16:00"),
            (25, "16:00"),
            (27, "13:00"),
            (30, "16:00"),
        )
    ]
)


def start(timeframe: Timeframe, count: int, now: str, hours: MarketHours = HOURS) -> str:
    end = datetime.fromisoformat(now).replace(tzinfo=NEW_YORK)
    found = history_start(timeframe, count, int(end.timestamp()) * 1_000_000_000, hours)
    return found.astimezone(NEW_YORK).strftime("%m-%d %H:%M")


@pytest.mark.parametrize(
    ("timeframe", "count", "now", "expected"),
    [
        ("1Min", 30, "2026-11-24T10:30", "11-24 10:00"),
        # 30 minutes of the day, 390 of the day before, 80 of the one before that.
        ("1Min", 500, "2026-11-25T10:00", "11-23 14:40"),
        ("1Min", 30, "2026-11-24T08:00", "11-23 15:30"),
        ("5Min", 78, "2026-11-24T16:00", "11-24 09:30"),
        ("15Min", 27, "2026-11-24T18:00", "11-23 15:45"),
        # The hour of 09:00 has the first half hour of the session.
        ("1Hour", 7, "2026-11-24T17:00", "11-24 09:00"),
        ("1Hour", 8, "2026-11-24T17:00", "11-23 15:00"),
        ("1Day", 1, "2026-11-24T12:00", "11-24 00:00"),
        ("1Day", 2, "2026-11-30T09:31", "11-27 00:00"),
    ],
)
def test_the_history_starts_where_that_many_bars_of_regular_hours_begin(
    timeframe: Timeframe, count: int, now: str, expected: str
) -> None:
    assert start(timeframe, count, now) == expected


def test_days_that_do_not_trade_have_no_bars() -> None:
    assert start("1Min", 400, "2026-11-27T09:31") == "11-24 15:51"


def test_beyond_the_calendar_each_weekday_counts() -> None:
    assert start("1Day", 10, "2026-11-20T12:00", MarketHours()) == "11-09 00:00"


def test_no_number_of_bars_makes_it_search_for_ever() -> None:
    assert start("1Day", 1_000_000, "2026-11-20T12:00")


@pytest.mark.parametrize(
    ("timeframe", "count", "start"),
    [
        ("1Min", 60, "2026-11-29T10:00:00+00:00"),
        ("1Hour", 24, "2026-11-28T11:00:00+00:00"),
        ("1Day", 30, "2026-10-30T11:00:00+00:00"),
        ("1Day", 10_000, "2015-12-17T12:00:00+00:00"),
    ],
)
def test_a_market_that_never_closes_has_a_bar_in_each_span(
    timeframe: Timeframe, count: int, start: str
) -> None:
    """An hour more is asked for: a day may have 25."""
    sunday = int(datetime.fromisoformat("2026-11-29T12:00:00Z").timestamp()) * 10**9
    hours = MarketHours(trades_in=None)

    assert history_start(timeframe, count, sunday, hours).isoformat() == start
