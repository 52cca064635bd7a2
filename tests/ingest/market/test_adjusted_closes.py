"""Closes out of daily bars that are adjusted for splits, and when they are read again."""

from datetime import date, time
from typing import Any

import pytest

from ingest.market.adjusted_closes import AdjustedCloses, adjusted_closes, reading_at
from ingest.upstream import translation
from tests.ingest.trades import ns

THURSDAY, FRIDAY, SATURDAY, SUNDAY, MONDAY = range(20769, 20774)


def row(day: str, close: Any) -> dict[str, Any]:
    return {"t": f"{day}T05:00:00Z", "o": 1, "h": 1, "l": 1, "c": close, "v": 1}


def previous_close(rows: list[dict[str, Any]], today: date) -> float | None:
    [closes] = adjusted_closes(translation.closes({"SPY": rows}), today).values()
    return closes.before((today - date(1970, 1, 1)).days)


def test_the_previous_close_is_that_of_the_last_day_before_today() -> None:
    rows = [row("2026-11-12", 98), row("2026-11-16", 105), row("2026-11-13", 100)]

    assert previous_close(rows, date(2026, 11, 16)) == 100
    assert previous_close(rows, date(2026, 11, 17)) == 105
    assert previous_close(rows, date(2026, 11, 12)) is None


def test_every_day_that_the_bars_cover_has_the_close_before_it() -> None:
    closes = AdjustedCloses({THURSDAY: 26.0, FRIDAY: 26.5}, SUNDAY)

    assert closes.before(FRIDAY) == 26.0
    assert closes.before(SATURDAY) == closes.before(SUNDAY) == 26.5
    assert closes.before(THURSDAY) is None, "it would be Wednesday's"
    assert closes.before(MONDAY) is None, "Sunday's request does not know it yet"
    assert (closes.of(FRIDAY), closes.of(SUNDAY)) == (26.5, None)


def test_a_bars_day_is_new_yorks() -> None:
    rows = [{"t": "2026-11-16T04:59:59Z", "c": 100}, {"t": "2026-11-16T05:00:00Z", "c": 101}]

    assert previous_close(rows, date(2026, 11, 16)) == 100


@pytest.mark.parametrize("bad", [{}, row("2026-11-13", 0), row("2026-11-13", "1"), row("13", 1)])
def test_rows_of_another_form_are_passed_over(bad: dict[str, Any]) -> None:
    assert previous_close([row("2026-11-12", 98), bad], date(2026, 11, 16)) == 98
    assert previous_close([bad], date(2026, 11, 16)) is None
    assert previous_close([], date(2026, 11, 16)) is None


@pytest.mark.parametrize(
    ("now", "day", "read_at"),
    [
        ("2026-11-16T00:00:00-05:00", 16, time(0)),
        ("2026-11-16T03:59:59-05:00", 16, time(0)),
        ("2026-11-16T04:00:00-05:00", 16, time(4)),
        ("2026-11-16T09:29:59-05:00", 16, time(4)),
        ("2026-11-16T09:30:00-05:00", 16, time(9, 30)),
        ("2026-11-16T23:59:59-05:00", 16, time(9, 30)),
    ],
)
def test_the_closes_are_read_at_midnight_at_the_pre_markets_start_and_at_the_open(
    now: str, day: int, read_at: time
) -> None:
    assert reading_at(ns(now)) == (date(2026, 11, day), read_at)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_bar_of_a_day_that_datetime_cannot_express_is_left_out(time: str) -> None:
    assert translation.closes({"SPY": [{"t": time, "c": 4.5}]}) == {"SPY": []}
