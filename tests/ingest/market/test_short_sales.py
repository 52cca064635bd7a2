"""How long a report about short sales holds."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from ingest.market.market_hours import MarketHours, TradingDay
from ingest.market.short_sales import ShortSale, ShortSales

NEW_YORK = ZoneInfo("America/New_York")


def at(day: int, clock: str = "12:00") -> int:
    """Return a moment of November 2026 in unix ns; the 26th is Thanksgiving, a Thursday."""
    moment = datetime.combine(date(2026, 11, day), time.fromisoformat(clock), NEW_YORK)
    return int(moment.timestamp()) * 1_000_000_000


def hours() -> MarketHours:
    days = [day for day in range(16, 31) if date(2026, 11, day).isoweekday() < 6 and day != 26]
    return MarketHours(
        TradingDay(
            overnight_open=at(day, "00:00"),
            pre_open=at(day, "04:00"),
            open=at(day, "09:30"),
            close=at(day, "16:00"),
            post_close=at(day, "20:00"),
        )
        for day in days
    )


@pytest.mark.parametrize(
    ("reported", "last"),
    [(17, 18), (20, 23), (25, 27), (26, 27)],
    ids=["two days", "over a weekend", "over a holiday", "on a holiday"],
)
@pytest.mark.parametrize("is_restricted", [True, False])
def test_a_restriction_holds_for_its_day_and_the_next_trading_day(
    reported: int, last: int, is_restricted: bool
) -> None:
    short_sales = ShortSales(hours)
    report = ShortSale(is_restricted, at(reported))
    short_sales.report("SPY", report)

    assert short_sales.expire(at(last, "23:59")) == []
    assert short_sales.of("SPY") == report
    assert short_sales.expire(at(last + 1, "00:00")) == ["SPY"]
    assert short_sales.of("SPY") is None
    assert len(short_sales) == 0


def test_while_no_calendar_is_known_a_restriction_holds_over_a_long_weekend() -> None:
    short_sales = ShortSales(MarketHours)
    short_sales.report("SPY", ShortSale(is_restricted=True, at_ns=at(20)))

    assert short_sales.expire(at(24, "23:59")) == []
    assert short_sales.expire(at(25, "00:00")) == ["SPY"]


def test_the_newest_report_counts() -> None:
    short_sales = ShortSales(hours)
    assert short_sales.report("SPY", ShortSale(is_restricted=True, at_ns=at(17)))
    assert not short_sales.report("SPY", ShortSale(is_restricted=True, at_ns=at(17)))
    assert short_sales.report("SPY", ShortSale(is_restricted=True, at_ns=at(18)))

    assert short_sales.expire(at(19)) == []
    short_sales.forget_others(frozenset())
    assert short_sales.of("SPY") is None
