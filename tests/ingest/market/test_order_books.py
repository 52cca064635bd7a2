"""All books: when they are valid, when their events leave, and when they are renewed."""

import math
from itertools import pairwise

import pytest

from ingest.market.followed_book import UNREADABLE, UNSUBSCRIBED, UNWATCHED, WAITING, WITHHELD
from ingest.market.order_books import OrderBooks
from shared import book as events
from shared.book import Book
from tests.ingest.market.book_rows import AT, PAIR, bring, row

LOST = "The connection to Alpaca is lost."
WHOLE = row([(99, 1), (98, 2)], [(100, 3)], reset=True)
CROSSING = row([(100, 1)])


def subscribed(*symbols: str, now: float = 0.0, most_levels: int = 2_000) -> OrderBooks:
    """Return books whose pairs are wanted and subscribed; their first events were taken."""
    books = OrderBooks(most_levels)
    books.follow(symbols or [PAIR], now)
    books.on_subscribed(symbols or [PAIR], now)
    books.take_due(now)
    return books


def valid(now: float = 0.0) -> OrderBooks:
    """Return books of which one is valid, and was shown now."""
    books = subscribed(now=now)
    bring(books, WHOLE, now)
    books.take_due(now)
    return books


def bids(books: OrderBooks, now: float) -> list[list[float]]:
    """Return the prices of the bids of each due event."""
    return [[price for price, _ in event.bids] for event in books.take_due(now)]


def reasons(books: OrderBooks, now: float) -> list[str | None]:
    """Return the reason of each due event."""
    return [event.reason for event in books.take_due(now)]


# Validity.


def test_a_wanted_book_is_reported_as_invalid_at_once_and_valid_with_the_whole_book() -> None:
    books = OrderBooks()
    books.follow([PAIR], 0.0)
    first = books.take_due(0.0)
    books.on_subscribed([PAIR], 0.05)
    bring(books, WHOLE, 0.05, received_us=1234)

    assert first == [
        Book(
            symbol=PAIR,
            bids=[],
            asks=[],
            valid=False,
            reason=WAITING,
            timestamp=None,
            received=None,
        )
    ]
    assert books.take_due(0.05) == [
        Book(
            symbol=PAIR,
            bids=[(99, 1), (98, 2)],
            asks=[(100, 3)],
            valid=True,
            reason=None,
            timestamp=AT,
            received=1234,
        )
    ]


def test_changes_before_the_whole_book_make_no_book() -> None:
    books = subscribed()
    bring(books, row([(99, 1)], [(100, 1)]))

    assert books.take_due(1.0) == []
    bring(books, row([(50, 1)], reset=True), 1.0)
    assert bids(books, 1.0) == [[50]]


def test_a_whole_book_of_no_levels_is_valid() -> None:
    books = subscribed()
    bring(books, row(reset=True))

    (event,) = books.take_due(0.0)
    assert (event.valid, event.bids, event.asks) == (True, [], [])


def test_a_book_is_invalid_after_the_connection_is_lost_until_the_next_whole_one() -> None:
    books = valid()
    books.invalidate_all(LOST)
    (lost,) = books.take_due(0.01)
    bring(books, row([(97, 1)]), 0.02)
    books.on_subscribed([PAIR], 0.03)
    (waits,) = books.take_due(0.03)
    bring(books, row([(97, 1)]), 0.04)
    ignored = books.take_due(0.04)
    bring(books, WHOLE, 0.05)

    assert (lost.valid, lost.reason, lost.bids, lost.asks) == (False, LOST, [], [])
    assert (waits.valid, waits.reason) == (False, WAITING)
    assert ignored == []
    assert bids(books, 0.1) == [[99, 98]]


def test_an_invalid_book_keeps_the_time_of_its_newest_message() -> None:
    books = subscribed()
    bring(books, WHOLE, received_us=5)
    books.invalidate_all(LOST)

    (event,) = books.take_due(0.0)
    assert (event.timestamp, event.received) == (AT, 5)


def test_all_books_are_invalid_after_the_connection_is_lost() -> None:
    books = subscribed("BTC/USD", "ETH/USD")
    bring(books, WHOLE)
    books.take_due(0.0)
    books.invalidate_all(LOST)

    assert {(e.symbol, e.valid, e.reason) for e in books.take_due(0.0)} == {
        ("BTC/USD", False, LOST),
        ("ETH/USD", False, LOST),
    }


def test_a_crossed_book_is_dropped_and_reported_at_once() -> None:
    books = valid()
    bring(books, CROSSING, 0.01)

    (event,) = books.take_due(0.01)
    assert (event.valid, event.bids, event.asks) == (False, [], [])
    assert event.reason == (
        "The best bid 100 was not below the best ask 100. The whole book is requested again."
    )


def test_a_whole_book_that_is_crossed_is_dropped_too() -> None:
    books = subscribed()
    bring(books, row([(101, 1)], [(100, 1)], reset=True))

    (event,) = books.take_due(0.0)
    assert (event.valid, event.bids) == (False, [])
    assert books.take_renewals(0.0) == [PAIR]


def test_no_change_revives_a_crossed_book_and_a_whole_one_does() -> None:
    books = valid()
    bring(books, CROSSING, 1.0)
    books.take_due(1.0)
    bring(books, row([(100, 0)]), 1.0)

    assert books.take_due(2.0) == []
    bring(books, WHOLE, 2.0)
    assert bids(books, 2.0) == [[99, 98]]


def test_a_book_that_has_missed_a_message_is_invalid_and_renewed() -> None:
    books = valid()
    books.on_unreadable(PAIR, 1.0)

    assert reasons(books, 1.0) == [UNREADABLE]
    assert books.take_renewals(1.0) == [PAIR]


def test_a_book_of_which_the_stream_withholds_trades_is_invalid_and_renewed() -> None:
    books = valid()
    books.on_withheld(["ETH/USD", PAIR], 1.0)

    assert reasons(books, 1.0) == [WITHHELD]
    assert books.take_renewals(1.0) == [PAIR]


def test_an_unreadable_message_concerns_its_own_book_only() -> None:
    books = subscribed("BTC/USD", "ETH/USD")
    bring(books, WHOLE)
    bring(books, {**WHOLE, "S": "ETH/USD"})
    books.take_due(0.0)
    books.on_unreadable("ETH/USD", 1.0)
    books.on_unreadable("SOL/USD", 1.0)

    assert [(e.symbol, e.valid) for e in books.take_due(1.0)] == [("ETH/USD", False)]
    assert books.take_renewals(1.0) == ["ETH/USD"]


def test_an_unreadable_message_about_an_unknown_book_makes_all_books_invalid() -> None:
    books = subscribed("BTC/USD", "ETH/USD")
    bring(books, WHOLE)
    books.take_due(0.0)
    books.on_unreadable("", 1.0)

    assert {e.symbol for e in books.take_due(1.0) if e.reason == UNREADABLE} == {
        "BTC/USD",
        "ETH/USD",
    }
    assert books.take_renewals(1.0) == ["BTC/USD", "ETH/USD"]


def test_an_unreadable_whole_book_is_requested_again() -> None:
    books = subscribed()
    books.on_unreadable(PAIR, 1.0)

    assert reasons(books, 1.0) == [UNREADABLE]
    assert books.take_renewals(1.0) == [PAIR]


def test_a_later_fault_does_not_replace_the_reason() -> None:
    books = valid()
    bring(books, CROSSING, 1.0)
    books.take_due(1.0)
    books.on_unreadable(PAIR, 1.0)
    books.on_subscribed([], 1.1)
    books.on_subscribed([PAIR], 1.2)

    assert books.take_due(1.2) == []


def test_a_book_of_which_too_few_levels_are_known_is_invalid_and_renewed() -> None:
    books = subscribed(most_levels=10)
    bring(books, row([(50 - n, 1) for n in range(12)], reset=True))
    (whole,) = books.take_due(0.0)
    bring(books, row([(50, 0)]), 1.0)

    assert len(whole.bids) == 10
    (event,) = books.take_due(1.0)
    assert (event.valid, event.bids) == (False, [])
    assert "Fewer than 10 levels" in (event.reason or "")
    assert books.take_renewals(1.0) == [PAIR]


def test_a_book_is_invalid_for_a_reason_from_outside_until_the_whole_one() -> None:
    books = valid()
    books.invalidate(PAIR, "The plan has no room for it.")
    books.invalidate("ETH/USD", "The plan has no room for it.")
    assert reasons(books, 0.0) == ["The plan has no room for it."]

    bring(books, WHOLE, 1.0)
    assert reasons(books, 1.0) == [None]


# Which pairs are followed.


def test_a_message_about_another_pair_changes_nothing() -> None:
    books = subscribed()
    bring(books, {**WHOLE, "S": "ETH/USD"})

    assert books.take_due(1.0) == []


def test_a_pair_that_is_no_longer_wanted_stays_right_while_it_is_subscribed() -> None:
    books = valid()
    books.follow([], 1.0)
    bring(books, row([(99, 0)]), 1.0)

    assert bids(books, 1.0) == [[98]]


def test_the_last_event_of_a_book_says_that_it_is_not_followed_any_more() -> None:
    books = valid()
    books.follow([], 1.0)
    books.on_subscribed([], 1.1)

    assert books.next_due_at <= 1.1
    (event,) = books.take_due(1.1)
    assert (event.symbol, event.valid, event.reason) == (PAIR, False, UNWATCHED)
    bring(books, WHOLE, 1.2)
    assert books.take_due(2.0) == []


def test_a_pair_that_was_never_subscribed_is_forgotten_when_it_is_not_wanted() -> None:
    books = OrderBooks()
    books.follow([PAIR], 0.0)
    books.take_due(0.0)
    books.follow([], 1.0)

    assert books.next_due_at <= 1.0
    assert reasons(books, 1.0) == [UNWATCHED]
    assert books.take_due(2.0) == []


def test_a_pair_that_is_wanted_again_starts_with_no_book_after_its_farewell() -> None:
    books = valid()
    books.follow([], 1.0)
    books.on_subscribed([], 1.0)
    books.follow([PAIR], 1.0)

    assert reasons(books, 1.0) == [UNWATCHED, WAITING]


def test_pairs_that_no_client_watches_are_forgotten_with_their_connection() -> None:
    books = valid()
    books.follow([], 1.0)
    books.invalidate_all(LOST)

    assert reasons(books, 1.0) == [UNWATCHED]


def test_a_book_that_is_unsubscribed_although_it_is_wanted_is_invalid() -> None:
    books = valid()
    books.on_subscribed([], 1.0)

    assert reasons(books, 1.0) == [UNSUBSCRIBED]


def test_a_whole_book_may_come_before_the_answer_to_its_subscription() -> None:
    books = OrderBooks()
    books.follow([PAIR], 0.0)
    bring(books, WHOLE)
    books.on_subscribed([PAIR], 0.0)

    assert bids(books, 0.0) == [[99, 98]]


def test_a_pair_that_is_wanted_after_its_whole_book_came_is_renewed() -> None:
    books = OrderBooks()
    books.on_subscribed([PAIR], 0.0)
    bring(books, WHOLE)
    books.follow([PAIR], 1.0)

    assert reasons(books, 1.0) == [WAITING]
    assert books.take_renewals(1.0) == [PAIR]


# Events.


def test_the_first_change_leaves_at_once_and_the_last_one_of_a_window_at_its_end() -> None:
    books = valid(now=10.0)
    for step in range(1, 10):
        bring(books, row([(90 + step / 10, 1)], [(100, step)]), 10.0 + step / 100)
        assert books.take_due(10.0 + step / 100) == []
    assert books.next_due_at == pytest.approx(10.1)

    (event,) = books.take_due(books.next_due_at)
    assert (event.asks, len(event.bids)) == ([(100, 9)], 10)
    assert books.next_due_at == math.inf
    bring(books, row([(99, 0)]), 10.5)
    assert books.next_due_at <= 10.5
    assert len(books.take_due(10.5)) == 1


def test_a_book_has_at_most_ten_events_with_levels_a_second() -> None:
    books = valid(now=0.0)
    taken = []
    for step in range(1, 3_000):
        now = step / 1_000
        bring(books, row([(99, step)]), now)
        taken += [(now, event) for event in books.take_due(now)]

    assert all(later >= earlier + 0.1 for (earlier, _), (later, _) in pairwise(taken))
    assert len(taken) == 29
    assert [event.bids[0] for _, event in taken] == [(99, round(at * 1000)) for at, _ in taken]


def test_books_do_not_wait_for_each_other() -> None:
    books = subscribed("BTC/USD", "ETH/USD")
    bring(books, WHOLE, 0.0)
    books.take_due(0.0)
    bring(books, {**WHOLE, "S": "ETH/USD"}, 0.05)
    bring(books, row([(99, 0)]), 0.05)

    assert [event.symbol for event in books.take_due(0.05)] == ["ETH/USD"]
    assert [event.symbol for event in books.take_due(0.1)] == ["BTC/USD"]


def test_a_change_below_the_top_ten_makes_no_event() -> None:
    books = subscribed()
    bring(books, row([(50 - n, 1) for n in range(12)], reset=True))
    books.take_due(0.0)
    bring(books, row([(39, 7), (20, 1)]), 1.0)

    assert books.take_due(1.0) == []
    bring(books, row([(50, 0)]), 1.0)
    assert bids(books, 1.0) == [[49 - n for n in range(10)]]


def test_a_change_that_is_undone_within_its_window_makes_no_event() -> None:
    books = valid()
    bring(books, row([(99.5, 1)]), 0.01)
    bring(books, row([(99.5, 0)]), 0.02)

    assert books.take_due(0.1) == []
    assert books.next_due_at == math.inf


def test_a_fault_and_the_whole_book_within_one_frame_make_no_invalid_event() -> None:
    books = valid()
    bring(books, CROSSING, 0.01)
    bring(books, row([(97, 1)], reset=True), 0.01)

    assert books.take_due(0.01) == []
    assert bids(books, 0.1) == [[97]]


def test_a_book_that_becomes_invalid_again_and_again_has_ten_events_with_levels_a_second() -> None:
    books = valid()
    taken = []
    for step in range(1, 1_000):
        now = step / 1_000
        bring(books, CROSSING if step % 2 else WHOLE, now)
        taken += books.take_due(now)

    assert sum(event.valid for event in taken) <= 9
    assert sum(not event.valid for event in taken) <= 10


def test_an_event_is_one_json_object_with_all_its_fields() -> None:
    books = subscribed()
    bring(books, row([(1e-05, 0.25)], [(2, 10**15)], reset=True), received_us=7)

    (event,) = books.take_due(0.0)
    assert events.encode(event) == (
        b'{"symbol":"BTC/USD","bids":[[0.00001,0.25]],"asks":[[2,1000000000000000]],"valid":true,'
        b'"reason":null,"timestamp":"2026-11-16T17:00:00.123456789Z","received":7}'
    )


# Renewals.


def test_a_wrong_book_is_renewed_once() -> None:
    books = valid()
    bring(books, CROSSING, 1.0)
    books.take_due(1.0)

    assert books.take_renewals(1.0) == [PAIR]
    assert books.take_renewals(1.0) == []
    books.on_subscribed([], 1.1)
    books.on_subscribed([PAIR], 1.2)
    bring(books, WHOLE, 1.3)
    assert books.take_renewals(1e6) == []
    assert bids(books, 1.3) == [[99, 98]]


def test_a_right_book_is_not_renewed() -> None:
    assert valid().take_renewals(1e6) == []


def test_a_whole_book_that_comes_by_itself_makes_the_renewal_needless() -> None:
    books = valid()
    bring(books, CROSSING, 1.0)
    bring(books, WHOLE, 1.1)

    assert books.take_renewals(1e6) == []


def renewals_while_crossed(books: OrderBooks, start: float, seconds: int) -> list[float]:
    """Cross a book as soon as it is whole again; return when it is renewed."""
    renewed = []
    for tick in range(10 * seconds):
        now = start + tick / 10
        if books.take_renewals(now):
            renewed.append(now)
            books.on_subscribed([], now)
            books.on_subscribed([PAIR], now)
            bring(books, WHOLE, now)
            bring(books, CROSSING, now)
    return renewed


def test_a_book_that_is_crossed_again_and_again_is_renewed_after_growing_pauses() -> None:
    books = valid()
    bring(books, CROSSING, 1.0)
    renewed = renewals_while_crossed(books, 1.0, 300)

    pauses = [later - earlier for earlier, later in pairwise(renewed)]
    assert renewed[0] == 1.0
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60], abs=0.11)


def test_a_book_that_was_right_for_long_is_renewed_at_once_again() -> None:
    books = valid()
    bring(books, CROSSING, 1.0)
    renewals_while_crossed(books, 1.0, 300)
    books.on_subscribed([], 301.0)
    books.on_subscribed([PAIR], 301.0)
    bring(books, WHOLE, 301.0)
    bring(books, CROSSING, 500.0)

    assert renewals_while_crossed(books, 500.0, 4) == pytest.approx([500, 501, 503], abs=0.11)


def test_a_subscription_that_brings_no_whole_book_is_renewed() -> None:
    books = subscribed()

    assert books.take_renewals(9.9) == []
    assert books.take_renewals(10.0) == [PAIR]
    assert books.take_renewals(19.9) == []
    assert books.take_renewals(20.0) == [PAIR]


def test_renewals_that_bring_no_whole_book_come_after_growing_pauses() -> None:
    books = subscribed()
    renewed = [now for now in range(300) if books.take_renewals(float(now))]

    assert renewed[0] == 10
    pauses = [later - earlier for earlier, later in pairwise(renewed)]
    assert pauses == [10, 10, 10, 10, 16, 32, 60, 60, 60]


def test_only_subscribed_books_are_renewed() -> None:
    books = valid()
    bring(books, CROSSING, 1.0)
    books.on_subscribed([], 1.0)
    assert books.take_renewals(2.0) == []

    # The new subscription brings the whole book: it is no time to renew it.
    books.on_subscribed([PAIR], 3.0)
    assert books.take_renewals(3.0) == []


def test_a_lost_connection_ends_all_renewals() -> None:
    books = valid()
    bring(books, CROSSING, 1.0)
    books.invalidate_all(LOST)
    assert books.take_renewals(1e6) == []

    books.on_subscribed([PAIR], 2.0)
    assert books.take_renewals(2.0) == []
    assert books.take_renewals(12.0) == [PAIR]


def test_a_renewal_that_is_lost_is_due_again() -> None:
    books = valid()
    bring(books, CROSSING, 1.0)

    assert books.take_renewals(1.0) == [PAIR]
    assert books.take_renewals(11.0) == [PAIR]
