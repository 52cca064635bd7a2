"""Snapshots, market hours and the account: what REST answers, without a server."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from simulator import account, hours, rfc3339
from simulator.hours import AlwaysOpen, NyseHours
from simulator.market import Market
from simulator.tape import DailyBar

OPEN = rfc3339.parse("2021-05-03T14:45:00Z")
SECOND = rfc3339.SECOND


def market(*trades: tuple[int, float, int]) -> Market:
    made = Market(AlwaysOpen())
    made.expect(["SPY"], {})
    for at, price, size in trades:
        made.observe({"T": "t", "i": 1, "S": "SPY", "p": price, "s": size, "t": OPEN + at * SECOND})
    return made


def test_before_its_first_message_a_symbol_has_only_nulls() -> None:
    snapshot = market().snapshot("SPY", OPEN)

    assert snapshot == dict.fromkeys(
        ["latestTrade", "latestQuote", "minuteBar", "dailyBar", "prevDailyBar"]
    )


def test_a_symbol_nobody_recorded_has_no_snapshot() -> None:
    assert market().snapshot("IBM", OPEN) is None


def test_the_latest_trade_and_quote_come_without_type_and_symbol() -> None:
    made = market((0, 100.0, 10), (1, 100.5, 20))
    made.observe({"T": "q", "S": "SPY", "bp": 1.0, "ap": 1.1, "t": OPEN})
    snapshot = made.snapshot("SPY", OPEN + 2 * SECOND)

    assert snapshot is not None
    assert snapshot["latestTrade"] == {"i": 1, "p": 100.5, "s": 20, "t": "2021-05-03T14:45:01Z"}
    assert snapshot["latestQuote"] == {"bp": 1, "ap": 1.1, "t": "2021-05-03T14:45:00Z"}


def test_the_minute_bar_is_that_of_the_last_minute_that_is_over() -> None:
    made = market((0, 100.0, 10), (30, 101.0, 30), (61, 99.0, 5))
    first = {"o": 100, "h": 101, "l": 100, "c": 101, "v": 40, "n": 2, "vw": 100.75}
    second = {"o": 99, "h": 99, "l": 99, "c": 99, "v": 5, "n": 1, "vw": 99}

    during = made.snapshot("SPY", OPEN + 62 * SECOND)
    after = made.snapshot("SPY", OPEN + 120 * SECOND)

    assert during is not None
    assert during["minuteBar"] == first | {"t": "2021-05-03T14:45:00Z"}
    assert after is not None
    assert after["minuteBar"] == second | {"t": "2021-05-03T14:46:00Z"}


def test_the_daily_bar_starts_at_midnight_in_new_york() -> None:
    snapshot = market((0, 100.0, 10), (61, 99.0, 5)).snapshot("SPY", OPEN + 62 * SECOND)

    assert snapshot is not None
    daily = snapshot["dailyBar"]
    assert isinstance(daily, dict)
    assert daily["t"] == "2021-05-03T04:00:00Z"
    assert (daily["o"], daily["h"], daily["l"], daily["c"], daily["v"]) == (100, 100, 99, 99, 15)


def test_after_midnight_yesterday_becomes_the_previous_day() -> None:
    made = market((0, 100.0, 10), (24 * 3600, 110.0, 1))
    snapshot = made.snapshot("SPY", OPEN + 24 * 3600 * SECOND)

    assert snapshot is not None
    previous = snapshot["prevDailyBar"]
    assert isinstance(previous, dict)
    assert (previous["t"], previous["c"]) == ("2021-05-03T04:00:00Z", 100)
    assert made.previous_close("SPY", OPEN + 24 * 3600 * SECOND) == 100


def test_a_recorded_previous_day_is_moved_to_yesterday() -> None:
    made = Market(AlwaysOpen())
    made.expect(["SPY"], {"SPY": [DailyBar(1.0, 2.0, 0.5, 1.5, 100.0)]})
    snapshot = made.snapshot("SPY", OPEN)

    assert snapshot is not None
    assert snapshot["prevDailyBar"] == {
        "t": "2021-05-02T04:00:00Z",
        "o": 1,
        "h": 2,
        "l": 0.5,
        "c": 1.5,
        "v": 100,
    }
    assert made.previous_close("SPY", OPEN) == 1.5


def test_a_message_with_odd_fields_is_survived() -> None:
    made = market()
    for message in ({"T": "t", "S": "SPY", "t": OPEN}, {"T": "t"}, {"T": "t", "S": 5, "t": "x"}):
        made.observe(message)

    assert made.price("SPY") is None


@pytest.mark.parametrize(
    ("now", "next_open", "next_close"),
    [
        ("2026-11-22T15:00:00", "2026-11-23T00:00:00-05:00", "2026-11-22T23:59:00-05:00"),
        ("2026-11-23T04:59:30", "2026-11-23T00:00:00-05:00", "2026-11-23T23:59:00-05:00"),
        ("2026-07-04T15:00:00", "2026-07-05T00:00:00-04:00", "2026-07-04T23:59:00-04:00"),
    ],
)
def test_the_default_market_never_closes(now: str, next_open: str, next_close: str) -> None:
    shown = hours.clock(AlwaysOpen(), datetime.fromisoformat(now).replace(tzinfo=UTC))

    assert shown["is_open"] is True
    assert (shown["next_open"], shown["next_close"]) == (next_open, next_close)


@pytest.mark.parametrize(
    ("now", "is_open", "next_open", "next_close"),
    [
        ("2026-11-23T14:30:00", True, "2026-11-24T09:30:00-05:00", "2026-11-23T16:00:00-05:00"),
        ("2026-11-23T14:29:59", False, "2026-11-23T09:30:00-05:00", "2026-11-23T16:00:00-05:00"),
        ("2026-11-23T21:00:00", False, "2026-11-24T09:30:00-05:00", "2026-11-24T16:00:00-05:00"),
        ("2026-11-21T15:00:00", False, "2026-11-23T09:30:00-05:00", "2026-11-23T16:00:00-05:00"),
        ("2026-11-25T22:00:00", False, "2026-11-27T09:30:00-05:00", "2026-11-27T13:00:00-05:00"),
    ],
)
def test_ordinary_hours_open_and_close(
    now: str, is_open: bool, next_open: str, next_close: str
) -> None:
    thanksgiving = NyseHours(frozenset({date(2026, 11, 26)}), {date(2026, 11, 27): time(13)})
    shown = hours.clock(thanksgiving, datetime.fromisoformat(now).replace(tzinfo=UTC))

    assert (shown["is_open"], shown["next_open"], shown["next_close"]) == (
        is_open,
        next_open,
        next_close,
    )


def test_the_calendar_has_a_line_per_trading_day() -> None:
    week = list(hours.calendar(NyseHours(), date(2026, 11, 20), date(2026, 11, 23)))

    assert [line["date"] for line in week] == ["2026-11-20", "2026-11-23"]
    assert week[0] == {
        "date": "2026-11-20",
        "open": "09:30",
        "close": "16:00",
        "session_open": "0400",
        "session_close": "2000",
        "settlement_date": "2026-11-23",
    }


def test_positions_are_valued_in_decimal() -> None:
    prices = {"BAC": Decimal("13.91"), "IBM": Decimal("181.90")}
    closes = {"BAC": Decimal("14.00"), "IBM": Decimal(180)}

    long, short = account.positions(account.HOLDINGS, prices.get, closes.get)

    assert long["market_value"] == "1905.67"  # 137 * 13.91
    assert long["unrealized_pl"] == "22.9475"  # 137 * (13.91 - 13.7425)
    assert long["unrealized_intraday_pl"] == "-12.33"
    assert long["change_today"] == "-0.0064285714285714"
    assert (short["qty"], short["side"], short["market_value"]) == ("-20", "short", "-3638")
    assert short["unrealized_pl"] == "9"  # sold at 182.35
    assert short["unrealized_intraday_pl"] == "-38"


def test_without_a_price_nothing_is_invented() -> None:
    long, _ = account.positions(account.HOLDINGS, lambda _: None, lambda _: None)

    assert long["cost_basis"] == "1882.7225"
    assert {long[name] for name in ("current_price", "market_value", "unrealized_pl")} == {None}
    assert account.account(account.HOLDINGS, lambda _: None)["equity"] is None
