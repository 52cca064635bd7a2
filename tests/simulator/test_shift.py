"""When a round of a tape starts."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocol import rfc3339
from simulator.tape.hours import AlwaysOpen, NyseHours
from simulator.tape.shift import first_start, next_start

MINUTE = 60 * rfc3339.SECOND
TAPE = rfc3339.parse("2013-10-07T13:30:00.007Z")
NOW = rfc3339.parse("2026-11-23T15:31:40Z")  # a Monday, 10:31:40 in New York
QUARTER = 15 * MINUTE
HOURS = NyseHours(holidays=frozenset({date(2026, 11, 26)}))


def start(shift: Any, span: int = QUARTER, now: int = NOW) -> str:
    return rfc3339.render(first_start(shift, TAPE, span, now, HOURS))


def test_a_shift_by_minutes_starts_in_the_running_minute() -> None:
    assert start("minutes") == "2026-11-23T15:31:00.007Z"


def test_a_tape_that_would_be_over_waits_for_the_next_minute() -> None:
    assert start("minutes", span=10 * rfc3339.SECOND) == "2026-11-23T15:32:00.007Z"
    assert start("minutes", span=45 * rfc3339.SECOND) == "2026-11-23T15:31:00.007Z"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-23T13:00:00Z", "2026-11-23T14:30:00.007Z"),
        ("2026-11-23T14:40:00Z", "2026-11-23T14:30:00.007Z"),
        ("2026-11-23T14:50:00Z", "2026-11-24T14:30:00.007Z"),
        ("2026-11-25T23:00:00Z", "2026-11-27T14:30:00.007Z"),
        ("2026-11-27T23:00:00Z", "2026-11-30T14:30:00.007Z"),
        # New York's clock, not the world's: it is summer there
        ("2026-06-22T13:35:00Z", "2026-06-22T13:30:00.007Z"),
    ],
)
def test_a_shift_by_days_keeps_the_time_of_day_on_a_trading_day(now: str, expected: str) -> None:
    assert start("days", now=rfc3339.parse(now)) == expected


def test_a_market_that_never_trades_delays_nothing_for_ever() -> None:
    never = NyseHours(frozenset(date.fromordinal(day) for day in range(739_900, 740_000)))

    assert next_start("days", TAPE, NOW, never) == NOW


def test_no_shift_starts_now() -> None:
    assert first_start("none", TAPE, QUARTER, NOW, HOURS) == NOW
    assert next_start("none", TAPE, NOW, HOURS) == NOW


@given(st.integers(0, 2 * 10**18), st.integers(0, 10**13), st.integers(10**18, 2 * 10**18))
def test_a_shift_by_minutes_is_a_whole_number_and_loses_less_than_a_minute(
    tape: int, span: int, now: int
) -> None:
    first = first_start("minutes", tape, span, now, AlwaysOpen())
    following = next_start("minutes", tape, now, AlwaysOpen())

    assert (first - tape) % MINUTE == (following - tape) % MINUTE == 0
    assert now - MINUTE < first < now + MINUTE
    assert first + span >= now
    assert now <= following < now + MINUTE
