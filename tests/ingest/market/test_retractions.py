"""Corrections and cancels: the last price is that of the remaining prints."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from ingest.market.conditions import Eligibility, eligibility
from ingest.market.last_price import LastPrices
from ingest.market.prints import Trade
from ingest.market.tape_history import (
    DEPTH,
    FIRSTS_DEPTH,
    INELIGIBLE_DEPTH,
    REFUTED_DEPTH,
    TRIMMED_AT_ONCE,
)
from ingest.market.trading_day import day_of
from ingest.market.withdrawn_prints import REMEMBERED_IDS, REMEMBERED_PER_ID
from shared.price import Price
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

NOW_US = NOON // 1000 + 2_000_000
HOUR = 3600 * SECOND
TOMORROW = 24 * HOUR


@pytest.fixture
def prices() -> LastPrices:
    return LastPrices(two_days())


def take(prices: LastPrices, *args: Any, **named: Any) -> Trade:
    print_ = trade(*args, **named)
    prices.on_trade(print_, NOW_US)
    return print_


def last_of(prices: LastPrices) -> float | None:
    return prices.by_symbol["SPY"].price


def test_a_cancelled_last_price_gives_way_to_the_trade_before_it(prices: LastPrices) -> None:
    take(prices, NOON, 100, number=1)
    wrong = take(prices, NOON + 1, 110, number=2)

    last = prices.on_cancel(cancel_of(wrong, NOON + SECOND), NOW_US + 5)

    assert last is prices.by_symbol["SPY"]
    assert (last.price, last.timestamp) == (100, "2026-11-16T17:00:00Z")
    assert last.received == NOW_US + 5
    assert prices.counts.cancelled == 1
    assert prices.take_doubtful() == []


def test_after_a_cancel_trades_newer_than_what_remains_count_and_older_ones_are_late(
    prices: LastPrices,
) -> None:
    take(prices, NOON, 100, number=1)
    wrong = take(prices, NOON + 9, 110, number=2)
    prices.on_cancel(cancel_of(wrong), NOW_US)

    take(prices, NOON - 1, 101, number=3)
    assert last_of(prices) == 100
    take(prices, NOON + 5, 102, number=4)
    assert last_of(prices) == 102


def test_a_cancel_of_an_older_trade_changes_nothing_but_is_remembered(prices: LastPrices) -> None:
    older = take(prices, NOON, 100, number=1)
    newest = take(prices, NOON + 1, 101, number=2)
    take(prices, NOON - 1, 99, number=3)

    assert prices.on_cancel(cancel_of(older), NOW_US) is None
    last = prices.on_cancel(cancel_of(newest), NOW_US)
    assert last is not None
    assert last.price == 99, "only the late print remains"


@pytest.mark.parametrize("other", [{"exchange": "N"}, {"tape": "A"}, {"symbol": "IBM"}], ids=repr)
def test_ids_are_unique_within_symbol_exchange_and_tape_only(
    prices: LastPrices, other: dict[str, Any]
) -> None:
    take(prices, NOON, 100, number=7)

    assert prices.on_cancel(cancel_of(trade(NOON, 100, number=7, **other)), NOW_US) is None
    assert last_of(prices) == 100


def test_the_same_id_on_another_day_is_another_trade(prices: LastPrices) -> None:
    yesterdays = take(prices, NOON, 100, number=7)

    assert prices.on_cancel(cancel_of(yesterdays, NOON + TOMORROW), NOW_US) is None
    assert last_of(prices) == 100


def test_a_cancel_that_gives_the_prints_own_time_means_that_print(prices: LastPrices) -> None:
    meant = take(prices, NOON, 100, number=7)
    take(prices, NOON + 1, 101, number=8)
    last = take(prices, NOON + 2, 100, number=7)
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
    wrong = take(prices, NOON + 123, 100, number=1)

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
    take(prices, NOON, 100, number=1)
    wrong = take(prices, NOON + 1, 101, number=2)

    last = prices.on_correction(correction_of(wrong, 101, number=3, conditions=["7"]), NOW_US)
    assert last is not None
    assert last.price == 100


def test_a_correction_can_make_a_derived_price_ineligible_too(prices: LastPrices) -> None:
    wrong = take(prices, NOON, 100, ["4"], number=1)

    assert (
        prices.on_correction(correction_of(wrong, 90, number=2, conditions=["7"]), NOW_US) is None
    )
    assert prices.take_doubtful() == ["SPY"]


@pytest.mark.parametrize("price", [0, -1, float("nan"), float("inf")])
def test_a_correction_to_what_is_no_price_is_refused(prices: LastPrices, price: float) -> None:
    wrong = take(prices, NOON, 100)

    with pytest.raises(ValueError, match="no price"):
        prices.on_correction(correction_of(wrong, price, number=2), NOW_US)
    assert last_of(prices) == 100


def test_after_a_cancel_of_the_days_only_trade_a_derived_price_counts_again(
    prices: LastPrices,
) -> None:
    prices.on_snapshot("SPY", rest_snapshot({}), NOW_US)
    only = take(prices, NOON, 100, number=1)
    take(prices, NOON + 1, 101, ["4"], number=2)
    assert last_of(prices) == 100

    last = prices.on_cancel(cancel_of(only), NOW_US)
    assert last is not None
    assert last.price == 101, "the one that was there all along"
    take(prices, NOON + 2, 102, ["4"], number=3)
    assert last_of(prices) == 101
    take(prices, NOON - 1, 103, number=4)
    assert last_of(prices) == 103, "a regular trade is better than any derived one"


def test_when_nothing_remains_the_symbol_is_doubtful_and_rest_decides(prices: LastPrices) -> None:
    wrong = take(prices, NOON, 100, number=5)

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
    wrong = take(prices, NOON, 100, number=5)
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
    assert prices._tapes["SPY"].history.newest() is None, "it was one trade, not two"


def test_the_history_is_bounded(prices: LastPrices) -> None:
    for number in range(2 * DEPTH):
        for kind, code in enumerate(["@", "4", "I"]):
            take(prices, NOON + number, 100, [code], number=3 * number + kind)
        take(prices, NOON - number, 1000, number=-number)

    history = prices._tapes["SPY"].history
    assert DEPTH <= len(history.regular) < DEPTH + TRIMMED_AT_ONCE
    assert len(history.firsts) == FIRSTS_DEPTH
    assert 0 <= len(history.ineligible) - INELIGIBLE_DEPTH < TRIMMED_AT_ONCE
    assert len(history.refuted) == REFUTED_DEPTH


def test_of_prints_with_one_id_a_cancel_means_the_one_with_its_price_and_size(
    prices: LastPrices,
) -> None:
    """FINRA's ``D`` repeated id 17913 within eight seconds on 2021-08-23 (AAPL, recorded)."""
    first = take(prices, NOON, 100, number=17913, exchange="D")
    take(prices, NOON + SECOND, 100.5, number=17913, exchange="D")

    assert prices.on_cancel(cancel_of(first), NOW_US) is None
    assert last_of(prices) == 100.5
    history = prices._tapes["SPY"].history
    assert [each.price for each in history.regular] == [100.5]


@pytest.mark.parametrize("lacks", [{"price": None}, {"size": None}, {"price": None, "size": None}])
def test_a_cancel_that_lacks_values_means_the_newest_print_with_its_id(
    prices: LastPrices, lacks: dict[str, Any]
) -> None:
    take(prices, NOON, 100, number=1)
    take(prices, NOON + 1, 101, number=7)
    wrong = take(prices, NOON + 2, 101, number=7)

    last = prices.on_cancel(structs.replace(cancel_of(wrong), **lacks), NOW_US)
    assert last is not None
    assert (last.price, last.timestamp) == (101, "2026-11-16T17:00:00.000000001Z")


@pytest.mark.parametrize("differs", [{"price": 99}, {"size": 7}], ids=repr)
def test_a_cancel_with_other_values_is_of_another_print(
    prices: LastPrices, differs: dict[str, Any]
) -> None:
    only = take(prices, NOON, 100, number=7, exchange="D")

    assert prices.on_cancel(structs.replace(cancel_of(only), **differs), NOW_US) is None
    assert last_of(prices) == 100
    assert prices.take_doubtful() == []


def test_of_prints_with_one_id_a_correction_means_the_one_with_its_price_and_size(
    prices: LastPrices,
) -> None:
    first = take(prices, NOON, 100, number=7, exchange="D")
    take(prices, NOON + 1, 101, number=7, exchange="D")

    assert prices.on_correction(correction_of(first, 102, number=7), NOW_US) is None
    history = prices._tapes["SPY"].history
    assert [each.price for each in history.regular] == [102, 101]


@pytest.mark.parametrize("newest_first", [True, False])
def test_after_a_bust_of_a_hundred_prints_none_of_them_is_believed(
    prices: LastPrices, newest_first: bool
) -> None:
    take(prices, NOON, 100, number=1)
    busted = [take(prices, NOON + n, 100 + n / 100, number=1 + n) for n in range(1, 101)]
    for wrong in reversed(busted) if newest_first else busted:
        prices.on_cancel(cancel_of(wrong, NOON + SECOND), NOW_US)
    assert last_of(prices) == 100

    for wrong in busted:
        prices.on_rest_trade(wrong, NOW_US)
        prices.on_trade(wrong, NOW_US)
    assert last_of(prices) == 100
    assert prices.timestamp_of("SPY") == NOON + 100


def test_of_a_bust_beyond_the_history_rest_shows_nothing_that_was_busted(
    prices: LastPrices,
) -> None:
    count = DEPTH + TRIMMED_AT_ONCE
    busted = [take(prices, NOON + n, 100, number=n) for n in range(count)]
    for wrong in busted:
        prices.on_cancel(cancel_of(wrong, NOON + SECOND), NOW_US)
    assert prices.take_doubtful() == ["SPY"]

    for wrong in busted[-REMEMBERED_IDS:]:
        assert prices.on_rest_trade(wrong, NOW_US) is None
    bar = {"t": "2026-11-16T17:00:00Z", "c": 100}
    last = prices.on_snapshot("SPY", rest_snapshot({"minuteBar": bar}), NOW_US)
    assert last == Price(symbol="SPY", reason="no_trade_seen"), "the bar has busted prints too"


def test_of_a_bust_beyond_the_memory_newest_first_rest_shows_nothing_that_was_busted(
    prices: LastPrices,
) -> None:
    count = REMEMBERED_IDS + DEPTH
    busted = [take(prices, NOON + n, 100, number=n) for n in range(count)]
    for wrong in reversed(busted):
        prices.on_cancel(cancel_of(wrong, NOON + SECOND), NOW_US)

    for wrong in busted[-DEPTH:]:
        assert prices.on_rest_trade(wrong, NOW_US) is None


def test_cancels_that_overtake_their_prints_count_when_the_memory_is_full(
    prices: LastPrices,
) -> None:
    for number in range(REMEMBERED_IDS):
        prices.on_cancel(cancel_of(take(prices, NOON + number, 100, number=number)), NOW_US)
    late = [trade(NOON + SECOND + n, 101, number=-1 - n) for n in range(3)]
    for print_ in late:
        prices.on_cancel(cancel_of(print_), NOW_US)

    for print_ in late:
        assert prices.on_trade(print_, NOW_US) is None


def test_cancelled_prints_that_come_later_do_not_enlarge_the_memory(prices: LastPrices) -> None:
    for number in range(3 * REMEMBERED_IDS):
        print_ = trade(NOON + number, 100, number=number)
        prices.on_cancel(cancel_of(print_), NOW_US)
        prices.on_trade(print_, NOW_US)
    prices.on_cancel(cancel_of(trade(NOON, 101, number=-1)), NOW_US)

    assert len(prices._tapes["SPY"]._withdrawn._by_key) == REMEMBERED_IDS + 1


def test_a_print_that_comes_after_its_cancel_does_not_count(prices: LastPrices) -> None:
    take(prices, NOON, 100, number=1)
    wrong = trade(NOON + 2, 101, number=555)
    assert prices.on_cancel(cancel_of(wrong, NOON + 1), NOW_US) is None

    assert prices.on_trade(wrong, NOW_US) is None
    assert last_of(prices) == 100
    again = structs.replace(wrong, at_ns=NOON + 3)
    assert prices.on_trade(again, NOW_US) is not None, "the id is used again"


def test_a_print_that_rest_shows_after_its_cancel_does_not_count(prices: LastPrices) -> None:
    wrong = trade(NOON, 101, number=555)
    prices.on_cancel(cancel_of(wrong), NOW_US)

    assert prices.on_rest_trade(wrong, NOW_US) is None
    assert prices.on_rest_trade(trade(NOON, 100, number=555), NOW_US) is not None


@pytest.mark.parametrize(
    "other",
    [{"price": 102}, {"size": 7}, {"at": NOON + TOMORROW}, {"at": NOON + 6 * SECOND}],
    ids=repr,
)
def test_an_early_cancel_swallows_no_other_print_with_its_id(
    prices: LastPrices, other: dict[str, Any]
) -> None:
    prices.on_cancel(cancel_of(trade(NOON, 101, number=555)), NOW_US)

    values: dict[str, Any] = {"at": NOON + 1, "price": 101, "number": 555}
    print_ = trade(**{**values, **other})
    assert prices.on_trade(print_, print_.at_ns // 1000) is not None


def test_a_print_that_comes_after_its_correction_has_the_corrected_values(
    prices: LastPrices,
) -> None:
    take(prices, NOON, 100, number=1)
    wrong = trade(NOON + 5, 110, number=2)
    early = correction_of(wrong, 101, number=3, size=7, conditions=["@", "F"], at=NOON + 9)
    assert prices.on_correction(early, NOW_US) is None

    last = prices.on_trade(wrong, NOW_US)
    assert last is not None
    assert (last.price, last.size, last.conditions) == (101, 7, ("@", "F"))
    assert last.timestamp == "2026-11-16T17:00:00.000000005Z"
    assert prices.on_trade(wrong, NOW_US) is None, "it has come before"
    after = prices.on_cancel(cancel_of(trade(NOON + 5, 101, number=3, size=7)), NOW_US)
    assert after is not None
    assert after.price == 100


def test_a_correction_and_the_cancel_of_its_result_may_both_come_before_the_print(
    prices: LastPrices,
) -> None:
    take(prices, NOON, 100, number=1)
    wrong = trade(NOON + 1, 110, number=2)
    prices.on_correction(correction_of(wrong, 101, number=3), NOW_US)
    prices.on_cancel(cancel_of(trade(NOON + 1, 101, number=3)), NOW_US)

    assert prices.on_trade(wrong, NOW_US) is None
    assert last_of(prices) == 100


def test_what_the_stream_will_bring_is_corrected_when_it_brings_it(prices: LastPrices) -> None:
    take(prices, NOON, 100, number=1)
    wrong = trade(NOON + 1, 110, number=2)
    prices.on_correction(correction_of(wrong, 101, number=3), NOW_US)

    assert prices.on_rest_trade(wrong, NOW_US) is None, "REST is ahead of the stream"
    last = prices.on_trade(wrong, NOW_US)
    assert last is not None
    assert last.price == 101


@pytest.mark.parametrize("number", [2, 3])
def test_a_report_that_comes_again_changes_nothing(prices: LastPrices, number: int) -> None:
    """A correction may keep the print's id."""
    take(prices, NOON, 100, number=1)
    wrong = take(prices, NOON + 1, 110, number=2)
    first = correction_of(wrong, 101, number=number, at=NOON + 2)
    second = correction_of(trade(NOON + 1, 101, number=number), 102, number=number, at=NOON + 3)
    for correction in (first, second, first, structs.replace(second, at_ns=NOON + 9)):
        prices.on_correction(correction, NOW_US)
    assert last_of(prices) == 102

    cancel = cancel_of(trade(NOON + 1, 102, number=number), NOON + 10)
    for each in (cancel, cancel, structs.replace(cancel, at_ns=NOON + 11, print_at_ns=NOON + 1)):
        prices.on_cancel(each, NOW_US)
    assert last_of(prices) == 100


def test_a_cancel_may_name_a_print_as_it_was_before_its_correction(prices: LastPrices) -> None:
    take(prices, NOON, 100, number=1)
    wrong = take(prices, NOON + 1, 110, number=2)
    prices.on_correction(correction_of(wrong, 101, number=3), NOW_US)

    last = prices.on_cancel(cancel_of(wrong), NOW_US)
    assert last is not None
    assert last.price == 100


def test_a_correction_makes_an_odd_lot_the_last_price_and_back(prices: LastPrices) -> None:
    take(prices, NOON, 100, number=1)
    odd_lot = take(prices, NOON + 1, 100.5, ["@", "I"], number=2, size=10)
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
    odd_lot = take(prices, NOON, 100.5, ["@", "I"], number=1)
    take(prices, NOON, 101, number=2)
    prices.on_correction(correction_of(odd_lot, 100.5, number=1), NOW_US)

    assert last_of(prices) == 101


def test_a_correction_of_the_id_alone_is_no_new_price(prices: LastPrices) -> None:
    take(prices, NOON, 100, number=1)
    wrong = take(prices, NOON + 1, 101, number=2)
    assert prices.on_correction(correction_of(wrong, 101, number=3), NOW_US) is None

    last = prices.on_cancel(cancel_of(trade(NOON + 1, 101, number=3)), NOW_US)
    assert last is not None
    assert last.price == 100


def test_a_cancelled_odd_lot_is_not_believed_after_a_correction(prices: LastPrices) -> None:
    odd_lot = take(prices, NOON, 100.5, ["@", "I"], number=1)
    assert prices.on_cancel(cancel_of(odd_lot), NOW_US) is None
    assert prices.take_doubtful() == []

    assert prices.on_correction(correction_of(odd_lot, 100.5, number=1), NOW_US) is None
    assert "SPY" not in prices.by_symbol


@pytest.mark.parametrize("size", [-1, float("nan"), float("inf")])
def test_a_correction_to_what_is_no_size_is_refused(prices: LastPrices, size: float) -> None:
    wrong = take(prices, NOON, 100)

    with pytest.raises(ValueError, match="no size"):
        prices.on_correction(correction_of(wrong, 101, number=2, size=size), NOW_US)
    assert last_of(prices) == 100


def test_after_the_cancel_of_a_print_that_came_twice_it_is_gone(prices: LastPrices) -> None:
    take(prices, NOON, 100, number=1)
    wrong = take(prices, NOON + 1, 100.1, number=2)
    prices.on_trade(wrong, NOW_US)

    last = prices.on_cancel(cancel_of(wrong), NOW_US)
    assert last is not None
    assert last.price == 100
    assert prices.on_trade(wrong, NOW_US) is None, "nor does it come back"
    assert last_of(prices) == 100


def test_the_memory_of_withdrawn_prints_is_bounded(prices: LastPrices) -> None:
    for number in range(3 * REMEMBERED_IDS):
        prices.on_cancel(cancel_of(trade(NOON, 100, number=number)), NOW_US)
        prices.on_cancel(cancel_of(trade(NOON, 100 + number, number=0)), NOW_US)

    kept = prices._tapes["SPY"]._withdrawn._by_key
    assert len(kept) == REMEMBERED_IDS
    assert max(map(len, kept.values())) == REMEMBERED_PER_ID


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
            prices.on_trade(trade(at, price, [code], number=number), now_us)
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
