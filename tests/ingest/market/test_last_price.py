"""The last price: which trades move it, and what a snapshot adds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.market.conditions import Eligibility, eligibility
from ingest.market.last_price import LastPrices
from ingest.market.market_hours import MarketHours
from shared.price import Price
from tests.ingest.trades import NOON, SECOND, ns, trade, two_days

NOW_US = NOON // 1000
HOUR = 3600 * SECOND

SNAPSHOT = {
    "latestTrade": {
        "t": "2026-11-16T16:59:59.123456789Z",
        "p": 101.25,
        "s": 7,
        "x": "V",
        "c": ["@"],
        "z": "B",
    },
    "minuteBar": {"t": "2026-11-16T16:58:00Z", "c": 101},
    "dailyBar": {"t": "2026-11-16T05:00:00Z", "c": 101.25},
    "prevDailyBar": {"t": "2026-11-13T05:00:00Z", "c": 100},
}


@pytest.fixture
def prices() -> LastPrices:
    return LastPrices(two_days())


def take(prices: LastPrices, *args: Any, **named: Any) -> Price | None:
    return prices.on_trade(trade(*args, **named), NOW_US)


def snapshot(prices: LastPrices, now_us: int = NOW_US, **changed: Any) -> Price | None:
    return prices.on_snapshot("SPY", {**SNAPSHOT, **changed}, now_us)


def test_a_trade_becomes_the_last_price_with_all_that_the_wire_said(prices: LastPrices) -> None:
    last = take(prices, NOON + 123_456_789, 100.5, ["@", "F"], tape="B", size=3)

    assert last == Price(
        symbol="SPY",
        price=100.5,
        size=3,
        exchange="V",
        conditions=["@", "F"],
        tape="B",
        session="regular",
        timestamp="2026-11-16T17:00:00.123456789Z",
        received=NOW_US,
    )
    assert prices.by_symbol == {"SPY": last}


@given(st.integers(ns("2026-11-16T14:30:00Z"), ns("2026-11-16T20:59:59.999999999Z")))
def test_every_nanosecond_of_the_exchanges_time_is_kept(at: int) -> None:
    last = take(LastPrices(two_days()), at)

    assert last is not None
    assert last.timestamp is not None
    assert ns(last.timestamp) == at


def test_a_late_print_never_moves_the_price_back(prices: LastPrices) -> None:
    last = take(prices, NOON, 100)

    assert take(prices, NOON - 1, 99) is None
    assert prices.by_symbol["SPY"] is last
    assert prices.late == 1


def test_of_two_prints_in_one_nanosecond_the_later_to_arrive_counts(prices: LastPrices) -> None:
    take(prices, NOON, 100)
    last = take(prices, NOON, 101)

    assert last is not None
    assert prices.by_symbol["SPY"].price == 101


def test_symbols_do_not_share_their_times(prices: LastPrices) -> None:
    take(prices, NOON, 100, symbol="SPY")

    assert take(prices, NOON - HOUR, 50, symbol="IBM") is not None


def test_an_ineligible_trade_is_counted_with_its_unknown_codes(prices: LastPrices) -> None:
    assert take(prices, conditions=["@", "I"]) is None
    assert take(prices, conditions=["@", "?"]) is None
    assert take(prices, conditions=["?"]) is None
    assert prices.ineligible == 3
    assert prices.unknown_codes == {"?": 2}
    assert prices.by_symbol == {}


def test_a_derived_price_counts_only_as_the_first_of_the_day(prices: LastPrices) -> None:
    assert take(prices, NOON, 100, ["4"]) is not None
    assert take(prices, NOON + 1, 101, ["4"]) is None
    assert take(prices, NOON + 2, 102, ["@"]) is not None
    assert take(prices, NOON + 3, 103, ["Z"]) is None
    assert take(prices, NOON + 24 * HOUR, 104, ["Z"]) is not None
    assert take(prices, NOON + 4, 105, ["4"]) is None  # the day before, late


def test_form_t_counts_before_and_after_regular_hours_only(prices: LastPrices) -> None:
    assert take(prices, NOON - 4 * HOUR, 99, ["@", "T"]) is not None
    assert take(prices, NOON, 100, ["@", "T"]) is None
    after = take(prices, NOON + 5 * HOUR, 101, ["@", "T"])
    assert after is not None
    assert after.session == "post"


def test_a_trade_without_conditions_or_tape_counts(prices: LastPrices) -> None:
    assert take(prices, conditions=None, tape=None) is not None


@pytest.mark.parametrize(
    "price", [None, "100", float("nan"), float("inf"), 0, -1, [], {}], ids=repr
)
def test_what_is_no_price_is_refused_and_changes_nothing(prices: LastPrices, price: Any) -> None:
    snapshot(prices)
    before = prices.by_symbol["SPY"]

    with pytest.raises((ValueError, TypeError)):
        take(prices, NOON + 1, price)
    assert prices.by_symbol["SPY"] is before
    assert take(prices, NOON, 102) is not None, "the refused trade's time must not stay"


def test_a_snapshot_gives_price_previous_close_and_change(prices: LastPrices) -> None:
    first = snapshot(prices)

    assert first == Price(
        symbol="SPY",
        price=101.25,
        size=7,
        exchange="V",
        conditions=["@"],
        tape="B",
        session="regular",
        timestamp="2026-11-16T16:59:59.123456789Z",
        previous_close=100,
        change=1.25,
        change_percent=0.0125,
        received=NOW_US,
    )


@pytest.mark.parametrize("conditions", [["@", "I"], ["?"], ["4"], ["@", "T"]])
def test_an_ineligible_last_trade_gives_way_to_the_minute_bar(
    prices: LastPrices, conditions: list[str]
) -> None:
    first = snapshot(prices, latestTrade={**SNAPSHOT["latestTrade"], "c": conditions})

    assert first is not None
    assert (first.price, first.timestamp) == (101, "2026-11-16T16:58:00Z")
    assert (first.size, first.exchange, first.conditions) == (None, None, [])
    assert first.change == 1


def test_a_derived_price_counts_where_the_day_has_no_bar_yet(prices: LastPrices) -> None:
    first = snapshot(
        prices,
        latestTrade={**SNAPSHOT["latestTrade"], "c": ["4"]},
        minuteBar={"t": "2026-11-13T20:59:00Z", "c": 99},
    )

    assert first is not None
    assert first.price == 101.25


def test_a_snapshot_older_than_the_stream_moves_nothing_back(prices: LastPrices) -> None:
    take(prices, NOON, 102)
    taught = snapshot(prices)

    assert taught is prices.by_symbol["SPY"]
    assert (taught.price, taught.timestamp) == (102, "2026-11-16T17:00:00Z")
    assert (taught.previous_close, taught.change, taught.change_percent) == (100, 2, 0.02)
    assert snapshot(prices) is None, "nothing new the second time"


@pytest.mark.parametrize("symbol_traded", [True, False])
def test_a_symbol_that_alpaca_lacks_is_unknown_unless_it_has_traded(
    prices: LastPrices, symbol_traded: bool
) -> None:
    if symbol_traded:
        take(prices)

    found = prices.on_snapshot("SPY", None, NOW_US)
    if symbol_traded:
        assert found is None
        assert prices.by_symbol["SPY"].price == 100.5
    else:
        assert found == Price(symbol="SPY", reason="unknown_symbol")
        assert take(prices) is not None, "a trade is proof of life"
        assert prices.by_symbol["SPY"].reason is None


def test_a_snapshot_without_any_price_gives_none(prices: LastPrices) -> None:
    assert snapshot(prices, latestTrade=None, minuteBar=None) is None
    assert prices.by_symbol == {}


def test_before_the_open_yesterdays_daily_bar_is_the_previous_close() -> None:
    tuesday_morning = ns("2026-11-17T08:00:00-05:00")
    prices = LastPrices(two_days())

    stale = snapshot(prices, tuesday_morning // 1000)
    assert stale is not None
    assert stale.previous_close == 100, "Monday's price against Friday's close"

    today = take(prices, tuesday_morning, 103.25, ["@", "T"])
    assert today is not None
    assert (today.previous_close, today.change) == (101.25, 2)


@pytest.mark.parametrize("evening", ["2026-11-16T19:59:59-05:00", "2026-07-15T19:59:59-04:00"])
def test_the_evening_belongs_to_its_day_in_winter_and_in_summer(evening: str) -> None:
    day = evening[:10]
    prices = LastPrices(MarketHours())
    snapshot(
        prices,
        ns(evening) // 1000,
        latestTrade=None,
        minuteBar=None,
        dailyBar={"t": f"{day}T0{5 if '-05' in evening else 4}:00:00Z", "c": 105},
    )

    last = take(prices, ns(evening), 110)
    assert last is not None
    assert last.previous_close == 100


def test_a_daily_bar_that_is_missing_leaves_the_bar_of_the_day_before(prices: LastPrices) -> None:
    first = snapshot(prices, dailyBar=None)

    assert first is not None
    assert first.previous_close == 100


def test_without_any_daily_bar_there_is_no_change(prices: LastPrices) -> None:
    first = snapshot(prices, dailyBar=None, prevDailyBar=None)

    assert first is not None
    assert (first.previous_close, first.change, first.change_percent) == (None, None, None)


@pytest.mark.parametrize(
    ("previous", "price", "change", "fraction"),
    [
        (0.1, 0.3, 0.2, 2.0),
        (0.2, 0.3, 0.1, 0.5),
        (1.1, 3.3, 2.2, 2.0),
        (3, 1, -2, -0.666667),
        (100, 100, 0, 0),
        (4.35, 4.36, 0.01, 0.002299),
        (0, 5, 5, None),
    ],
)
def test_change_is_exact_in_decimal(
    prices: LastPrices, previous: float, price: float, change: float, fraction: float | None
) -> None:
    snapshot(prices, prevDailyBar={"t": "2026-11-13T05:00:00Z", "c": previous})
    last = take(prices, NOON, price)

    assert last is not None
    assert (last.change, last.change_percent) == (change, fraction)


offsets = st.integers(-5, 5).map(lambda hours: hours * HOUR) | st.integers(-9, 9)
random_trades = st.lists(
    st.tuples(
        st.sampled_from(["SPY", "IBM"]),
        st.builds(lambda day, offset: NOON + day * 24 * HOUR + offset, st.integers(0, 1), offsets),
        st.integers(1, 9),
        st.lists(st.sampled_from(["@", "F", "I", "T", "Z", "4", "B", "?"]), max_size=2),
        st.sampled_from(["A", "C"]),
    ),
    max_size=30,
)


@given(random_trades)
def test_the_last_price_equals_an_independent_reference(
    trades: list[tuple[str, int, int, list[str], str]],
) -> None:
    prices = LastPrices(two_days())
    for symbol, at, price, conditions, tape in trades:
        take(prices, at, price, conditions, symbol=symbol, tape=tape)

    expected = {
        symbol: found
        for symbol in ("SPY", "IBM")
        if (found := reference([each[1:] for each in trades if each[0] == symbol])) is not None
    }
    assert {symbol: last.price for symbol, last in prices.by_symbol.items()} == expected


def reference(trades: list[tuple[int, int, list[str], str]]) -> int | None:
    """All that may count, in the order of the tape; the last of them, by a sort."""
    tuesday = ns("2026-11-17T05:00:00Z")
    counted: list[tuple[int, int]] = []
    for at, price, conditions, tape in trades:
        rule = eligibility(tape, conditions, two_days().session_at(at))
        newest = max((each[0] for each in counted), default=0)
        same_day = [each for each in counted if (newest >= tuesday) == (at >= tuesday)]
        if rule is Eligibility.ALWAYS or (rule is Eligibility.FIRST_ONLY and not same_day):
            counted.append((at, price))
    counted.reverse()  # of equal times the last to arrive
    return max(counted, key=lambda each: each[0])[1] if counted else None
