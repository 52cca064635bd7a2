"""Sessions by Alpaca's calendar and clock."""

from datetime import UTC, date, datetime
from typing import get_args

import pytest

from ingest.market.market_hours import TRADES_IN, MarketHours
from ingest.settings import Feed
from ingest.upstream.hours_translation import market_clock, trading_day
from simulator.tape import hours as simulated
from tests.ingest.trades import MONDAY, TUESDAY, ns, two_days

FRIDAY_AFTER_THANKSGIVING = {
    "date": "2026-11-27",
    "open": "09:30",
    "close": "13:00",
    "session_open": "0400",
    "session_close": "1700",
}
WEEK = [
    {"date": "2026-11-25", "open": "09:30", "close": "16:00"},  # Wednesday; 26th Thanksgiving
    FRIDAY_AFTER_THANKSGIVING,
    {"date": "2026-11-30", "open": "09:30", "close": "16:00"},
]
SUMMER_ENDS = [
    {"date": "2026-10-30", "open": "09:30", "close": "16:00"},
    {"date": "2026-11-02", "open": "09:30", "close": "16:00"},
]
SUMMER_BEGINS = [
    {"date": "2026-03-06", "open": "09:30", "close": "16:00"},
    {"date": "2026-03-09", "open": "09:30", "close": "16:00"},
]


@pytest.mark.parametrize(
    ("rows", "moment", "session"),
    [
        ([MONDAY, *WEEK], "2026-11-16T03:59:59.999999999-05:00", "unknown"),
        ([MONDAY, *WEEK], "2026-11-16T04:00:00-05:00", "pre"),
        ([MONDAY, *WEEK], "2026-11-16T09:29:59.999999999-05:00", "pre"),
        ([MONDAY, *WEEK], "2026-11-16T09:30:00-05:00", "regular"),
        ([MONDAY, *WEEK], "2026-11-16T15:59:59.999999999-05:00", "regular"),
        ([MONDAY, *WEEK], "2026-11-16T16:00:00-05:00", "post"),
        ([MONDAY, *WEEK], "2026-11-16T19:59:59.999999999-05:00", "post"),
        ([MONDAY, *WEEK], "2026-11-16T20:00:00-05:00", "closed"),
        # a holiday, a half day, a weekend
        (WEEK, "2026-11-26T12:00:00-05:00", "closed"),
        (WEEK, "2026-11-27T12:59:59-05:00", "regular"),
        (WEEK, "2026-11-27T13:00:00-05:00", "post"),
        (WEEK, "2026-11-27T16:59:59-05:00", "post"),
        (WEEK, "2026-11-27T17:00:00-05:00", "closed"),
        (WEEK, "2026-11-28T12:00:00-05:00", "closed"),
        (WEEK, "2026-11-30T04:00:00-05:00", "pre"),
        # the clocks change between Friday and Monday
        (SUMMER_ENDS, "2026-10-30T13:29:59Z", "pre"),
        (SUMMER_ENDS, "2026-10-30T13:30:00Z", "regular"),
        (SUMMER_ENDS, "2026-11-02T14:29:59Z", "pre"),
        (SUMMER_ENDS, "2026-11-02T14:30:00Z", "regular"),
        (SUMMER_BEGINS, "2026-03-06T14:30:00Z", "regular"),
        (SUMMER_BEGINS, "2026-03-06T14:29:59Z", "pre"),
        (SUMMER_BEGINS, "2026-03-09T13:30:00Z", "regular"),
        (SUMMER_BEGINS, "2026-03-09T13:29:59Z", "pre"),
    ],
)
def test_the_calendar_gives_the_session_of_any_moment(
    rows: list[dict[str, str]], moment: str, session: str
) -> None:
    hours = MarketHours([trading_day(row) for row in reversed(rows)])

    assert hours.session_at(ns(moment)) == session


def test_a_row_for_a_sunday_is_believed() -> None:
    hours = MarketHours([trading_day({"date": "2026-11-22", "open": "09:30", "close": "16:00"})])

    assert hours.session_at(ns("2026-11-22T12:00:00-05:00")) == "regular"


def test_without_a_calendar_every_moment_is_unknown() -> None:
    hours = MarketHours()

    assert hours.session_at(ns("2026-11-16T12:00:00-05:00")) == "unknown"
    assert hours.session_now(ns("2026-11-16T12:00:00-05:00")) == "unknown"
    assert hours.next_open() is None
    assert hours.next_close() is None


def test_beyond_the_calendar_nothing_is_claimed() -> None:
    hours = two_days()

    assert hours.session_at(ns("2026-11-17T20:00:00-05:00")) == "unknown"
    assert hours.session_at(ns("2026-12-24T12:00:00-05:00")) == "unknown"
    assert hours.session_at(ns("2026-11-13T12:00:00-05:00")) == "unknown"


def test_asking_for_days_back_and_forth_gives_the_same_answers() -> None:
    hours = two_days()
    moments = ["2026-11-16T12:00:00-05:00", "2026-11-17T05:00:00-05:00"] * 2

    assert [hours.session_at(ns(moment)) for moment in moments] == ["regular", "pre"] * 2


def clock(is_open: bool, at: str, next_open: str, next_close: str) -> dict[str, object]:
    return {"timestamp": at, "is_open": is_open, "next_open": next_open, "next_close": next_close}


def test_an_unplanned_closure_overrules_the_calendar_until_the_next_opening() -> None:
    closed = market_clock(
        clock(
            False,
            "2026-11-16T12:00:00.5-05:00",
            "2026-11-17T09:30:00-05:00",
            "2026-11-17T16:00:00-05:00",
        )
    )
    hours = MarketHours([trading_day(MONDAY), trading_day(TUESDAY)], closed)

    assert hours.is_closed_unplanned(ns("2026-11-16T12:00:01-05:00"))
    assert hours.session_now(ns("2026-11-16T12:00:01-05:00")) == "closed"
    assert hours.session_now(ns("2026-11-16T17:00:00-05:00")) == "post"
    assert hours.session_now(ns("2026-11-17T09:30:00-05:00")) == "regular"


def test_a_clock_read_before_the_opening_does_not_hide_the_opening() -> None:
    before = market_clock(
        clock(
            False,
            "2026-11-16T09:00:00-05:00",
            "2026-11-16T09:30:00-05:00",
            "2026-11-16T16:00:00-05:00",
        )
    )
    hours = MarketHours([trading_day(MONDAY), trading_day(TUESDAY)], before)

    assert hours.session_now(ns("2026-11-16T09:29:59-05:00")) == "pre"
    assert hours.session_now(ns("2026-11-16T09:30:00-05:00")) == "regular"
    assert hours.next_open() == "2026-11-16T14:30:00Z"
    assert hours.next_close() == "2026-11-16T21:00:00Z"


def test_a_clock_that_is_a_moment_ahead_at_the_close_closes_nothing_early() -> None:
    ahead = market_clock(
        clock(
            False,
            "2026-11-16T16:00:00.4-05:00",
            "2026-11-17T09:30:00-05:00",
            "2026-11-17T16:00:00-05:00",
        )
    )
    hours = MarketHours([trading_day(MONDAY), trading_day(TUESDAY)], ahead)

    assert hours.session_now(ns("2026-11-16T15:59:59.9-05:00")) == "regular"
    assert hours.session_now(ns("2026-11-16T16:00:00.5-05:00")) == "post"


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        ("2026-11-16T03:59:00-05:00", 60),  # the calendar's first session
        ("2026-11-16T09:00:00-05:00", 1800),
        ("2026-11-16T09:30:00-05:00", 6.5 * 3600),
        ("2026-11-16T20:00:00-05:00", 8 * 3600),  # the night until the next day's first session
        ("2026-11-17T20:00:00-05:00", float("inf")),
    ],
)
def test_the_next_event_is_the_next_change_of_the_session(moment: str, seconds: float) -> None:
    assert two_days().seconds_to_next_event(ns(moment)) == seconds


def test_the_clock_knows_of_openings_beyond_the_calendar() -> None:
    later = market_clock(
        clock(
            False,
            "2026-11-17T20:00:00-05:00",
            "2026-11-18T09:30:00-05:00",
            "2026-11-18T16:00:00-05:00",
        )
    )

    assert MarketHours([], later).seconds_to_next_event(later.timestamp) == 13.5 * 3600


def test_the_simulators_calendar_and_clock_are_open_all_day() -> None:
    market = simulated.AlwaysOpen()
    now = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)  # a Saturday evening in New York
    rows = simulated.calendar(market, date(2026, 11, 20), date(2026, 11, 24))
    hours = MarketHours(map(trading_day, rows), market_clock(simulated.clock(market, now)))

    for moment in ("2026-11-21T22:00:00-05:00", "2026-11-22T00:00:00-05:00"):
        assert hours.session_now(ns(moment)) == "regular"
    assert hours.session_at(ns("2026-11-22T23:59:59.999999999-05:00")) == "regular"
    assert hours.session_at(ns("2026-11-25T00:00:00-05:00")) == "unknown"


def test_a_feed_that_never_stops_needs_no_calendar() -> None:
    closed = market_clock(
        clock(
            False,
            "2026-11-16T12:00:00-05:00",
            "2026-11-17T09:30:00-05:00",
            "2026-11-17T16:00:00-05:00",
        )
    )
    hours = MarketHours([trading_day(MONDAY)], closed, TRADES_IN["test"])

    assert hours.session_now(ns("2026-11-16T12:00:01-05:00")) == "regular"
    assert hours.session_at(0) == "regular"


@pytest.mark.parametrize(
    ("moment", "session"),
    [
        ("2026-11-24T19:59:59-05:00", "closed"),
        ("2026-11-24T20:00:00-05:00", "overnight"),
        ("2026-11-25T03:59:59-05:00", "overnight"),
        ("2026-11-25T04:00:00-05:00", "closed"),  # this feed has no daytime
        ("2026-11-25T12:00:00-05:00", "closed"),
        ("2026-11-25T20:00:00-05:00", "closed"),  # the eve of Thanksgiving
        ("2026-11-26T20:00:00-05:00", "overnight"),  # whole before a half day
        ("2026-11-27T20:00:00-05:00", "closed"),  # Friday
        ("2026-11-29T19:59:59-05:00", "closed"),  # Sunday
        ("2026-11-29T20:00:00-05:00", "overnight"),
    ],
)
def test_the_overnight_feeds_trade_in_the_nights_before_trading_days(
    moment: str, session: str
) -> None:
    tuesday = {"date": "2026-11-24", "open": "09:30", "close": "16:00"}
    rows = [trading_day(row) for row in (tuesday, *WEEK)]

    for feed in ("boats", "overnight"):
        assert MarketHours(rows, trades_in=TRADES_IN[feed]).session_at(ns(moment)) == session


@pytest.mark.parametrize("feed", get_args(Feed))
def test_every_feed_has_its_sessions(feed: str) -> None:
    assert feed in TRADES_IN


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"date": "2026-11-16"},
        {"date": "16.11.2026", "open": "09:30", "close": "16:00"},
        {"date": "2026-11-16", "open": "", "close": "16:00"},
        {"date": "2026-11-16", "open": "25:00", "close": "16:00"},
    ],
)
def test_a_row_of_another_form_is_refused(row: dict[str, str]) -> None:
    with pytest.raises((KeyError, ValueError)):
        trading_day(row)
