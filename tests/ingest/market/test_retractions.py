"""Corrections and cancels: the last price is that of the remaining prints."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from ingest.market.conditions import Eligibility, eligibility
from ingest.market.last_price import LastPrices
from ingest.market.regular_trades import DEPTH, TRIMMED_AT_ONCE
from ingest.market.tape_history import FIRSTS_DEPTH, INELIGIBLE_DEPTH, REFUTED_DEPTH
from ingest.market.trading_day import day_of
from shared.price import Price
from tests.ingest.market.streamed import NOW_US, last_of, streamed, tape_of
from tests.ingest.trades import (
    NOON,
    SECOND,
    cancel_of,
    correction_of,
    ns,
    rest_snapshot,
    trade,
    two_days,
)

HOUR = 3600 * SECOND
TOMORROW = 24 * HOUR


def test_a_cancelled_last_price_gives_way_to_the_trade_before_it(prices: LastPrices) -> None:
    streamed(prices, NOON, 100, number=1)
    wrong = streamed(prices, NOON + 1, 110, number=2)

    last = prices.on_cancel(cancel_of(wrong, NOON + SECOND), NOW_US + 5)

    assert last is prices.by_symbol["SPY"]
    assert (last.price, last.timestamp) == (100, "2026-11-16T17:00:00Z")
    assert last.received == NOW_US + 5
    assert prices.counts.cancelled == 1
    assert prices.take_doubtful() == []


def test_after_a_cancel_trades_newer_than_what_remains_count_and_older_ones_are_late(
    prices: LastPrices,
) -> None:
    streamed(prices, NOON, 100, number=1)
    wrong = streamed(prices, NOON + 9, 110, number=2)
    prices.on_cancel(cancel_of(wrong), NOW_US)

    streamed(prices, NOON - 1, 101, number=3)
    assert last_of(prices) == 100
    streamed(prices, NOON + 5, 102, number=4)
    assert last_of(prices) == 102


def test_a_cancel_of_an_older_trade_changes_nothing_but_is_remembered(prices: LastPrices) -> None:
    older = streamed(prices, NOON, 100, number=1)
    newest = streamed(prices, NOON + 1, 101, number=2)
    streamed(prices, NOON - 1, 99, number=3)

    assert prices.on_cancel(cancel_of(older), NOW_US) is None
    last = prices.on_cancel(cancel_of(newest), NOW_US)
    assert last is not None
    assert last.price == 99, "only the late print remains"


@pytest.mark.parametrize("other", [{"exchange": "N"}, {"tape": "A"}, {"symbol": "IBM"}], ids=repr)
def test_ids_are_unique_within_symbol_exchange_and_tape_only(
    prices: LastPrices, other: dict[str, Any]
) -> None:
    streamed(prices, NOON, 100, number=7)

    assert prices.on_cancel(cancel_of(trade(NOON, 100, number=7, **other)), NOW_US) is None
    assert last_of(prices) == 100


def test_the_same_id_on_another_day_is_another_trade(prices: LastPrices) -> None:
    yesterdays = streamed(prices, NOON, 100, number=7)

    assert prices.on_cancel(cancel_of(yesterdays, NOON + TOMORROW), NOW_US) is None
    assert last_of(prices) == 100


def test_a_cancel_that_gives_the_prints_own_time_means_that_print(prices: LastPrices) -> None:
    meant = streamed(prices, NOON, 100, number=7)
    streamed(prices, NOON + 1, 101, number=8)
    last = streamed(prices, NOON + 2, 100, number=7)
    tomorrow = NOON + TOMORROW

    assert prices.on_cancel(structs.replace(cancel_of(meant), print_at_ns=NOON - 1), NOW_US) is None
    prices.on_cancel(structs.replace(cancel_of(meant, tomorrow), print_at_ns=NOON), NOW_US)
    after = prices.on_cancel(cancel_of(last), NOW_US)
    assert after is not None
    assert after.price == 101, "the first of the two with this id is withdrawn before"
    withdrawn = prices.on_cancel(cancel_of(trade(NOON + 1, 101, number=8)), NOW_US)
    assert withdrawn is None, "nothing remains"
    assert prices.take_doubtful() == ["SPY"]


def test_a_correction_takes_the_trades_place(prices: LastPrices) -> None:
    prices.on_snapshot(
        "SPY", rest_snapshot({"prevDailyBar": {"t": "2026-11-13T05:00:00Z", "c": 80}}), NOW_US
    )
    wrong = streamed(prices, NOON + 123, 100, number=1)

    last = prices.on_correction(
        correction_of(wrong, 90, number=2, conditions=["@", "F"], at=NOON + SECOND), NOW_US + 5
    )

    assert last == Price(
        symbol="SPY",
        price=90,
        size=100,
        exchange="V",
        conditions=("@", "F"),
        tape="B",
        session="regular",
        timestamp="2026-11-16T17:00:00.000000123Z",
        previous_close=80,
        change=10,
        change_percent=0.125,
        received=NOW_US + 5,
    )
    assert prices.counts.corrected == 1
    after = prices.on_cancel(cancel_of(trade(NOON, 90, number=2)), NOW_US)
    assert after is None, "the corrected trade goes by its new id, and nothing remains"
    assert prices.take_doubtful() == ["SPY"]


def test_a_correction_that_makes_a_trade_ineligible_removes_it(prices: LastPrices) -> None:
    streamed(prices, NOON, 100, number=1)
    wrong = streamed(prices, NOON + 1, 101, number=2)

    last = prices.on_correction(correction_of(wrong, 101, number=3, conditions=["7"]), NOW_US)
    assert last is not None
    assert last.price == 100


def test_a_correction_can_make_a_derived_price_ineligible_too(prices: LastPrices) -> None:
    wrong = streamed(prices, NOON, 100, ["4"], number=1)

    assert (
        prices.on_correction(correction_of(wrong, 90, number=2, conditions=["7"]), NOW_US) is None
    )
    assert prices.take_doubtful() == ["SPY"]


@pytest.mark.parametrize("price", [0, -1, float("nan"), float("inf")])
def test_a_correction_to_what_is_no_price_is_refused(prices: LastPrices, price: float) -> None:
    wrong = streamed(prices, NOON, 100)

    with pytest.raises(ValueError, match="no price"):
        prices.on_correction(correction_of(wrong, price, number=2), NOW_US)
    assert last_of(prices) == 100


def test_after_a_cancel_of_the_days_only_trade_a_derived_price_counts_again(
    prices: LastPrices,
) -> None:
    prices.on_snapshot("SPY", rest_snapshot({}), NOW_US)
    only = streamed(prices, NOON, 100, number=1)
    streamed(prices, NOON + 1, 101, ["4"], number=2)
    assert last_of(prices) == 100

    last = prices.on_cancel(cancel_of(only), NOW_US)
    assert last is not None
    assert last.price == 101, "the one that was there all along"
    streamed(prices, NOON + 2, 102, ["4"], number=3)
    assert last_of(prices) == 101
    streamed(prices, NOON - 1, 103, number=4)
    assert last_of(prices) == 103, "a regular trade is better than any derived one"


def test_when_nothing_remains_the_symbol_is_doubtful_and_rest_decides(prices: LastPrices) -> None:
    wrong = streamed(prices, NOON, 100, number=5)

    assert prices.on_cancel(cancel_of(wrong), NOW_US) is None
    assert prices.take_doubtful() == ["SPY"]
    assert prices.take_doubtful() == []

    cancelled = {"t": "2026-11-16T17:00:00Z", "p": 100, "s": 100, "i": 5, "x": "V", "z": "B"}
    bar = {"t": "2026-11-16T16:58:00Z", "c": 98}
    last = prices.on_snapshot(
        "SPY", rest_snapshot({"latestTrade": cancelled, "minuteBar": bar}), NOW_US
    )
    assert last is not None
    assert (last.price, last.timestamp) == (98, "2026-11-16T16:58:59.999999999Z")


def test_when_rest_knows_nothing_else_either_there_is_no_price(prices: LastPrices) -> None:
    wrong = streamed(prices, NOON, 100, number=5)
    prices.on_cancel(cancel_of(wrong), NOW_US)

    assert prices.on_snapshot("SPY", rest_snapshot({}), NOW_US) == Price(
        symbol="SPY", reason="no_trade_seen"
    )


def stored(**changed: Any) -> Price:
    values: dict[str, Any] = {
        "symbol": "SPY",
        "price": 100,
        "size": 100,
        "exchange": "V",
        "tape": "B",
        "timestamp": "2026-11-16T17:00:00Z",
    }
    return Price(**{**values, **changed})


def test_a_cancel_that_equals_a_price_without_an_id_makes_it_doubtful(prices: LastPrices) -> None:
    prices.restore(stored())

    assert prices.on_cancel(cancel_of(trade(NOON, 100, number=9)), NOW_US) is None
    assert prices.take_doubtful() == ["SPY"]


@pytest.mark.parametrize("differs", [{"price": 101}, {"size": 7}, {"exchange": "N"}], ids=repr)
def test_a_cancel_that_differs_from_a_price_without_an_id_is_of_another_trade(
    prices: LastPrices, differs: dict[str, Any]
) -> None:
    prices.restore(stored(**differs))

    assert prices.on_cancel(cancel_of(trade(NOON, 100, number=9)), NOW_US) is None
    assert prices.take_doubtful() == []


def test_rest_gives_a_restored_price_its_id(prices: LastPrices) -> None:
    prices.restore(stored())
    again = {"t": "2026-11-16T17:00:00Z", "p": 100, "s": 100, "i": 9, "x": "V", "z": "B"}
    prices.on_snapshot("SPY", rest_snapshot({"latestTrade": again}), NOW_US)

    prices.on_cancel(cancel_of(trade(NOON, 100, number=9)), NOW_US)
    assert tape_of(prices).history.newest() is None, "it was one trade, not two"


def test_the_history_is_bounded(prices: LastPrices) -> None:
    for number in range(2 * DEPTH):
        for kind, code in enumerate(["@", "4", "I"]):
            streamed(prices, NOON + number, 100, [code], number=3 * number + kind)
        streamed(prices, NOON - number, 1000, number=-number)

    history = tape_of(prices).history
    assert DEPTH <= len(history.regular) < DEPTH + TRIMMED_AT_ONCE
    assert len(history.firsts) == FIRSTS_DEPTH
    assert 0 <= len(history.ineligible) - INELIGIBLE_DEPTH < TRIMMED_AT_ONCE
    assert len(history.refuted) == REFUTED_DEPTH


def test_of_prints_with_one_id_a_cancel_means_the_one_with_its_price_and_size(
    prices: LastPrices,
) -> None:
    """FINRA's ``D`` repeated id 17913 within eight seconds on 2021-08-23 (AAPL, recorded)."""
    first = streamed(prices, NOON, 100, number=17913, exchange="D")
    streamed(prices, NOON + SECOND, 100.5, number=17913, exchange="D")

    assert prices.on_cancel(cancel_of(first), NOW_US) is None
    assert last_of(prices) == 100.5
    history = tape_of(prices).history
    assert [each.price for each in history.regular] == [100.5]


@pytest.mark.parametrize("lacks", [{"price": None}, {"size": None}, {"price": None, "size": None}])
def test_a_cancel_that_lacks_values_means_the_newest_print_with_its_id(
    prices: LastPrices, lacks: dict[str, Any]
) -> None:
    streamed(prices, NOON, 100, number=1)
    streamed(prices, NOON + 1, 101, number=7)
    wrong = streamed(prices, NOON + 2, 101, number=7)

    last = prices.on_cancel(structs.replace(cancel_of(wrong), **lacks), NOW_US)
    assert last is not None
    assert (last.price, last.timestamp) == (101, "2026-11-16T17:00:00.000000001Z")


@pytest.mark.parametrize("differs", [{"price": 99}, {"size": 7}], ids=repr)
def test_a_cancel_with_other_values_is_of_another_print(
    prices: LastPrices, differs: dict[str, Any]
) -> None:
    only = streamed(prices, NOON, 100, number=7, exchange="D")

    assert prices.on_cancel(structs.replace(cancel_of(only), **differs), NOW_US) is None
    assert last_of(prices) == 100
    assert prices.take_doubtful() == []


def test_of_prints_with_one_id_a_correction_means_the_one_with_its_price_and_size(
    prices: LastPrices,
) -> None:
    first = streamed(prices, NOON, 100, number=7, exchange="D")
    streamed(prices, NOON + 1, 101, number=7, exchange="D")

    assert prices.on_correction(correction_of(first, 102, number=7), NOW_US) is None
    history = tape_of(prices).history
    assert [each.price for each in history.regular] == [102, 101]


def test_a_cancel_may_name_a_print_as_it_was_before_its_correction(prices: LastPrices) -> None:
    streamed(prices, NOON, 100, number=1)
    wrong = streamed(prices, NOON + 1, 110, number=2)
    prices.on_correction(correction_of(wrong, 101, number=3), NOW_US)

    last = prices.on_cancel(cancel_of(wrong), NOW_US)
    assert last is not None
    assert last.price == 100


def test_a_correction_makes_an_odd_lot_the_last_price_and_back(prices: LastPrices) -> None:
    streamed(prices, NOON, 100, number=1)
    odd_lot = streamed(prices, NOON + 1, 100.5, ["@", "I"], number=2, size=10)
    last = prices.on_correction(correction_of(odd_lot, 100.5, number=3, size=1000), NOW_US)
    assert last is not None
    assert (last.price, last.size) == (100.5, 1000)
    assert last.timestamp == "2026-11-16T17:00:00.000000001Z"

    round_lot = trade(NOON + 1, 100.5, number=3, size=1000)
    back = correction_of(round_lot, 100.5, number=4, size=10, conditions=["@", "I"])
    last = prices.on_correction(back, NOW_US)
    assert last is not None
    assert last.price == 100
    again = structs.replace(odd_lot, id=4)
    last = prices.on_correction(correction_of(again, 100.6, number=5, size=1000), NOW_US)
    assert last is not None
    assert last.price == 100.6


def test_a_corrected_odd_lot_keeps_its_order_of_arrival(prices: LastPrices) -> None:
    odd_lot = streamed(prices, NOON, 100.5, ["@", "I"], number=1)
    streamed(prices, NOON, 101, number=2)
    prices.on_correction(correction_of(odd_lot, 100.5, number=1), NOW_US)

    assert last_of(prices) == 101


def test_a_correction_of_the_id_alone_is_no_new_price(prices: LastPrices) -> None:
    streamed(prices, NOON, 100, number=1)
    wrong = streamed(prices, NOON + 1, 101, number=2)
    assert prices.on_correction(correction_of(wrong, 101, number=3), NOW_US) is None

    last = prices.on_cancel(cancel_of(trade(NOON + 1, 101, number=3)), NOW_US)
    assert last is not None
    assert last.price == 100


def test_a_cancelled_odd_lot_is_not_believed_after_a_correction(prices: LastPrices) -> None:
    odd_lot = streamed(prices, NOON, 100.5, ["@", "I"], number=1)
    assert prices.on_cancel(cancel_of(odd_lot), NOW_US) is None
    assert prices.take_doubtful() == []

    assert prices.on_correction(correction_of(odd_lot, 100.5, number=1), NOW_US) is None
    assert "SPY" not in prices.by_symbol


@pytest.mark.parametrize("size", [-1, float("nan"), float("inf")])
def test_a_correction_to_what_is_no_size_is_refused(prices: LastPrices, size: float) -> None:
    wrong = streamed(prices, NOON, 100)

    with pytest.raises(ValueError, match="no size"):
        prices.on_correction(correction_of(wrong, 101, number=2, size=size), NOW_US)
    assert last_of(prices) == 100


def test_messages_about_symbols_never_traded_are_harmless(prices: LastPrices) -> None:
    # Alpaca's own examples: https://docs.alpaca.markets/docs/real-time-stock-pricing-data
    unknown = trade(ns("2023-04-06T13:15:42.83540958Z"), 105.31, symbol="GOOGL", tape="C")

    assert prices.on_cancel(cancel_of(unknown), NOW_US) is None
    assert prices.on_correction(correction_of(unknown, 105, number=8), NOW_US) is None
    assert prices.by_symbol == {}


@dataclass
class Known:
    """A trade in the naive model; ``order`` is that of arrival."""

    order: int
    at: int
    price: float
    rule: Eligibility


CODES = ("@", "F", "I", "T", "4", "Z", "?")
steps = st.lists(
    st.tuples(
        st.sampled_from(["trade", "trade", "cancel", "correct"]),
        st.integers(-4, 4) | st.integers(-4, 4).map(lambda offset: offset + TOMORROW),
        st.integers(100, 190),
        st.sampled_from(CODES),
        st.integers(0, 16),
    ),
    max_size=16,
)


def naive(known: dict[int, Known]) -> float | None:
    """Return the newest regular trade of the newest day, else the first of the others."""
    counted = [each for each in known.values() if each.rule is not Eligibility.NEVER]
    today = max((day_of(each.at) for each in counted), default=0)
    counted = [each for each in counted if day_of(each.at) == today]
    regular = [each for each in counted if each.rule is Eligibility.ALWAYS]
    if regular:
        return max(regular, key=lambda each: (each.at, each.order)).price
    return min(counted, key=lambda each: each.order).price if counted else None


@given(steps)
@example([("trade", 0, 100, "4", 0), ("trade", 0, 101, "@", 0), ("correct", 0, 100, "@", 0)])
def test_after_any_history_the_last_price_is_that_of_a_naive_recomputation(
    history: list[tuple[str, int, int, str, int]],
) -> None:
    prices = LastPrices(two_days())
    prices.on_snapshot("SPY", rest_snapshot({}), NOW_US)
    known: dict[int, Known] = {}
    had_price = False
    for number, (kind, offset, price, code, which) in enumerate(history):
        now_us = (NOON + TOMORROW) // 1000
        if kind == "trade":
            at = NOON + offset
            rule = eligibility("B", (code,), "regular")
            known[number] = Known(number, at, price, rule)
            prices.on_trade(trade(at, price, [code], number=number), at, now_us)
        elif (meant := known.get(which)) is not None and kind == "cancel":
            del known[which]
            prices.on_cancel(cancel_of(trade(meant.at, meant.price, number=which)), now_us)
        elif meant is not None and meant.rule is not Eligibility.NEVER:
            rule = eligibility("B", (code,), "regular")
            del known[which]
            known[number] = Known(meant.order, meant.at, price, rule)
            wrong = trade(meant.at, meant.price, number=which)
            prices.on_correction(
                correction_of(wrong, price, number=number, conditions=[code]), now_us
            )

        expected = naive(known)
        if expected is not None:
            had_price = True
            assert last_of(prices) == expected
        elif had_price:
            assert prices.take_doubtful() == ["SPY"], "every known trade is withdrawn"
            had_price = False
