"""The last price: which trades move it, and what a snapshot adds."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from ingest.market.last_price import LastPrices
from ingest.market.market_hours import MarketHours
from shared.price import Price
from tests.ingest.market.streamed import tape_of
from tests.ingest.trades import NOON, SECOND, ns, rest_snapshot, trade, two_days

NOW_US = NOON // 1000
HOUR = 3600 * SECOND

SNAPSHOT: dict[str, Any] = {
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


def streamed(prices: LastPrices, *args: Any, **named: Any) -> Price | None:
    print_ = trade(*args, **named)
    at = print_.at_ns
    return prices.on_trade(print_, print_.at_ns, at // 1000)


def snapshot(prices: LastPrices, now_us: int = NOW_US, **changed: Any) -> Price | None:
    return prices.on_snapshot("SPY", rest_snapshot({**SNAPSHOT, **changed}), now_us)


def test_a_trade_becomes_the_last_price_with_all_that_the_wire_said(prices: LastPrices) -> None:
    last = streamed(prices, NOON + 123_456_789, 100.5, ["@", "F"], tape="B", size=3)

    assert last == Price(
        symbol="SPY",
        price=100.5,
        size=3,
        exchange="V",
        conditions=("@", "F"),
        tape="B",
        session="regular",
        timestamp="2026-11-16T17:00:00.123456789Z",
        received=NOW_US + 123_456,
    )
    assert prices.by_symbol == {"SPY": last}


@given(st.integers(ns("2026-11-16T14:30:00Z"), ns("2026-11-16T20:59:59.999999999Z")))
def test_every_nanosecond_of_the_exchanges_time_is_kept(at: int) -> None:
    last = streamed(LastPrices(two_days()), at)

    assert last is not None
    assert last.timestamp is not None
    assert ns(last.timestamp) == at


def test_a_late_print_never_moves_the_price_back(prices: LastPrices) -> None:
    last = streamed(prices, NOON, 100)

    assert streamed(prices, NOON - 1, 99) is None
    assert prices.by_symbol["SPY"] is last
    assert prices.counts.late == 1


def test_of_two_prints_in_one_nanosecond_the_later_to_arrive_counts(prices: LastPrices) -> None:
    streamed(prices, NOON, 100)
    last = streamed(prices, NOON, 101)

    assert last is not None
    assert prices.by_symbol["SPY"].price == 101


def test_the_same_print_again_is_no_second_event(prices: LastPrices) -> None:
    streamed(prices, NOON, 100, number=1)
    assert streamed(prices, NOON, 100, number=1) is None
    streamed(prices, NOON, 101, number=2)
    assert streamed(prices, NOON, 100, number=1) is None

    assert prices.by_symbol["SPY"].price == 101


@pytest.mark.parametrize("differs", [{"number": 3}, {"exchange": "N"}, {"price": 102}], ids=repr)
def test_a_print_of_the_same_moment_that_differs_is_another_one(
    prices: LastPrices, differs: dict[str, Any]
) -> None:
    streamed(prices, NOON, price=100, number=1)

    assert streamed(prices, NOON, **{"price": 100, "number": 1, **differs}) is not None


def test_equal_prints_without_an_id_are_several(prices: LastPrices) -> None:
    streamed(prices, NOON, 100, number=None, size=1)
    last = streamed(prices, NOON, 100, number=None, size=2)

    assert last is not None
    assert last.size == 2


def test_symbols_do_not_share_their_times(prices: LastPrices) -> None:
    streamed(prices, NOON, 100, symbol="SPY")

    assert streamed(prices, NOON - HOUR, 50, symbol="IBM") is not None


def test_an_ineligible_trade_is_counted_with_its_unknown_codes(prices: LastPrices) -> None:
    assert streamed(prices, conditions=["@", "I"]) is None
    assert streamed(prices, conditions=["@", "?"]) is None
    assert streamed(prices, conditions=["?"]) is None
    assert prices.counts.ineligible == 3
    assert prices.counts.unknown_conditions == {"B:?": 2}
    assert prices.by_symbol == {}


def test_a_derived_price_counts_only_as_the_first_of_the_day(prices: LastPrices) -> None:
    snapshot(prices, latestTrade=None, minuteBar=None)
    assert streamed(prices, NOON, 100, ["4"]) is not None
    assert streamed(prices, NOON + 1, 101, ["4"]) is None
    assert streamed(prices, NOON + 2, 102, ["@"]) is not None
    assert streamed(prices, NOON + 3, 103, ["Z"]) is None
    assert streamed(prices, NOON + 24 * HOUR, 104, ["Z"]) is not None
    assert streamed(prices, NOON + 4, 105, ["4"]) is None  # the day before, late


@pytest.mark.parametrize(("before", "shown"), [(SNAPSHOT["latestTrade"], 101.25), (None, 100)])
def test_until_rest_has_told_what_was_before_no_print_is_the_first_of_the_day(
    prices: LastPrices, before: Any, shown: float
) -> None:
    assert streamed(prices, NOON, 100, ["4"]) is None
    last = snapshot(prices, latestTrade=before, minuteBar=None)

    assert last is not None
    assert last.price == shown


def test_form_t_counts_before_and_after_regular_hours_only(prices: LastPrices) -> None:
    assert streamed(prices, NOON - 4 * HOUR, 99, ["@", "T"]) is not None
    assert streamed(prices, NOON, 100, ["@", "T"]) is None
    after = streamed(prices, NOON + 5 * HOUR, 101, ["@", "T"])
    assert after is not None
    assert after.session == "post"


def test_a_trade_without_conditions_or_tape_counts(prices: LastPrices) -> None:
    assert streamed(prices, conditions=None, tape=None) is not None


@pytest.mark.parametrize(
    "price", [None, "100", float("nan"), float("inf"), 0, -1, [], {}], ids=repr
)
def test_what_is_no_price_is_refused_and_changes_nothing(prices: LastPrices, price: Any) -> None:
    snapshot(prices)
    before = prices.by_symbol["SPY"]

    with pytest.raises((ValueError, TypeError)):
        streamed(prices, NOON + 1, price)
    assert prices.by_symbol["SPY"] is before
    assert streamed(prices, NOON, 102) is not None, "the refused trade's time must not stay"


def test_a_snapshot_gives_price_previous_close_and_change(prices: LastPrices) -> None:
    first = snapshot(prices)

    assert first == Price(
        symbol="SPY",
        price=101.25,
        size=7,
        exchange="V",
        conditions=("@",),
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
    assert (first.price, first.timestamp) == (101, "2026-11-16T16:58:59.999999999Z")
    assert (first.size, first.exchange, first.conditions) == (None, None, ())
    assert first.change == 1


def test_a_late_print_of_a_minute_does_not_replace_the_close_of_its_bar(
    prices: LastPrices,
) -> None:
    odd_lot = {**SNAPSHOT["latestTrade"], "p": 101.5, "c": ["@", "I"]}
    snapshot(prices, latestTrade=odd_lot)

    late = trade(ns("2026-11-16T16:58:20Z"), 100.7)
    assert prices.on_trade(late, late.at_ns, NOW_US) is None
    assert prices.by_symbol["SPY"].price == 101
    assert streamed(prices, ns("2026-11-16T16:59:00Z"), 100.8, number=2) is not None


def test_the_close_of_a_minute_that_has_not_ended_is_not_in_the_future(
    prices: LastPrices,
) -> None:
    now = ns("2026-11-16T16:58:30Z")
    first = snapshot(prices, now // 1000, latestTrade=None)

    assert first is not None
    assert first.timestamp == "2026-11-16T16:58:30Z"
    assert snapshot(prices, (now + SECOND) // 1000, latestTrade=None) is None


def test_a_trade_that_rest_did_not_know_yet_replaces_the_close_of_the_same_minute(
    prices: LastPrices,
) -> None:
    odd_lot = {**SNAPSHOT["latestTrade"], "t": "2026-11-16T16:58:10Z", "c": ["@", "I"]}
    now = ns("2026-11-16T16:58:12Z")
    first = snapshot(prices, now // 1000, latestTrade=odd_lot)
    assert first is not None
    assert (first.price, first.timestamp) == (101, "2026-11-16T16:58:10Z")

    assert streamed(prices, now - SECOND // 10, 101.2, number=2) is not None


def test_a_derived_price_counts_where_the_day_has_no_bar_yet(prices: LastPrices) -> None:
    first = snapshot(
        prices,
        latestTrade={**SNAPSHOT["latestTrade"], "c": ["4"]},
        minuteBar={"t": "2026-11-13T20:59:00Z", "c": 99},
    )

    assert first is not None
    assert first.price == 101.25


def test_a_snapshot_older_than_the_stream_moves_nothing_back(prices: LastPrices) -> None:
    streamed(prices, NOON, 102)
    taught = snapshot(prices)

    assert taught is prices.by_symbol["SPY"]
    assert (taught.price, taught.timestamp) == (102, "2026-11-16T17:00:00Z")
    assert (taught.previous_close, taught.change, taught.change_percent) == (100, 2, 0.02)
    assert snapshot(prices) is None, "nothing new the second time"


@pytest.mark.parametrize("symbol_traded", [True, False])
def test_a_symbol_without_a_snapshot_has_no_trade_yet_unless_it_has_traded(
    prices: LastPrices, symbol_traded: bool
) -> None:
    if symbol_traded:
        streamed(prices)

    found = prices.on_snapshot("SPY", None, NOW_US)
    if symbol_traded:
        assert found is None
        assert prices.by_symbol["SPY"].price == 100.5
    else:
        assert found == Price(symbol="SPY", reason="no_trade_seen")
        assert streamed(prices) is not None
        assert prices.by_symbol["SPY"].reason is None


def test_a_snapshot_without_any_price_gives_none(prices: LastPrices) -> None:
    given = snapshot(prices, latestTrade=None, minuteBar=None, prevDailyBar=None)
    assert given == Price(symbol="SPY", reason="no_trade_seen")
    assert snapshot(prices, latestTrade=None, minuteBar=None, prevDailyBar=None) is None


def test_without_a_trade_the_previous_close_is_published_beside_no_price(
    prices: LastPrices,
) -> None:
    thin = rest_snapshot({"prevDailyBar": {"t": "2026-11-13T05:00:00Z", "c": 10.5}})

    assert prices.on_snapshot("SPY", thin, NOW_US) == Price(
        symbol="SPY", reason="no_trade_seen", previous_close=10.5
    )
    assert prices.on_snapshot("SPY", thin, NOW_US) is None
    last = streamed(prices, price=11.55)
    assert last is not None
    assert (last.previous_close, last.change) == (10.5, 1.05)


def test_before_the_open_yesterdays_daily_bar_is_the_previous_close() -> None:
    tuesday_morning = ns("2026-11-17T08:00:00-05:00")
    prices = LastPrices(two_days())

    stale = snapshot(prices, tuesday_morning // 1000)
    assert stale is not None
    assert stale.previous_close == 100, "Monday's price against Friday's close"

    today = streamed(prices, tuesday_morning, 103.25, ["@", "T"])
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

    last = streamed(prices, ns(evening), 110)
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
        (0.2, 0.4, 0.2, 1.0),
        (0.2, 0.3, 0.1, 0.5),
        (1.1, 2.2, 1.1, 1.0),
        (3, 2, -1, -0.333333),
        (100, 100, 0, 0),
        (4.35, 4.36, 0.01, 0.002299),
        (4, 3, -1, -0.25),
    ],
)
def test_change_is_exact_in_decimal(
    prices: LastPrices, previous: float, price: float, change: float, fraction: float | None
) -> None:
    snapshot(
        prices,
        latestTrade=None,
        minuteBar=None,
        prevDailyBar={"t": "2026-11-13T05:00:00Z", "c": previous},
    )
    last = streamed(prices, NOON, price)

    assert last is not None
    assert (last.change, last.change_percent) == (change, fraction)


def test_what_a_new_leader_restores_is_compared_and_replaced_like_any_other_price() -> None:
    prices = LastPrices(two_days())
    stored = Price(
        symbol="SPY", price=100, timestamp="2026-11-16T16:00:00Z", previous_close=80, size=3
    )
    prices.restore(stored)
    prices.restore(Price(symbol="SPY", price=1, timestamp="2026-11-16T16:59:00Z"))

    assert prices.by_symbol == {"SPY": stored}
    assert prices.timestamp_of("SPY") == ns("2026-11-16T16:00:00Z")
    assert streamed(prices, ns("2026-11-16T15:59:59Z"), 101) is None
    last = streamed(prices, NOON, 101)
    assert last is not None
    assert (last.previous_close, last.change) == (80, 21)


def test_a_snapshot_that_brings_nothing_new_publishes_nothing(prices: LastPrices) -> None:
    assert snapshot(prices) is not None
    assert snapshot(prices) is None


def test_the_streams_copy_of_a_trade_that_rest_has_shown_already_is_no_second_trade(
    prices: LastPrices,
) -> None:
    snapshot(prices, latestTrade={**SNAPSHOT["latestTrade"], "i": 12})
    at = ns(SNAPSHOT["latestTrade"]["t"])

    assert streamed(prices, at, 101.25, number=12) is None
    assert len(tape_of(prices).history.regular) == 1


def test_the_newest_trade_of_any_kind_tells_how_far_the_stream_has_come(
    prices: LastPrices,
) -> None:
    assert prices.timestamp_of("SPY") is None
    streamed(prices, NOON)
    streamed(prices, NOON + 1, conditions=["I"])
    streamed(prices, NOON - 1)

    assert prices.timestamp_of("SPY") == NOON + 1


def test_a_symbol_that_alpaca_does_not_list_is_unknown_until_it_trades_or_is_listed(
    prices: LastPrices,
) -> None:
    unknown = prices.on_asset("SPY", listed=False)
    assert unknown == Price(symbol="SPY", reason="unknown_symbol")
    assert prices.by_symbol["SPY"] is unknown
    assert prices.on_snapshot("SPY", None, NOW_US) is None
    assert prices.on_asset("SPY", listed=False) is None
    assert prices.on_asset("SPY", listed=True) == Price(symbol="SPY", reason="no_trade_seen")
    prices.on_asset("SPY", listed=False)
    assert streamed(prices) is prices.by_symbol["SPY"]


def test_a_price_never_goes_back_to_null_because_alpaca_does_not_list_the_symbol(
    prices: LastPrices,
) -> None:
    last = streamed(prices)

    assert prices.on_asset("SPY", listed=False) is None
    assert prices.on_snapshot("SPY", None, NOW_US) is None
    assert prices.by_symbol["SPY"] is last


def test_the_tape_marks_what_could_move_the_last_price(prices: LastPrices) -> None:
    def eligible(*args: Any, **named: Any) -> bool:
        print_ = trade(*args, **named)
        at = print_.at_ns
        prices.on_trade(print_, print_.at_ns, at // 1000)
        return prices.is_eligible(print_)

    snapshot(prices, latestTrade=None, minuteBar=None)
    assert eligible(NOON, 100, ["4"], number=1)
    assert not eligible(NOON + 1, 100, ["4"], number=2)
    assert eligible(NOON + 2, 100, number=3)
    assert eligible(NOON + 1, 100, number=4), "late, but true"
    assert not eligible(NOON + 3, 100, ["I"], number=5)
    assert not eligible(NOON + 4, 1.1, number=6), "in quarantine"


def test_the_counted_codes_are_bounded(prices: LastPrices) -> None:
    for number in range(500):
        streamed(prices, conditions=[f"?{number}"])

    counted = prices.counts.unknown_conditions
    assert len(counted) <= 101
    assert sum(counted.values()) == 500


def test_a_time_that_is_none_is_refused(prices: LastPrices) -> None:
    for at in (-1, 1 << 63, (1 << 62) * 1_000_000_000):
        with pytest.raises(ValueError, match="no time"):
            prices.on_trade(trade(at), at, NOW_US)
    assert prices.by_symbol == {}


@pytest.mark.parametrize(
    "spoilt",
    [
        {"latestTrade": 5},
        {"latestTrade": {**SNAPSHOT["latestTrade"], "p": "101"}},
        {"latestTrade": {**SNAPSHOT["latestTrade"], "t": "today"}},
    ],
    ids=repr,
)
def test_a_snapshot_whose_trade_has_another_form_is_refused_and_leaves_nothing_behind(
    prices: LastPrices, spoilt: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        snapshot(prices, **spoilt)
    last = streamed(prices)
    assert last is not None
    assert last.previous_close is None


@pytest.mark.parametrize(
    "odd",
    [
        {"latestTrade": {**SNAPSHOT["latestTrade"], "c": "@", "s": None, "i": "x", "z": 3}},
        {"minuteBar": {"t": 7, "c": 101}},
        {"dailyBar": []},
        {"prevDailyBar": {"t": "2026-11-13T05:00:00Z"}},
        {"latestQuote": {"t": "9999-12-31T23:59:59-01:00"}},
    ],
    ids=repr,
)
def test_a_part_of_another_form_does_not_cost_the_price(
    prices: LastPrices, odd: dict[str, Any]
) -> None:
    last = snapshot(prices, **{"latestTrade": SNAPSHOT["latestTrade"], **odd})

    assert last is not None
    assert last.price == SNAPSHOT["latestTrade"]["p"]


@pytest.mark.parametrize("bad", [0, -1, 1e30, 10**400, float("nan"), float("inf")])
def test_numbers_that_are_no_prices_are_absent_from_a_snapshot(
    prices: LastPrices, bad: float
) -> None:
    nothing = snapshot(
        prices,
        latestTrade={**SNAPSHOT["latestTrade"], "p": bad},
        minuteBar={"t": "2026-11-16T16:58:00Z", "c": bad},
        prevDailyBar={"t": "2026-11-13T05:00:00Z", "c": bad},
    )
    assert nothing == Price(symbol="SPY", reason="no_trade_seen")
    last = streamed(prices)
    assert last is not None
    assert last.previous_close is None


@given(
    st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    st.sampled_from([100, 1 << 63, 0.5, 1e300]),
)
def test_no_price_however_odd_breaks_the_comparison(
    price: float, previous: float, size: float
) -> None:
    prices = LastPrices(two_days())
    row = {"prevDailyBar": {"t": "2026-11-13T05:00:00Z", "c": previous}}
    prices.on_snapshot("SPY", rest_snapshot(row), NOW_US)
    for number in range(3):  # three are believed, however far off
        prices.on_trade(trade(NOON, price, number=number, size=size), NOON, NOW_US)

    assert prices.by_symbol["SPY"].price == price
    msgspec.json.encode(prices.by_symbol["SPY"])


@pytest.mark.parametrize("size", [-100, -0.5, float("nan"), float("inf")])
def test_a_print_with_a_size_that_is_none_is_no_print(prices: LastPrices, size: float) -> None:
    with pytest.raises(ValueError, match="no size"):
        streamed(prices, NOON, 100, size=size)
    assert prices.on_rest_trade(trade(NOON, 100, size=size), NOW_US) is None
    assert prices.by_symbol == {}


def test_a_print_of_no_shares_moves_the_price_only_as_a_corrected_close(
    prices: LastPrices,
) -> None:
    # A corrected consolidated close of size 0: https://forum.alpaca.markets/t/13653
    assert streamed(prices, NOON, 100, ["@", "9"], size=0) is not None
    nothing = trade(NOON + 1, 101, ["@"], size=0)
    assert prices.on_trade(nothing, nothing.at_ns, NOW_US) is None
    assert not prices.is_eligible(nothing)
    assert prices.by_symbol["SPY"].price == 100
    assert prices.counts.ineligible == 1


def test_a_print_whose_size_cannot_be_read_moves_the_price(prices: LastPrices) -> None:
    last = prices.on_trade(structs.replace(trade(NOON, 100), size=None), NOON, NOW_US)

    assert last is not None
    assert last.size is None


def test_what_nobody_wants_is_forgotten() -> None:
    prices = LastPrices(two_days())
    for symbol in ("SPY", "IBM"):
        prices.on_trade(trade(symbol=symbol), NOON, NOON // 1000)
    prices.forget_others({"SPY"})

    assert prices.by_symbol.keys() == {"SPY"}
    assert prices.timestamp_of("IBM") is None
    assert prices.timestamp_of("SPY") == NOON


def test_a_print_that_the_stream_repeats_is_counted_and_changes_nothing() -> None:
    prices = LastPrices(two_days())
    first = trade(NOON, number=1)
    for each in (first, trade(NOON + 1, number=2), first, trade(NOON + 1, number=2)):
        prices.on_trade(each, each.at_ns, NOON // 1000 + 1)

    assert prices.counts.repeated == 2
    assert prices.timestamp_of(first.symbol) == NOON + 1
