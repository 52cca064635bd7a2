"""REST is mostly ahead of the stream: what the stream is about to bring is left to it."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from ingest.market.last_price import LastPrices
from ingest.market.rest_lead import LOOKS, PASSED_NS
from shared import rfc3339
from shared.price import Price
from tests.ingest.trades import NOON, SECOND, cancel_of, rest_snapshot, trade, two_days

NOW_US = (NOON + 60 * SECOND) // 1000
MS = 1_000_000
MINUTE = 60 * SECOND


class Both:
    """A tape whose prints come by the stream, by REST, or by both; the price is the index."""

    def __init__(self, *times: int) -> None:
        self.prices = LastPrices(two_days())
        self.tape = [
            trade(NOON + at, 100 + index / 100, number=index) for index, at in enumerate(times)
        ]
        self.shown: list[int] = []

    def live(self, *indexes: int) -> None:
        for index in indexes:
            print_ = self.tape[index]
            self._show(self.prices.on_trade(print_, print_.at_ns, NOW_US))

    def snapshot(self, index: int, **more: Any) -> None:
        """Let REST report a print as the latest trade."""
        print_ = self.tape[index]
        latest = {
            "t": rfc3339.from_nanoseconds(print_.at_ns),
            "p": print_.price,
            "s": print_.size,
            "i": print_.id,
            "x": print_.exchange,
            "c": list(print_.conditions or ()),
            "z": print_.tape,
        }
        self._show(
            self.prices.on_snapshot("SPY", rest_snapshot({"latestTrade": latest, **more}), NOW_US)
        )

    def missed(self, *indexes: int) -> None:
        """Have REST bring prints after a loss; what they make is published once."""
        found = [self.prices.on_rest_trade(self.tape[index], NOW_US) for index in indexes]
        self._show(next((each for each in reversed(found) if each), None))

    def doubts(self) -> int:
        """Look, once a second, until REST is to be asked; return how often it took."""
        for looks in range(1, LOOKS + 2):
            if self.prices.take_doubtful():
                return looks
        return 0

    def _show(self, last: Price | None) -> None:
        if last is not None:
            assert last.price is not None
            self.shown.append(round(100 * last.price) - 10_000)


def test_what_rest_shows_before_the_stream_has_brought_it_does_not_take_its_place() -> None:
    both = Both(*range(0, 6 * MS, MS))
    both.live(0, 1)
    both.snapshot(4)
    both.live(2, 3, 4, 5)

    assert both.shown == [0, 1, 2, 3, 4, 5]
    assert both.doubts() == 0, "it has come"


def test_the_first_price_is_rests_and_what_is_older_does_not_follow_it() -> None:
    both = Both(*range(0, 4 * MS, MS))
    both.snapshot(2)
    both.live(1, 2, 3)

    assert both.shown == [2, 3]


def test_of_rests_own_moment_only_what_comes_after_its_trade_follows_it() -> None:
    both = Both(0, 0, 0, 0, 0)
    both.snapshot(2)
    both.live(0, 1, 2, 3, 4)

    assert both.shown == [2, 3, 4]


def test_where_rests_trade_never_comes_rest_says_what_was_last_in_its_moment() -> None:
    both = Both(0, 0, 0)
    both.snapshot(0)
    both.live(1, 2)
    assert both.doubts() == 1
    both.snapshot(2)

    assert both.shown == [0, 2]


def test_what_the_stream_does_not_bring_is_asked_for_and_believed() -> None:
    both = Both(*range(0, 4 * MS, MS))
    both.live(0)
    both.snapshot(1)
    assert both.doubts() == LOOKS + 1
    both.snapshot(2)
    both.live(3)

    assert both.shown == [0, 2, 3]


def test_what_the_stream_has_passed_is_missed_and_believed_at_once() -> None:
    both = Both(0, MS)
    both.live(0)
    other = trade(NOON + MS + PASSED_NS, symbol="IBM")
    both.prices.on_trade(other, other.at_ns, NOW_US)
    both.snapshot(1)

    assert both.shown == [0, 1]


def test_a_symbol_that_is_on_the_stream_anew_has_rests_price_at_once() -> None:
    both = Both(0, MS, 2 * MS, 3 * MS)
    both.live(0)
    both.prices.begin(["SPY"])
    both.missed(1, 2)
    both.live(2, 3)

    assert both.shown == [0, 2, 3]


def test_missed_prints_fill_the_hole_before_what_came_live_meanwhile() -> None:
    both = Both(*range(0, 6 * MS, MS))
    both.live(0)
    both.prices.begin(["SPY"])
    both.live(3)
    both.missed(1, 2, 3, 4)
    both.live(4, 5)

    assert both.shown == [0, 3, 4, 5]
    last = both.prices.on_cancel(cancel_of(both.tape[5]), NOW_US)
    assert last is both.prices.by_symbol["SPY"]
    assert last.price == 100.04


def test_a_minute_bar_whose_last_trade_is_on_its_way_does_not_take_its_place() -> None:
    both = Both(0, MINUTE - MS, MINUTE - MS)
    both.tape[2] = structs.replace(both.tape[2], conditions=("I",))
    both.live(0)
    bar = {"t": rfc3339.from_nanoseconds(NOON + MS), "c": 100.01}
    both.snapshot(2, minuteBar=bar)
    both.live(1, 2)

    assert both.shown == [0, 1]


@pytest.mark.parametrize("by_rest", [True, False])
def test_a_price_out_of_redis_is_not_published_again(by_rest: bool) -> None:
    before, both = Both(0, MS), Both(0, MS)
    before.live(0)
    both.prices.restore(before.prices.by_symbol["SPY"])
    if by_rest:
        both.missed(0)
    else:
        both.live(0)
    both.live(1)

    assert both.shown == [1]


prints = st.tuples(st.integers(0, 1), st.none() | st.integers(-3, 6))
"""Milliseconds since the print before, and how far REST is ahead if it answers just before it."""


@given(st.lists(prints, min_size=1, max_size=20), st.integers(0, 5))
def test_from_the_first_live_print_on_every_one_is_shown_once_whatever_rest_says(
    course: list[tuple[int, int | None]], first: int
) -> None:
    both, end = Both(*itertools.accumulate(step * MS for step, _ in course)), len(course)
    live_from, told = None, 0
    for index, (_, ahead) in enumerate(course):
        if index < min(first, end - 1):
            continue
        if ahead is not None:
            told = min(max(index + ahead, told), end - 1)
            both.snapshot(told)
        count = len(both.shown)
        both.live(index)
        if live_from is None and len(both.shown) > count:
            live_from = count
    if both.doubts():
        both.snapshot(end - 1)

    assert both.shown == sorted(set(both.shown))
    assert both.shown[-1] == end - 1
    if live_from is not None:
        assert both.shown[live_from:] == list(range(both.shown[live_from], end))
