"""Snapshots and market hours: what REST answers, without a server."""

from datetime import UTC, date, datetime, time

import pytest

from simulator.protocol import rfc3339
from simulator.tape import hours
from simulator.tape.hours import AlwaysOpen, NyseHours, SwitchableHours
from simulator.tape.market import Market
from simulator.tape.recording import DailyBar

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


def test_the_latest_trade_is_the_one_with_the_latest_time() -> None:
    made = market((5, 100.0, 10), (3, 90.0, 10))
    made.observe({"T": "q", "S": "SPY", "bp": 2.0, "t": OPEN + SECOND})
    made.observe({"T": "q", "S": "SPY", "bp": 1.0, "t": OPEN})
    snapshot = made.snapshot("SPY", OPEN + 6 * SECOND)

    assert made.price("SPY") == 100.0
    assert snapshot is not None
    assert snapshot["latestQuote"] == {"bp": 2, "t": "2021-05-03T14:45:01Z"}


def two_trades() -> Market:
    made = Market(AlwaysOpen())
    for number, price in ((1, 100.0), (2, 120.0)):
        trade = {"T": "t", "i": number, "p": price, "s": 10, "c": ["@"], "x": "V"}
        made.observe(trade | {"S": "SPY", "t": OPEN + number * SECOND})
    return made


def shown(made: Market, name: str) -> dict[str, object]:
    snapshot = made.snapshot("SPY", OPEN + 60 * SECOND)
    assert snapshot is not None
    found = snapshot[name]
    assert isinstance(found, dict)
    return found


def test_a_cancelled_trade_never_happened() -> None:
    made = two_trades()
    made.observe({"T": "x", "S": "SPY", "i": 2, "p": 120.0, "s": 10, "t": OPEN})

    assert made.price("SPY") == 100.0
    for bar in (shown(made, "dailyBar"), shown(made, "minuteBar")):
        assert (bar["h"], bar["c"], bar["v"], bar["n"]) == (100, 100, 10, 1)
    made.observe({"T": "x", "S": "SPY", "i": 1, "t": OPEN})
    assert made.price("SPY") is None
    assert made.daily_bars("SPY", OPEN) == []


def test_a_correction_replaces_the_trade_and_keeps_its_time() -> None:
    made = two_trades()
    correction = {"oi": 2, "op": 120.0, "os": 10, "oc": ["@"], "ci": 3, "cp": 102.0, "cs": 20}
    made.observe({"T": "c", "S": "SPY", "x": "V", **correction, "cc": ["F"], "t": OPEN})

    assert shown(made, "latestTrade") == {
        "i": 3,
        "p": 102,
        "s": 20,
        "c": ["F"],
        "x": "V",
        "t": "2021-05-03T14:45:02Z",
    }
    assert (shown(made, "dailyBar")["c"], shown(made, "dailyBar")["v"]) == (102, 30)


def prints_of_one_id() -> Market:
    made = Market(AlwaysOpen())
    for exchange, price, at in (("D", 100.0, 1), ("D", 100.5, 2), ("V", 100.0, 3)):
        trade = {"T": "t", "S": "SPY", "i": 17913, "x": exchange, "p": price, "s": 10}
        made.observe(trade | {"t": OPEN + at * SECOND})
    return made


@pytest.mark.parametrize(
    ("cancel", "void"),
    [
        ({"x": "D", "p": 100.0, "s": 10}, ("D", 100.0)),
        ({"x": "D", "p": 100.5, "s": 10}, ("D", 100.5)),
        ({"x": "D", "p": 999.0, "s": 10}, ("D", 100.5)),
        ({"x": "V", "p": 100.0, "s": 10}, ("V", 100.0)),
        ({"x": "Q", "p": 100.0, "s": 10}, None),
    ],
)
def test_a_cancel_means_the_print_of_its_exchange_price_and_size(
    cancel: dict[str, object], void: tuple[str, float] | None
) -> None:
    made = prints_of_one_id()
    made.observe({"T": "x", "S": "SPY", "i": 17913, "t": OPEN, **cancel})

    marked = [(row["x"], row["p"]) for row in made.trades("SPY") if "u" in row]
    assert marked == ([] if void is None else [void])


def test_a_corrected_trade_has_its_mark_in_the_history_alone() -> None:
    made = two_trades()
    made.observe({"T": "c", "S": "SPY", "oi": 2, "ci": 3, "cp": 102.0, "cs": 20, "t": OPEN})

    assert [row.get("u") for row in made.trades("SPY")] == [None, "incorrect", "corrected"]
    assert "u" not in shown(made, "latestTrade")


@pytest.mark.parametrize(
    "message", [{"T": "x", "i": 9}, {"T": "x"}, {"T": "c", "oi": 9}, {"T": "c", "oi": 2, "cp": "?"}]
)
def test_what_takes_back_nothing_known_changes_nothing(message: dict[str, object]) -> None:
    made = two_trades()
    made.observe(message | {"S": "SPY", "t": OPEN})

    assert made.price("SPY") == 120.0
    assert shown(made, "dailyBar")["n"] == 2


def test_before_the_opening_the_daily_bar_is_still_that_of_the_last_trading_day() -> None:
    # 3 May 2021 is a Monday
    recorded = [DailyBar(1, 2, 0.5, close, 100) for close in (1.25, 1.5)]
    made = Market(NyseHours())
    made.expect((), {"SPY": recorded})
    made.observe(
        {"T": "t", "S": "SPY", "p": 2.0, "s": 1, "t": rfc3339.parse("2021-05-03T12:00:00Z")}
    )
    before = made.snapshot("SPY", rfc3339.parse("2021-05-03T13:29:00Z"))
    after = made.snapshot("SPY", rfc3339.parse("2021-05-03T13:30:00Z"))

    assert before is not None
    assert after is not None
    daily, previous = (before[name] for name in ("dailyBar", "prevDailyBar"))
    assert isinstance(daily, dict)
    assert isinstance(previous, dict)
    assert (daily["t"], daily["c"]) == ("2021-04-30T04:00:00Z", 1.5)
    assert (previous["t"], previous["c"]) == ("2021-04-29T04:00:00Z", 1.25)
    assert (after["dailyBar"], after["prevDailyBar"]) == (None, daily)
    assert before["latestTrade"] == {"p": 2, "s": 1, "t": "2021-05-03T12:00:00Z"}


def test_a_daily_bar_has_the_prices_of_regular_hours_and_the_volume_of_all() -> None:
    made = Market(NyseHours())
    for wall, price in (("12:00", 50.0), ("14:00", 100.0), ("21:00", 200.0)):
        at = rfc3339.parse(f"2021-05-03T{wall}:00Z")
        made.observe({"T": "t", "S": "SPY", "i": price, "p": price, "s": 1, "t": at})

    [bar] = made.daily_bars("SPY", OPEN)
    assert (bar["o"], bar["h"], bar["l"], bar["c"], bar["v"]) == (100, 100, 100, 100, 3)
    assert len(made.minute_bars("SPY", OPEN + 24 * 3600 * SECOND)) == 3
    assert made.price("SPY") == 200


def test_only_so_many_minutes_are_remembered() -> None:
    made = market(*((60 * minute, 100.0, 1) for minute in range(2100)))

    bars = made.minute_bars("SPY", OPEN + 60 * 2100 * SECOND)
    assert (len(bars), bars[-1]["t"]) == (2000, OPEN + 60 * 2099 * SECOND)


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


@pytest.mark.parametrize(
    ("session", "is_open", "next_open", "next_close"),
    [
        ("regular", True, "2026-11-24T00:00:00-05:00", "2026-11-23T23:59:00-05:00"),
        ("pre", False, "2026-11-23T23:58:00-05:00", "2026-11-23T23:59:00-05:00"),
        ("post", False, "2026-11-24T00:00:00-05:00", "2026-11-24T00:01:00-05:00"),
        ("closed", False, "2026-11-23T23:58:00-05:00", "2026-11-23T23:59:00-05:00"),
    ],
)
def test_the_session_can_be_switched_while_it_runs(
    session: hours.Session, is_open: bool, next_open: str, next_close: str
) -> None:
    switchable = SwitchableHours()
    switchable.session = session
    shown = hours.clock(switchable, datetime(2026, 11, 23, 15, tzinfo=UTC))
    [day] = hours.calendar(switchable, date(2026, 11, 23), date(2026, 11, 23))

    assert (shown["is_open"], shown["next_open"], shown["next_close"]) == (
        is_open,
        next_open,
        next_close,
    )
    within = day["session_open"] <= "1000" < day["session_close"]
    is_before, is_after = day["open"] > "10:00", day["close"] <= "10:00"
    by_calendar = "pre" if is_before else "post" if is_after else "regular"
    assert (by_calendar if within else "closed") == session


def test_an_unplanned_closure_is_in_the_clock_alone() -> None:
    shut = SwitchableHours("regular", unplanned_closure=True)

    assert hours.clock(shut, datetime(2026, 11, 23, 15, tzinfo=UTC))["is_open"] is False
    assert shut.trading_day(date(2026, 11, 23)) == SwitchableHours().trading_day(date(2026, 11, 23))
