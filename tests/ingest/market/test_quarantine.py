"""Prints that are hard to believe are held back, counted, and believed when confirmed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.market.last_price import LastPrices
from ingest.market.market_hours import MarketHours
from ingest.market.prints import Trade
from ingest.market.quarantine import agree, is_far_off
from shared.price import Price
from tests.ingest.market.streamed import last_of, tape_of
from tests.ingest.trades import (
    NOON,
    SECOND,
    cancel_of,
    closed_before,
    correction_of,
    ns,
    rest_snapshot,
    trade,
    two_days,
)

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
US = 1000


def streamed(prices: LastPrices, at: int, price: Any, **named: Any) -> Price | None:
    print_ = trade(at, price, number=at, **named)
    return prices.on_trade(print_, print_.at_ns, at // US)


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-17T03:57:59-05:00",
        "2026-11-16T20:02:01-05:00",
        "2026-11-17T00:00:00-05:00",
    ],
)
def test_a_print_outside_every_session_is_no_last_price(prices: LastPrices, moment: str) -> None:
    assert streamed(prices, ns(moment), 100) is None
    assert prices.counts.quarantined == 1
    assert prices.by_symbol == {}
    assert prices.timestamp_of("SPY") is None
    assert not prices.is_eligible(trade(ns(moment)))


@pytest.mark.parametrize("moment", ["2026-11-16T03:58:30-05:00", "2026-11-16T20:01:59-05:00"])
def test_prints_a_little_before_or_after_the_sessions_count(
    prices: LastPrices, moment: str
) -> None:
    assert streamed(prices, ns(moment), 100, conditions=["@", "T"]) is not None


def test_where_the_calendar_is_not_known_nothing_is_outside() -> None:
    assert streamed(LastPrices(MarketHours()), ns("2021-04-10T12:00:00-04:00"), 100) is not None
    assert streamed(LastPrices(two_days()), ns("2021-04-10T12:00:00-04:00"), 100) is not None


def test_on_a_feed_that_is_always_open_nothing_is_outside() -> None:
    prices = LastPrices(MarketHours((), None, None))

    assert streamed(prices, ns("2026-11-17T00:00:00-05:00"), 100) is not None


def test_a_test_session_does_not_move_the_price(prices: LastPrices) -> None:
    """Saturday 2021-04-10: https://status.alpaca.markets, AAPL at $1.10."""
    streamed(prices, NOON, 131.5)

    assert streamed(prices, NOON + 1, 1.1) is None
    assert streamed(prices, NOON + 2, 131.6) is not None
    assert streamed(prices, NOON + 3, 1.1) is None
    assert streamed(prices, NOON + 4, 1.1) is None
    assert last_of(prices) == 131.6
    assert prices.counts.quarantined == 3
    assert prices.take_doubtful() == ["SPY"]


@pytest.mark.parametrize("price", [50, 200, 0.0002])
def test_the_double_and_the_half_are_believed_at_once(prices: LastPrices, price: float) -> None:
    streamed(prices, NOON, 100 if price > 1 else 0.0001)

    assert streamed(prices, NOON + 1, price) is not None


@pytest.mark.parametrize("crash", [[40, 41, 39.5], [40, 1.1, 41, 39.5], [40, 40, 40], [300] * 3])
def test_a_real_crash_is_shown_with_the_third_print_of_its_level(
    prices: LastPrices, crash: list[float]
) -> None:
    streamed(prices, NOON, 100)
    shown = [streamed(prices, NOON + 1 + index, price) for index, price in enumerate(crash)]

    assert shown[:-1] == [None] * (len(crash) - 1)
    assert shown[-1] is prices.by_symbol["SPY"]
    assert last_of(prices) == crash[-1]
    assert streamed(prices, NOON + 99, crash[-1] * 1.2) is not None, "and from then on at once"


def test_prints_on_the_old_level_refute_those_far_off(prices: LastPrices) -> None:
    streamed(prices, NOON, 100)
    for number in range(1, 30, 3):
        streamed(prices, NOON + number, 300)
        streamed(prices, NOON + number + 1, 300)
        streamed(prices, NOON + number + 2, 100)

    assert last_of(prices) == 100
    assert prices.counts.quarantined == 20


def test_a_cancelled_print_confirms_nothing(prices: LastPrices) -> None:
    streamed(prices, NOON, 100)
    streamed(prices, NOON + 1, 40)
    streamed(prices, NOON + 2, 40)
    assert prices.on_cancel(cancel_of(trade(NOON + 1, 40, number=NOON + 1)), NOON // US) is None
    streamed(prices, NOON + 3, 40)

    assert last_of(prices) == 100


def test_a_corrected_print_needs_no_confirmation(prices: LastPrices) -> None:
    streamed(prices, NOON, 100)
    streamed(prices, NOON + 1, 1000)
    wrong = trade(NOON + 1, 1000, number=NOON + 1)
    last = prices.on_correction(correction_of(wrong, 101, number=3), NOON // US)

    assert last is not None
    assert last.price == 101


def test_a_late_print_far_off_its_neighbours_is_not_the_price_once_the_newer_are_withdrawn(
    prices: LastPrices,
) -> None:
    streamed(prices, NOON, 100)
    streamed(prices, NOON + 9, 100.2)
    late = trade(NOON + 5, 1000, number=5)
    assert prices.on_trade(late, late.at_ns, NOON // US) is None
    assert not prices.is_eligible(late)
    assert (prices.counts.quarantined, prices.counts.late) == (1, 0)

    last = prices.on_cancel(cancel_of(trade(NOON + 9, 100.2, number=NOON + 9)), NOON // US)
    assert last is not None
    assert last.price == 100


@pytest.mark.parametrize("price", [100, 39])
def test_a_late_print_near_the_price_before_or_after_it_is_credible(
    prices: LastPrices, price: float
) -> None:
    streamed(prices, NOON, 100)
    for number in (7, 8, 9):
        streamed(prices, NOON + number, 40)
    streamed(prices, NOON + 5, price)
    for number in (7, 8, 9):
        prices.on_cancel(cancel_of(trade(NOON + number, 40, number=NOON + number)), NOON // US)

    assert last_of(prices) == price


def test_late_prints_confirm_nothing(prices: LastPrices) -> None:
    streamed(prices, NOON, 100)
    streamed(prices, NOON + 100, 100)
    for number in range(1, 20):
        streamed(prices, NOON + number, 1000)
    streamed(prices, NOON + 101, 1000)

    assert last_of(prices) == 100


def test_a_late_print_of_the_day_before_is_not_compared_with_todays_price(
    prices: LastPrices,
) -> None:
    streamed(prices, ns("2026-11-17T12:00:00-05:00"), 10)
    streamed(prices, NOON, 100)

    assert prices.counts.quarantined == 0


def test_a_correction_far_off_waits_as_a_print_would(prices: LastPrices) -> None:
    streamed(prices, NOON, 100)
    streamed(prices, NOON + 1, 100.2)
    wrong = trade(NOON + 1, 100.2, number=NOON + 1)
    last = prices.on_correction(correction_of(wrong, 1002, number=3), NOON // US)

    assert last is not None
    assert last.price == 100, "the price that was corrected is void in any case"
    assert prices.counts.quarantined == 1
    assert prices.take_doubtful() == ["SPY"]
    streamed(prices, NOON + 2, 1001)
    streamed(prices, NOON + 3, 1000)
    assert last_of(prices) == 1000, "three agree"


def test_a_wrong_first_print_is_no_measure_of_its_correction(prices: LastPrices) -> None:
    streamed(prices, NOON, 1000)
    wrong = trade(NOON, 1000, number=NOON)
    last = prices.on_correction(correction_of(wrong, 100, number=3), NOON // US)

    assert last is not None
    assert last.price == 100


@pytest.mark.parametrize("conditions", [["@"], ["4"]])
def test_a_refuted_print_can_be_corrected(prices: LastPrices, conditions: list[str]) -> None:
    prices.on_snapshot("SPY", rest_snapshot({}), NOON // US)
    streamed(prices, NOON, 100)
    streamed(prices, NOON + 1, 1000, conditions=conditions)
    streamed(prices, NOON + 2, 101)
    wrong = trade(NOON + 1, 1000, number=NOON + 1)
    prices.on_correction(correction_of(wrong, 102, number=3), NOON // US)
    last = prices.on_cancel(cancel_of(trade(NOON + 2, 101, number=NOON + 2)), NOON // US)

    assert last is not None
    assert last.price == 102


def test_a_derived_price_far_off_is_never_believed(prices: LastPrices) -> None:
    previous = {"prevDailyBar": {"t": "2026-11-13T05:00:00Z", "c": 100}}
    prices.on_snapshot("SPY", rest_snapshot(previous), NOON // US)
    for number in range(20):
        streamed(prices, NOON + number, 10, conditions=["4"])

    assert prices.by_symbol["SPY"].price is None
    assert prices.counts.quarantined == 20


def test_the_previous_close_tells_whether_the_days_first_print_is_far_off(
    prices: LastPrices,
) -> None:
    previous = {"prevDailyBar": {"t": "2026-11-13T05:00:00Z", "c": 131.5}}
    prices.on_snapshot("SPY", rest_snapshot(previous), NOON // US)

    assert streamed(prices, NOON, 1.1) is None
    assert streamed(prices, NOON + 1, 130) is not None


def test_on_a_split_morning_the_adjusted_close_counts_not_yesterdays_price(
    prices: LastPrices,
) -> None:
    streamed(prices, NOON, 1000)
    morning = ns("2026-11-17T04:00:01-05:00")
    yesterday = {"dailyBar": {"t": "2026-11-16T05:00:00Z", "c": 1000}}
    prices.on_snapshot("SPY", rest_snapshot(yesterday), morning // US, closed_before(morning, 100))

    last = streamed(prices, morning, 101, conditions=["T"])
    assert last is not None
    assert (last.previous_close, last.change, last.change_percent) == (100, 1, 0.01)


def test_a_print_held_on_a_split_morning_is_shown_when_the_close_is_known(
    prices: LastPrices,
) -> None:
    streamed(prices, NOON, 1000)
    morning = ns("2026-11-17T04:00:01-05:00")
    assert streamed(prices, morning, 101, conditions=["T"]) is None

    last = prices.on_snapshot("SPY", rest_snapshot({}), morning // US, closed_before(morning, 100))
    assert last is not None
    assert (last.price, last.change) == (101, 1)


def rest_trade(at: str, price: float, number: int = 1) -> dict[str, Any]:
    return {"t": at, "p": price, "s": 100, "x": "V", "i": number, "c": ["@"], "z": "B"}


@pytest.mark.parametrize(
    ("bars", "shown", "asked_again"),
    [
        ({"minuteBar": {"t": "2026-11-16T17:01:00Z", "c": 41}}, 41, False),
        ({"minuteBar": {"t": "2026-11-16T17:01:00Z", "c": 101}}, 101, False),
        ({"minuteBar": {"t": "2026-11-16T16:59:00Z", "c": 100}}, 100, True),
        ({"dailyBar": {"t": "2026-11-16T05:00:00Z", "c": 41}}, 40, False),
        ({"dailyBar": {"t": "2026-11-16T05:00:00Z", "c": 100}}, 100, True),
        ({"dailyBar": {"t": "2026-11-13T05:00:00Z", "c": 40}}, 100, True),
        ({}, 100, True),
    ],
)
def test_rests_bars_judge_a_print_that_is_held(
    prices: LastPrices, bars: dict[str, Any], shown: float, asked_again: bool
) -> None:
    streamed(prices, NOON, 100)
    streamed(prices, NOON + MINUTE + 5 * SECOND, 40)
    assert prices.take_doubtful() == ["SPY"]

    streamed(prices, NOON + 3 * MINUTE, 200, symbol="IBM")
    prices.on_snapshot("SPY", rest_snapshot(bars), (NOON + 2 * MINUTE) // US)
    assert last_of(prices) == shown
    assert prices.take_doubtful() == (["SPY"] if asked_again else [])


def test_a_print_that_a_bar_confirms_counts_before_the_bars_close(prices: LastPrices) -> None:
    streamed(prices, NOON, 100)
    streamed(prices, NOON + MINUTE + 5 * SECOND, 40)
    streamed(prices, NOON + 6 * MINUTE, 200, symbol="IBM")
    later = {"minuteBar": {"t": "2026-11-16T17:02:00Z", "c": 41}}
    prices.on_snapshot("SPY", rest_snapshot(later), (NOON + 6 * MINUTE) // US)
    assert last_of(prices) == 41

    history = tape_of(prices).history
    assert [each.price for each in history.regular] == [100, 40, 41]


def test_rest_is_not_asked_for_ever(prices: LastPrices) -> None:
    streamed(prices, NOON, 100)
    streamed(prices, NOON + 1, 40)
    prices.take_doubtful()

    prices.on_snapshot("SPY", rest_snapshot({}), (NOON + 3 * MINUTE) // US)
    assert prices.take_doubtful() == []


def test_a_symbol_that_only_rest_serves_shows_a_crash_too(prices: LastPrices) -> None:
    for second, price in enumerate([100, 40, 40.5, 40]):
        at = f"2026-11-16T17:00:0{second}Z"
        prices.on_snapshot(
            "SPY", rest_snapshot({"latestTrade": rest_trade(at, price, second)}), NOON // US
        )

    assert last_of(prices) == 40


levels = st.floats(0.01, 5000)


@given(
    levels,
    st.lists(st.tuples(levels, st.integers(-30, 30)), max_size=30),
    levels,
    st.lists(st.floats(0.97, 1.03), min_size=3, max_size=3),
)
def test_a_level_that_persists_is_never_blocked(
    start: float, before: list[tuple[float, int]], level: float, persists: list[float]
) -> None:
    prices = LastPrices(two_days())
    streamed(prices, NOON, start)
    at = NOON + SECOND
    for index, (price, offset) in enumerate(before):
        streamed(prices, at + 100 * index + offset, price)
    for index, factor in enumerate(persists):
        last = streamed(prices, at + 10_000 + index, level * factor)

    assert last is not None
    assert last_of(prices) == level * persists[-1]


@given(st.lists(levels, min_size=1, max_size=60))
def test_no_prints_however_wild_lock_a_symbol_out_for_more_than_ten(wild: list[float]) -> None:
    prices = LastPrices(two_days())
    hidden = 0
    for index, price in enumerate(wild):
        hidden = 0 if streamed(prices, NOON + index, price) else hidden + 1
        assert hidden < 10


@given(st.floats(1e-6, 1e9), st.floats(1e-6, 1e9))
def test_what_agrees_is_not_far_off_and_both_are_symmetric(one: float, other: float) -> None:
    assert agree(one, other) == agree(other, one)
    assert is_far_off(one, other) == is_far_off(other, one)
    assert not (agree(one, other) and is_far_off(one, other))


def test_held_prints_are_not_eligible_for_the_tape(prices: LastPrices) -> None:
    streamed(prices, NOON, 100)
    stray: Trade = trade(NOON + 1, 1.1, number=7)
    prices.on_trade(stray, stray.at_ns, NOON // US)

    assert not prices.is_eligible(stray)
