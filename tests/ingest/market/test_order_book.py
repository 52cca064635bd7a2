"""One pair's book: levels by price, in any order of messages, within its bound of memory."""

import sys
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.market.order_book import OrderBook
from tests.ingest.market import naive_book
from tests.ingest.market.book_rows import message, row
from tests.ingest.market.naive_book import Row

EVERYTHING = 10_000


def book_of(*rows: Row, most_levels: int = 2_000) -> OrderBook:
    """Return a book to which the messages of rows were applied."""
    book = OrderBook(most_levels)
    for each in rows:
        book.apply(message(each))
    return book


def levels(book: OrderBook, count: int = EVERYTHING) -> tuple[Any, Any]:
    return book.bids.top(count), book.asks.top(count)


WHOLE = row([(99, 1), (98.5, 2)], [(100, 3), (101, 4)], reset=True)


def test_the_best_levels_come_first_on_both_sides() -> None:
    book = book_of(row([(98.5, 2), (99, 1), (97, 5)], [(101, 4), (100, 3)], reset=True))

    assert levels(book) == ([(99, 1), (98.5, 2), (97, 5)], [(100, 3), (101, 4)])
    assert levels(book, 1) == ([(99, 1)], [(100, 3)])


def test_a_size_is_absolute_and_zero_removes_its_level() -> None:
    book = book_of(WHOLE, row([(99, 0.5), (98.5, 0)], [(100, 0.0), (100.5, 7)]))

    assert levels(book) == ([(99, 0.5)], [(100.5, 7), (101, 4)])


def test_a_whole_book_replaces_all_levels_before_it() -> None:
    book = book_of(WHOLE, row([(50, 1)], reset=True))

    assert levels(book) == ([(50, 1)], [])


def test_a_whole_book_may_have_levels_of_no_size() -> None:
    book = book_of(row([(99, 0), (98, 1)], [(100, 0)], reset=True))

    assert levels(book) == ([(98, 1)], [])


def test_the_removal_of_an_unknown_level_is_no_error() -> None:
    book = book_of(WHOLE, row([(98.75, 0), (1e-9, 0)], [(100.5, 0)]), row([(98.75, 0)]))

    assert levels(book) == levels(book_of(WHOLE))


def test_the_last_of_two_levels_with_one_price_counts() -> None:
    book = book_of(WHOLE, row([(99, 5), (99, 0), (99, 6)], [(102, 1), (102, 0)]))

    assert levels(book) == ([(99, 6), (98.5, 2)], [(100, 3), (101, 4)])


def test_sides_may_cross_within_a_message() -> None:
    book = book_of(WHOLE, row([(100, 1)], [(100, 0)]))

    assert not book.is_crossed
    assert levels(book, 1) == ([(100, 1)], [(101, 4)])


@pytest.mark.parametrize(("bid", "is_crossed"), [(99.99, False), (100, True), (100.01, True)])
def test_a_book_is_crossed_if_its_best_bid_is_not_below_its_best_ask(
    bid: float, is_crossed: bool
) -> None:
    assert book_of(WHOLE, row([(bid, 1)])).is_crossed is is_crossed


@pytest.mark.parametrize("sides", [{"bids": [(99, 1)]}, {"asks": [(99, 1)]}, {}])
def test_a_book_with_one_side_or_none_is_not_crossed(sides: Any) -> None:
    assert not book_of(row(**sides, reset=True)).is_crossed


def test_a_message_that_is_repeated_at_once_changes_nothing() -> None:
    change = row([(99, 5), (98, 1)], [(100, 0)])

    assert levels(book_of(WHOLE, change, change)) == levels(book_of(WHOLE, change))


def test_a_message_applies_when_it_comes_whatever_its_time() -> None:
    late = row([(99, 0)], at="2026-11-16T16:59:59Z")

    assert levels(book_of(WHOLE, late)) == ([(98.5, 2)], [(100, 3), (101, 4)])


@given(st.lists(st.tuples(st.sampled_from([97, 98, 99]), st.integers(0, 3)), max_size=12))
def test_changes_that_a_whole_book_contains_leave_it_as_it_is_once_all_have_come(
    changes: Sequence[tuple[float, float]],
) -> None:
    """A vendor that subscribes before it reads the whole book may send them after it."""
    rows = [row([each]) for each in changes]
    bids, _ = naive_book.rebuilt([WHOLE, *rows])
    whole = row(bids.items(), reset=True)

    assert levels(book_of(whole, *rows)) == levels(book_of(whole))


def test_prices_stay_as_they_were_decoded() -> None:
    prices = [0.1 + 0.2, 0.3, 2.532e-05, 5e-324, 999_999_999.999, 7]
    book = book_of(row([(price, 1) for price in prices], reset=True))

    found = [price for price, _ in book.bids.top(10)]
    assert found == sorted(prices, reverse=True)
    assert [type(price) for price in found] == [float, int, float, float, float, float]


def test_a_whole_number_and_its_fraction_are_one_price() -> None:
    book = book_of(WHOLE, row([(99.0, 9)], [(100.0, 0)]))

    assert levels(book) == ([(99, 9), (98.5, 2)], [(101, 4)])


def test_beyond_the_bound_the_best_levels_stay() -> None:
    far = [(90 - n, 1) for n in range(8)]
    book = book_of(
        row([*far, (99, 1)], [(200 + n, 1) for n in range(3)], reset=True), most_levels=4
    )

    assert levels(book) == ([(99, 1), (90, 1), (89, 1), (88, 1)], [(200, 1), (201, 1), (202, 1)])


def test_a_better_level_takes_the_place_of_the_worst_one() -> None:
    book = book_of(row([(9, 1), (8, 1), (7, 1)], reset=True), row([(8.5, 1)]), most_levels=3)

    assert levels(book)[0] == [(9, 1), (8.5, 1), (8, 1)]


def test_levels_that_were_cut_off_do_not_return_between_unknown_ones() -> None:
    """6 was cut off: 5 would be shown as if there were no bid at 6."""
    rows = [row([(9, 1), (8, 1), (7, 1), (6, 1)], reset=True), row([(9, 0)]), row([(5, 1), (6, 2)])]
    book = book_of(*rows, most_levels=3)

    assert levels(book)[0] == [(8, 1), (7, 1)]
    assert [book.is_short_of(count) for count in (2, 3)] == [False, True]
    book.apply(message(row([(5, 1)])))
    book.apply(message(row([(6, 1)])))
    assert levels(book)[0] == [(8, 1), (7, 1)]


def test_levels_better_than_those_that_were_cut_off_may_leave_and_return() -> None:
    cut = row([(9, 1), (8, 1), (7, 1), (6, 1)], reset=True)
    book = book_of(cut, row([(8, 0)]), row([(7, 0)]), row([(7, 2)]), row([(6.5, 3)]), most_levels=3)

    assert levels(book)[0] == [(9, 1), (7, 2), (6.5, 3)]


def test_a_book_with_room_for_all_levels_is_never_short_of_any() -> None:
    book = book_of(row([(9, 1), (8, 1), (7, 1)], reset=True), row([(9, 0)]), most_levels=3)

    assert not book.is_short_of(10)


def test_a_whole_book_ends_the_ignorance_of_what_was_cut_off() -> None:
    cut = [row([(9, 1), (8, 1), (7, 1), (6, 1)], reset=True), row([(9, 0), (8, 0)])]
    book = book_of(*cut, row([(6, 1)], reset=True), row([(5, 1)]), most_levels=3)

    assert levels(book)[0] == [(6, 1), (5, 1)]
    assert not book.is_short_of(10)


prices = st.one_of(
    st.sampled_from([n / 4 for n in range(36, 48)]),
    st.integers(8, 13),
    st.sampled_from([5e-324, 0.1 + 0.2, 0.3, 999_999_999, 999_999_999.999, 1e-9]),
    st.floats(5e-324, 1e9, exclude_max=True),
)
sizes = st.one_of(
    st.sampled_from([0, 0.0, -0.0, 0]),
    st.sampled_from([1, 2, 1e-08, 5e-324, 10**15 + 1, 9e17]),
    st.floats(0, 1e18, exclude_max=True),
)
some_levels = st.lists(st.tuples(prices, sizes), max_size=8)
rows = st.builds(
    row, bids=some_levels, asks=some_levels, reset=st.sampled_from([False, False, False, True])
)


@given(st.lists(rows, max_size=25))
def test_any_course_of_messages_leaves_the_naive_book(course: list[Row]) -> None:
    book = OrderBook()
    for index, each in enumerate(course):
        book.apply(message(each))

        so_far = course[: index + 1]
        assert levels(book) == naive_book.top(so_far, EVERYTHING)
        assert book.is_crossed == naive_book.is_crossed(so_far)
        assert not book.is_short_of(EVERYTHING)


few_levels = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 2)), max_size=3)
few_prices = st.builds(
    row, bids=few_levels, asks=few_levels, reset=st.sampled_from([False] * 9 + [True])
)


@given(
    st.lists(few_prices, max_size=40) | st.lists(rows, max_size=25),
    st.integers(1, 12),
    st.integers(1, 10),
)
def test_a_bounded_book_has_the_naive_top_unless_it_knows_that_it_is_short(
    course: list[Row], most_levels: int, count: int
) -> None:
    book = OrderBook(most_levels)
    naive = [naive_book.top(course[: end + 1], EVERYTHING) for end in range(len(course))]
    for end, each in enumerate(course):
        book.apply(message(each))

        for at, side in enumerate((book.bids, book.asks)):
            all_levels, known = naive[end][at], side.top(EVERYTHING)
            assert len(known) == len(side) == len(side._sizes) <= most_levels
            # The known levels are the best ones, with none between them left out.
            assert known == all_levels[: len(known)]
            is_short = side.is_cut and len(side) < count
            assert is_short or side.top(count) == all_levels[:count]
            if all(len(before[at]) <= most_levels for before in naive[: end + 1]):
                assert known == all_levels
                assert not side.is_cut


def test_a_huge_message_leaves_no_more_memory_than_the_bound_needs() -> None:
    huge = [(n / 100, 1.0) for n in range(1, 50_001)]
    bound = sys.getsizeof(dict(huge[:2_000]))
    book = book_of(row(huge, reset=True))
    for change in (row(huge[::-1]), row([(0.005, 1)], huge[:10]), row(huge, reset=True)):
        assert (len(book.bids), len(book.bids._sizes)) == (2_000, 2_000)
        assert book.bids.top(2_000) == huge[:-2_001:-1]
        assert sys.getsizeof(book.bids._sizes) <= 2 * bound
        assert sys.getsizeof(book.bids._keys) <= 2 * sys.getsizeof(huge[:2_000])
        book.apply(message(change))
