"""Daily bars out of REST answers."""

from typing import Any

import pytest

from ingest.bars.bar_changes import BarChange
from ingest.bars.bar_events import bar_event
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


def day_bar_of(snapshot: dict[str, Any]) -> Bar | None:
    day = rest_snapshot(snapshot, "AAPL").day
    return None if day is None else bar_event(BarChange("1Day", day))


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


@pytest.mark.parametrize(
    "bad", [{}, {**DAILY, "o": None}, {**DAILY, "l": 0}, {**DAILY, "v": "1"}, {**DAILY, "h": 1e30}]
)
def test_a_bar_of_another_form_is_left_out(bad: dict[str, Any]) -> None:
    assert day_bar_of({"dailyBar": bad}) is None
