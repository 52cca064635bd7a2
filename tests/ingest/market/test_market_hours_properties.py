"""Any calendar against what a wall clock in New York says, across holidays and clock changes."""

from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from ingest.market.market_hours import DAYTIME, NIGHT, MarketClock, MarketHours
from ingest.upstream.hours_refresh import (
    AFTER_EVENT_SECONDS,
    REFRESH_SECONDS,
    UNPLANNED_SECONDS,
    pause_seconds,
)
from ingest.upstream.hours_translation import trading_day
from shared.ingest_status import Session
from tests.ingest.trades import SECOND

NEW_YORK = ZoneInfo("America/New_York")
DAY = timedelta(days=1)
HALF_DAY = ("13:00", "1700")
FULL_DAY = ("16:00", "2000")
# The clocks change on March 8th and November 1st; 2026-11-26 is Thanksgiving.
AROUND = [date(2026, 3, 6), date(2026, 10, 30), date(2026, 11, 24), date(2026, 7, 1)]

Rows = dict[date, tuple[str, str]]


@st.composite
def calendars(draw: st.DrawFn) -> Rows:
    """Two weeks from near a special day; any day may be closed, half or full."""
    first = draw(st.sampled_from(AROUND)) - draw(st.integers(0, 9)) * DAY
    kinds = draw(st.lists(st.sampled_from([None, HALF_DAY, FULL_DAY]), min_size=14, max_size=14))
    rows = {first + n * DAY: kind for n, kind in enumerate(kinds) if kind is not None}
    return rows or {first: FULL_DAY}


def hours_of(
    rows: Rows,
    trades_in: frozenset[Session] | None = DAYTIME,
    clock: MarketClock | None = None,
) -> MarketHours:
    days = [
        {"date": f"{day}", "open": "09:30", "close": close, "session_close": session_close}
        for day, (close, session_close) in rows.items()
    ]
    return MarketHours(map(trading_day, days), clock, trades_in)


@st.composite
def moments(draw: st.DrawFn, rows: Rows) -> int:
    """Unix nanoseconds, often at an edge, from two days before the calendar to two after."""
    days = (max(rows) - min(rows)).days + 4
    day = min(rows) + draw(st.integers(-2, days)) * DAY
    edge = draw(st.sampled_from([0, 4, 9.5, 13, 16, 17, 20]))
    wall = datetime.combine(day, time(int(edge), int(edge % 1 * 60)), NEW_YORK)
    off = draw(st.sampled_from([-1, 0, 1]) | st.integers(-(10**13), 10**13))
    return int(wall.timestamp()) * SECOND + off


def on_the_wall(rows: Rows, unix_ns: int) -> Session:
    local = datetime.fromtimestamp(unix_ns // SECOND, NEW_YORK)
    row, wall = rows.get(local.date()), local.time()
    if wall < time(4):
        return "overnight" if row else "closed"
    if wall >= time(20):
        return "overnight" if local.date() + DAY in rows else "closed"
    if row is None:
        return "closed"
    close, session_close = time(int(row[0][:2])), time(int(row[1][:2]))
    if wall < time(9, 30):
        return "pre"
    return "regular" if wall < close else "post" if wall < session_close else "closed"


def bounds(rows: Rows, trades_in: frozenset[Session]) -> tuple[int, int]:
    """The first and the last moment that the calendar speaks of, for such a feed."""
    hours = hours_of(rows, trades_in)
    return hours._spans[0].end, hours._spans[-1].begin


@given(st.data(), calendars(), st.sampled_from([DAYTIME, NIGHT, DAYTIME | NIGHT]))
def test_a_session_is_what_new_yorks_wall_clock_and_the_calendar_make_it(
    data: st.DataObject, rows: Rows, trades_in: frozenset[Session]
) -> None:
    hours = hours_of(rows, trades_in)
    first, last = bounds(rows, trades_in)
    for moment in data.draw(st.lists(moments(rows), min_size=1, max_size=20)):
        expected = on_the_wall(rows, moment)
        if not first <= moment < last:
            expected = "unknown"
        elif expected not in trades_in:
            expected = "closed"

        assert hours.session_at(moment) == hours.session_now(moment) == expected


@given(calendars(), st.sampled_from([DAYTIME, NIGHT, DAYTIME | NIGHT]))
def test_sessions_part_all_of_time_in_order_and_without_a_gap(
    rows: Rows, trades_in: frozenset[Session]
) -> None:
    hours = hours_of(rows, trades_in)
    spans = hours._spans

    assert [span.end for span in spans[:-1]] == [span.begin for span in spans[1:]]
    assert all(span.begin < span.end for span in spans)
    assert all(one.session != following.session for one, following in pairwise(spans))
    for span in spans[1:-1]:
        assert hours.session_at(span.begin) == hours.session_at(span.end - 1) == span.session


@given(calendars())
def test_waiting_for_the_next_event_again_and_again_meets_every_session(rows: Rows) -> None:
    hours = hours_of(rows)
    at, met = hours._spans[0].end - SECOND, []
    while (seconds := hours.seconds_to_next_event(at)) != float("inf"):
        at += round(seconds * SECOND)
        met.append(hours.session_at(at))

    assert met == [span.session for span in hours._spans[1:]]


@given(st.data(), calendars(), st.booleans())
def test_the_clock_only_ever_closes_and_only_regular_hours(
    data: st.DataObject, rows: Rows, is_open: bool
) -> None:
    read_at = data.draw(moments(rows))
    next_open = read_at + data.draw(st.integers(0, 10**14))
    clock = MarketClock(read_at, is_open, next_open, next_open + 10**13)
    hours, calendar = hours_of(rows, clock=clock), hours_of(rows)
    for moment in data.draw(st.lists(moments(rows), min_size=1, max_size=10)):
        planned, now = calendar.session_at(moment), hours.session_now(moment)

        assert now in (planned, "closed")
        if now != planned:
            assert not is_open
            assert planned == "regular"
            assert read_at <= moment < next_open


@given(st.data(), calendars(), st.booleans())
def test_hours_are_read_again_soon_after_every_event_and_every_ten_minutes(
    data: st.DataObject, rows: Rows, is_open: bool
) -> None:
    now = data.draw(moments(rows))
    next_open = now + data.draw(st.integers(1, 10**14))
    hours = hours_of(rows, clock=MarketClock(now, is_open, next_open, next_open + 10**13))
    pause = pause_seconds(hours, now)

    assert AFTER_EVENT_SECONDS <= pause <= REFRESH_SECONDS
    if hours.is_closed_unplanned(now):
        assert pause == UNPLANNED_SECONDS
    else:
        edges = [*hours._begins[1:], next_open]
        asleep = now + round((pause - AFTER_EVENT_SECONDS) * SECOND)
        assert not any(now < edge < asleep - 1000 for edge in edges)
