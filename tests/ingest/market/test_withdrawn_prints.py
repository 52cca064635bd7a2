"""Reports whose print comes after them or comes again, and reports by the hundred."""

from typing import Any

import pytest
from msgspec import structs

from ingest.market.last_price import LastPrices
from ingest.market.regular_trades import DEPTH, TRIMMED_AT_ONCE
from ingest.market.withdrawn_prints import REMEMBERED_IDS, REMEMBERED_PER_ID
from shared.price import Price
from tests.ingest.market.streamed import NOW_US, last_of, streamed, tape_of
from tests.ingest.trades import NOON, SECOND, cancel_of, correction_of, rest_snapshot, trade

TOMORROW = 24 * 3600 * SECOND


@pytest.mark.parametrize("newest_first", [True, False])
def test_after_a_bust_of_a_hundred_prints_none_of_them_is_believed(
    prices: LastPrices, newest_first: bool
) -> None:
    streamed(prices, NOON, 100, number=1)
    busted = [streamed(prices, NOON + n, 100 + n / 100, number=1 + n) for n in range(1, 101)]
    for wrong in reversed(busted) if newest_first else busted:
        prices.on_cancel(cancel_of(wrong, NOON + SECOND), NOW_US)
    assert last_of(prices) == 100

    for wrong in busted:
        prices.on_rest_trade(wrong, NOW_US)
        prices.on_trade(wrong, wrong.at_ns, NOW_US)
    assert last_of(prices) == 100
    assert prices.timestamp_of("SPY") == NOON + 100


def test_of_a_bust_beyond_the_history_rest_shows_nothing_that_was_busted(
    prices: LastPrices,
) -> None:
    count = DEPTH + TRIMMED_AT_ONCE
    busted = [streamed(prices, NOON + n, 100, number=n) for n in range(count)]
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
    busted = [streamed(prices, NOON + n, 100, number=n) for n in range(count)]
    for wrong in reversed(busted):
        prices.on_cancel(cancel_of(wrong, NOON + SECOND), NOW_US)

    for wrong in busted[-DEPTH:]:
        assert prices.on_rest_trade(wrong, NOW_US) is None


def test_cancels_that_overtake_their_prints_count_when_the_memory_is_full(
    prices: LastPrices,
) -> None:
    for number in range(REMEMBERED_IDS):
        prices.on_cancel(cancel_of(streamed(prices, NOON + number, 100, number=number)), NOW_US)
    late = [trade(NOON + SECOND + n, 101, number=-1 - n) for n in range(3)]
    for print_ in late:
        prices.on_cancel(cancel_of(print_), NOW_US)

    for print_ in late:
        assert prices.on_trade(print_, print_.at_ns, NOW_US) is None


def test_cancelled_prints_that_come_later_do_not_enlarge_the_memory(prices: LastPrices) -> None:
    for number in range(3 * REMEMBERED_IDS):
        print_ = trade(NOON + number, 100, number=number)
        prices.on_cancel(cancel_of(print_), NOW_US)
        prices.on_trade(print_, print_.at_ns, NOW_US)
    prices.on_cancel(cancel_of(trade(NOON, 101, number=-1)), NOW_US)

    assert len(tape_of(prices)._withdrawn._by_key) == REMEMBERED_IDS + 1


def test_a_print_that_comes_after_its_cancel_does_not_count(prices: LastPrices) -> None:
    streamed(prices, NOON, 100, number=1)
    wrong = trade(NOON + 2, 101, number=555)
    assert prices.on_cancel(cancel_of(wrong, NOON + 1), NOW_US) is None

    assert prices.on_trade(wrong, wrong.at_ns, NOW_US) is None
    assert last_of(prices) == 100
    again = structs.replace(wrong, at_ns=NOON + 3)
    assert prices.on_trade(again, again.at_ns, NOW_US) is not None, "the id is used again"


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
    assert prices.on_trade(print_, print_.at_ns, print_.at_ns // 1000) is not None


def test_a_print_that_comes_after_its_correction_has_the_corrected_values(
    prices: LastPrices,
) -> None:
    streamed(prices, NOON, 100, number=1)
    wrong = trade(NOON + 5, 110, number=2)
    early = correction_of(wrong, 101, number=3, size=7, conditions=["@", "F"], at=NOON + 9)
    assert prices.on_correction(early, NOW_US) is None

    last = prices.on_trade(wrong, wrong.at_ns, NOW_US)
    assert last is not None
    assert (last.price, last.size, last.conditions) == (101, 7, ("@", "F"))
    assert last.timestamp == "2026-11-16T17:00:00.000000005Z"
    assert prices.on_trade(wrong, wrong.at_ns, NOW_US) is None, "it has come before"
    after = prices.on_cancel(cancel_of(trade(NOON + 5, 101, number=3, size=7)), NOW_US)
    assert after is not None
    assert after.price == 100


def test_a_correction_and_the_cancel_of_its_result_may_both_come_before_the_print(
    prices: LastPrices,
) -> None:
    streamed(prices, NOON, 100, number=1)
    wrong = trade(NOON + 1, 110, number=2)
    prices.on_correction(correction_of(wrong, 101, number=3), NOW_US)
    prices.on_cancel(cancel_of(trade(NOON + 1, 101, number=3)), NOW_US)

    assert prices.on_trade(wrong, wrong.at_ns, NOW_US) is None
    assert last_of(prices) == 100


def test_what_the_stream_will_bring_is_corrected_when_it_brings_it(prices: LastPrices) -> None:
    streamed(prices, NOON, 100, number=1)
    wrong = trade(NOON + 1, 110, number=2)
    prices.on_correction(correction_of(wrong, 101, number=3), NOW_US)

    assert prices.on_rest_trade(wrong, NOW_US) is None, "REST is ahead of the stream"
    last = prices.on_trade(wrong, wrong.at_ns, NOW_US)
    assert last is not None
    assert last.price == 101


@pytest.mark.parametrize("number", [2, 3])
def test_a_report_that_comes_again_changes_nothing(prices: LastPrices, number: int) -> None:
    """A correction may keep the print's id."""
    streamed(prices, NOON, 100, number=1)
    wrong = streamed(prices, NOON + 1, 110, number=2)
    first = correction_of(wrong, 101, number=number, at=NOON + 2)
    second = correction_of(trade(NOON + 1, 101, number=number), 102, number=number, at=NOON + 3)
    for correction in (first, second, first, structs.replace(second, at_ns=NOON + 9)):
        prices.on_correction(correction, NOW_US)
    assert last_of(prices) == 102

    cancel = cancel_of(trade(NOON + 1, 102, number=number), NOON + 10)
    for each in (cancel, cancel, structs.replace(cancel, at_ns=NOON + 11, print_at_ns=NOON + 1)):
        prices.on_cancel(each, NOW_US)
    assert last_of(prices) == 100


def test_after_the_cancel_of_a_print_that_came_twice_it_is_gone(prices: LastPrices) -> None:
    streamed(prices, NOON, 100, number=1)
    wrong = streamed(prices, NOON + 1, 100.1, number=2)
    prices.on_trade(wrong, wrong.at_ns, NOW_US)

    last = prices.on_cancel(cancel_of(wrong), NOW_US)
    assert last is not None
    assert last.price == 100
    assert prices.on_trade(wrong, wrong.at_ns, NOW_US) is None, "nor does it come back"
    assert last_of(prices) == 100


def test_the_memory_of_withdrawn_prints_is_bounded(prices: LastPrices) -> None:
    for number in range(3 * REMEMBERED_IDS):
        prices.on_cancel(cancel_of(trade(NOON, 100, number=number)), NOW_US)
        prices.on_cancel(cancel_of(trade(NOON, 100 + number, number=0)), NOW_US)

    kept = tape_of(prices)._withdrawn._by_key
    assert len(kept) == REMEMBERED_IDS
    assert max(map(len, kept.values())) == REMEMBERED_PER_ID
