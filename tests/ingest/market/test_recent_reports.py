"""Late and repeated reports."""

import pytest

from ingest.market import recent_reports
from ingest.market.clock_lead import AHEAD_NS
from ingest.market.recent_reports import Arrival, RecentReports
from tests.ingest.trades import NOON

NEWS, LATE, REPEATED = Arrival.NEWS, Arrival.LATE, Arrival.REPEATED


@pytest.fixture
def reports() -> RecentReports:
    return RecentReports()


def test_a_report_that_is_older_than_another_of_its_kind_and_symbol_is_late(
    reports: RecentReports,
) -> None:
    assert reports.add("luld", "SPY", NOON, NOON, 1.0) is NEWS
    assert reports.add("luld", "SPY", NOON - 1, NOON, 2.0) is LATE
    assert reports.add("luld", "IBM", NOON - 1, NOON, 2.0) is NEWS
    assert reports.add("status", "SPY", NOON - 1, NOON, "H") is NEWS
    assert (reports.late, reports.repeated) == (1, 0)


def test_a_report_that_says_all_the_same_again_is_repeated_also_if_it_is_late(
    reports: RecentReports,
) -> None:
    arrivals = [
        reports.add("imbalance", "SPY", at, NOON, price)
        for at, price in [(NOON, 1), (NOON - 1, 1), (NOON, 1), (NOON - 1, 1), (NOON, 2)]
    ]

    assert arrivals == [NEWS, LATE, REPEATED, REPEATED, NEWS]
    assert (reports.late, reports.repeated) == (1, 2)


def test_reports_of_one_time_come_in_the_order_of_their_arrival(reports: RecentReports) -> None:
    assert [reports.add("status", "SPY", NOON, NOON, code) for code in "PQT"] == [NEWS] * 3


def test_a_report_from_the_future_makes_no_other_one_late(reports: RecentReports) -> None:
    assert reports.add("luld", "SPY", NOON + AHEAD_NS + 1, NOON, 1.0) is NEWS
    assert reports.add("luld", "SPY", NOON, NOON, 2.0) is NEWS
    assert reports.add("luld", "SPY", NOON - 1, NOON, 3.0) is LATE


@pytest.mark.parametrize("at_ns", [None, -62_135_596_800 * 10**9], ids=["none", "Go's none"])
def test_a_report_that_has_no_time_is_news_each_time(
    reports: RecentReports, at_ns: int | None
) -> None:
    reports.add("status", "SPY", NOON, NOON, "Q")
    for code in "HTH":
        assert reports.add("status", "SPY", at_ns, NOON, code) is NEWS


def test_only_the_newest_reports_are_remembered(
    reports: RecentReports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_reports, "REMEMBERED_REPORTS", 10)
    for number in range(100):
        assert reports.add("imbalance", f"S{number}", NOON, NOON, 1) is NEWS

    assert len(reports._seen) == len(reports._newest_ns) == 10
    assert reports.add("imbalance", "S99", NOON, NOON, 1) is REPEATED
    assert reports.add("imbalance", "S0", NOON, NOON, 1) is NEWS
