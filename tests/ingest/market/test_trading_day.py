"""The trading day is New York's."""

import pytest

from ingest.market.trading_day import HOUR_NS, day_of
from shared import rfc3339


@pytest.mark.parametrize(
    "midnight",
    [
        pytest.param("2024-01-16T05:00:00Z", id="winter"),
        pytest.param("2024-07-16T04:00:00Z", id="summer"),
        pytest.param("2024-03-10T05:00:00Z", id="the day on which summer time starts"),
        pytest.param("2024-11-03T04:00:00Z", id="the day on which summer time ends"),
        pytest.param("2024-11-04T05:00:00Z", id="the day after"),
    ],
)
def test_a_trading_day_starts_at_new_yorks_midnight(midnight: str) -> None:
    start = rfc3339.to_nanoseconds(midnight)
    assert day_of(start) == day_of(start - 1) + 1
    assert day_of(start) == day_of(start + 23 * HOUR_NS - 1)  # the shortest day has 23 hours


@pytest.mark.parametrize(
    "at_ns", [-1, -(2**63), -62_135_596_800 * 10**9], ids=["none", "i64", "Go"]
)
def test_a_time_that_is_none_belongs_to_no_day(at_ns: int) -> None:
    assert day_of(at_ns) == -1
