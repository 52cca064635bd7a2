"""Daily bars out of REST answers."""

from datetime import date
from typing import Any

import pytest

from ingest.market import day_bars
from ingest.market.day_bars import day_bar_event
from ingest.upstream import translation
from shared.bar import Bar
from tests.ingest.trades import rest_snapshot

# alpaca-trade-api-go, marketdata/rest_test.go
DAILY = {
    "t": "2021-05-03T04:00:00Z",
    "o": 132.04,
    "h": 134.07,
    "l": 131.83,
    "c": 133.42,
    "v": 25846800,
    "n": 254678,
    "vw": 132.568,
}


def row(day: str, close: Any) -> dict[str, Any]:
    return {"t": f"{day}T05:00:00Z", "o": 1, "h": 1, "l": 1, "c": close, "v": 1}


def day_bar_of(snapshot: dict[str, Any]) -> Bar | None:
    day = rest_snapshot(snapshot, "AAPL").day
    return None if day is None else day_bar_event(day)


def previous_closes(rows: dict[str, list[dict[str, Any]]], today: date) -> dict[str, float]:
    return day_bars.previous_closes(translation.closes(rows), today)


def test_the_day_bar_of_a_snapshot() -> None:
    assert day_bar_of({"dailyBar": DAILY}) == Bar(
        symbol="AAPL",
        open=132.04,
        high=134.07,
        low=131.83,
        close=133.42,
        volume=25846800,
        trade_count=254678,
        vwap=132.568,
        revision=0,
        final=False,
        timestamp="2021-05-03T04:00:00Z",
    )


def test_count_and_average_may_be_missing() -> None:
    bar = day_bar_of(
        {"dailyBar": {key: value for key, value in DAILY.items() if key not in ("n", "vw")}}
    )

    assert bar is not None
    assert (bar.trade_count, bar.vwap) == (None, None)


@pytest.mark.parametrize("nothing", [{}, {"dailyBar": None}])
def test_a_snapshot_without_a_day_bar_gives_none(nothing: dict[str, Any]) -> None:
    assert day_bar_of(nothing) is None


@pytest.mark.parametrize("bad", [{}, {**DAILY, "o": None}, {**DAILY, "l": 0}, {**DAILY, "v": "1"}])
def test_a_bar_of_another_form_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        day_bar_of({"dailyBar": bad})


def test_the_previous_close_is_that_of_the_last_day_before_today() -> None:
    rows = [row("2026-11-12", 98), row("2026-11-16", 105), row("2026-11-13", 100)]

    assert previous_closes({"SPY": rows}, date(2026, 11, 16)) == {"SPY": 100}
    assert previous_closes({"SPY": rows}, date(2026, 11, 17)) == {"SPY": 105}
    assert previous_closes({"SPY": rows}, date(2026, 11, 12)) == {}


def test_a_bars_day_is_new_yorks() -> None:
    rows = [{"t": "2026-11-16T04:59:59Z", "c": 100}, {"t": "2026-11-16T05:00:00Z", "c": 101}]

    assert previous_closes({"SPY": rows}, date(2026, 11, 16)) == {"SPY": 100}


@pytest.mark.parametrize("bad", [{}, row("2026-11-13", 0), row("2026-11-13", "1"), row("13", 1)])
def test_rows_of_another_form_are_passed_over(bad: dict[str, Any]) -> None:
    rows = {"SPY": [row("2026-11-12", 98), bad], "IBM": [bad], "QQQ": []}

    assert previous_closes(rows, date(2026, 11, 16)) == {"SPY": 98}
