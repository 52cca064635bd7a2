"""Any course of a crypto stream: what a client is shown is right after every flush."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ingest.alpaca.messages import OrderBook, decode
from ingest.alpaca.unreadable import Malformed
from ingest.market.order_books import OrderBooks
from ingest.upstream import translation
from shared import book as events
from shared.book import Book
from tests.ingest.market import naive_book
from tests.ingest.market.book_rows import frame, row
from tests.ingest.market.naive_book import Row
from tests.ingest.market.test_order_book import some_levels

PAIRS = ["BTC/USD", "ETH/USD"]
INTERVAL = 0.1

some_pairs = st.sets(st.sampled_from(PAIRS))
all_pairs = st.just(set(PAIRS))
near = st.lists(st.tuples(st.integers(1, 8), st.integers(0, 2)), max_size=4)
far = st.lists(st.tuples(st.integers(8, 15), st.integers(0, 2)), max_size=4)
rows = st.builds(
    row,
    bids=near | near | near | some_levels,
    asks=far | far | far | some_levels,
    reset=st.sampled_from([False, False, False, True]),
    symbol=st.sampled_from(PAIRS),
)
BAD: list[dict[str, Any]] = [
    *({"b": [{"p": price, "s": 1}]} for price in (0, -1, float("nan"), float("inf"), "1", None)),
    *({"a": [{"p": 9, "s": size}]} for size in (-1, float("nan"), float("inf"), 10**18, None)),
    {"a": [{"p": 9}]},
    {"b": {}},
    {"r": "yes"},
    {"t": 7},
    {"S": 7},
]
bad_rows = st.builds(lambda row, bad: {**row, **bad}, rows, st.sampled_from(BAD))
steps = st.one_of(
    st.tuples(st.just("rows"), st.lists(rows, min_size=1, max_size=4)),
    st.tuples(st.just("rows"), st.lists(rows, min_size=1, max_size=4)),
    st.tuples(st.just("rows"), st.lists(rows | bad_rows, min_size=1, max_size=3)),
    st.tuples(st.just("wanted"), all_pairs | some_pairs),
    st.tuples(st.just("subscribed"), all_pairs | all_pairs | some_pairs),
    st.tuples(st.just("renew"), st.none()),
    st.tuples(st.just("lost"), st.none()),
)
pauses = st.sampled_from([0.0, 0.0, 0.01, 0.05, 0.1, 0.3, 15.0])


@dataclass
class Naive:
    """What each book must be, from all that has happened to it."""

    wanted: set[str] = field(default_factory=set)
    subscribed: set[str] = field(default_factory=set)
    followed: set[str] = field(default_factory=set)
    """The pairs that are wanted, or were wanted and are still subscribed."""
    rows: dict[str, list[Row]] = field(default_factory=dict)
    """The rows of each valid book from its whole one on."""

    def on_row(self, of: Row) -> None:
        symbol = of["S"]
        if symbol not in self.followed:
            return
        if of.get("r"):
            self.rows[symbol] = [of]
        elif symbol in self.rows:
            self.rows[symbol].append(of)
        if symbol in self.rows and naive_book.is_crossed(self.rows[symbol]):
            del self.rows[symbol]

    def on_bad(self, of: Row) -> None:
        for symbol in list(self.rows):
            if of["S"] in (symbol, 7):
                del self.rows[symbol]

    def settle(self) -> None:
        self.followed = self.wanted | (self.followed & self.subscribed)
        self.rows = {symbol: rows for symbol, rows in self.rows.items() if symbol in self.followed}


class Course:
    """The books, the naive ones, and the newest event of each pair that a client has."""

    def __init__(self) -> None:
        self.now = 100.0
        self.books = OrderBooks()
        self.naive = Naive()
        self.shown: dict[str, Book] = {}
        self.shown_at: dict[str, float] = defaultdict(lambda: -1.0)

    def step(self, what: str, value: Any) -> None:
        books, naive = self.books, self.naive
        if what == "rows":
            self._frame(value)
        elif what == "wanted":
            naive.wanted = value
            books.follow(value, self.now)
        elif what == "subscribed":
            # A whole book may come before the answer to its own subscription.
            for symbol in naive.subscribed - value:
                naive.rows.pop(symbol, None)
            naive.subscribed = value
            books.on_subscribed(value, self.now)
        elif what == "lost":
            naive.subscribed, naive.rows = set(), {}
            books.invalidate_all("lost")
        else:
            renewed = books.take_renewals(self.now)
            assert set(renewed) <= naive.subscribed - set(naive.rows)
        naive.settle()

    def _frame(self, rows: list[Row]) -> None:
        found = decode(frame(*rows))
        assert len(found) == len(rows)
        for each, of in zip(found, rows, strict=True):
            if isinstance(each, OrderBook):
                self.books.on_message(each, translation.order_book_time(each), 7, self.now)
                self.naive.on_row(of)
            else:
                assert isinstance(each, Malformed)
                self.books.on_unreadable(each.symbol, self.now)
                self.naive.on_bad(of)

    def flush(self) -> None:
        for event in self.books.take_due(self.now):
            before = self.shown.get(event.symbol)
            assert before is None or _view(before) != _view(event)
            assert before is None or event.valid or before.reason != event.reason
            self.shown[event.symbol] = msgspec.json.decode(events.encode(event), type=Book)
            if event.valid:
                assert self.now >= self.shown_at[event.symbol] + INTERVAL
                self.shown_at[event.symbol] = self.now
        for symbol in self.naive.followed | self.shown.keys():
            self._compare(symbol)

    def _compare(self, symbol: str) -> None:
        shown, rows = self.shown[symbol], self.naive.rows.get(symbol)
        assert len(shown.bids) <= 10 >= len(shown.asks)
        if rows is None:
            assert (shown.valid, shown.bids, shown.asks) == (False, [], [])
            assert shown.reason
        elif self.now >= self.shown_at[symbol] + INTERVAL:
            assert (shown.valid, shown.reason) == (True, None)
            assert (shown.bids, shown.asks) == naive_book.top(rows)
            assert shown.timestamp == rows[-1]["t"]


def _view(event: Book) -> tuple[Any, ...]:
    return event.valid, event.reason, event.bids, event.asks


@given(st.lists(st.tuples(pauses, steps), max_size=40))
def test_a_shown_book_is_the_naive_one_or_reported_as_invalid(
    course: list[tuple[float, tuple[str, Any]]],
) -> None:
    stream = Course()
    stream.step("wanted", set(PAIRS))
    stream.step("subscribed", set(PAIRS))
    stream.flush()
    for pause, (what, value) in course:
        stream.now += pause
        stream.step(what, value)
        stream.flush()
    stream.now += INTERVAL
    stream.flush()
