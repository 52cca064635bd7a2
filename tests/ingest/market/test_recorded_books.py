"""Two recorded markets: each book that a client is shown is the naive rebuild of its messages."""

import math
from collections import defaultdict

import msgspec
import pytest

from ingest.market.order_book import OrderBook
from ingest.market.order_books import OrderBooks
from shared import book, rfc3339
from shared.book import Book
from tests.ingest.market import naive_book
from tests.ingest.market.book_rows import RECORDINGS, bring, message, recorded
from tests.ingest.market.naive_book import Levels, Row


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_whole_book_is_the_naive_one_after_every_message(name: str) -> None:
    books: dict[str, OrderBook] = defaultdict(OrderBook)
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in recorded(name):
        symbol = row["S"]
        rows[symbol] = [row] if row.get("r") else [*rows[symbol], row]
        books[symbol].apply(message(row))

        whole = naive_book.top(rows[symbol], count=10_000)
        assert (books[symbol].bids.top(10_000), books[symbol].asks.top(10_000)) == whole
        assert not books[symbol].is_crossed
    assert len(books) == {RECORDINGS[0]: 10, RECORDINGS[1]: 6}[name]


class Client:
    """Keeps the newest event of each pair, as the hub does; each is read from its JSON."""

    def __init__(self, symbols: set[str]) -> None:
        self.books = OrderBooks()
        self.shown: dict[str, Book] = {}
        self.shown_at: dict[str, float] = {}
        self.events = 0
        self.books.follow(symbols, 0.0)
        self.books.on_subscribed(symbols, 0.0)

    def flush(self, now: float) -> None:
        for event in self.books.take_due(now):
            self.shown[event.symbol] = msgspec.json.decode(book.encode(event), type=Book)
            if event.valid:
                self.events += 1
                self.shown_at[event.symbol] = now

    def is_shown(self, symbol: str, top: tuple[Levels, Levels]) -> bool:
        shown = self.shown[symbol]
        return shown.valid and shown.reason is None and (shown.bids, shown.asks) == top


@pytest.mark.parametrize("name", RECORDINGS)
@pytest.mark.parametrize("flush_seconds", [0.0, 0.05, 0.1, 1.0])
def test_the_top_ten_is_the_naive_one_at_every_flush(name: str, flush_seconds: float) -> None:
    client = Client({row["S"] for row in recorded(name)})
    rows: dict[str, list[Row]] = defaultdict(list)
    tops: dict[str, tuple[Levels, Levels]] = {}
    start = rfc3339.to_nanoseconds(recorded(name)[0]["t"])
    flushed_at, changes = 0.0, 0
    for row in recorded(name):
        symbol, now = row["S"], (rfc3339.to_nanoseconds(row["t"]) - start) / 1e9
        bring(client.books, row, now)
        rows[symbol].append(row)
        before, tops[symbol] = tops.get(symbol), naive_book.top(rows[symbol])
        changes += tops[symbol] != before
        if now - flushed_at >= flush_seconds:
            flushed_at = now
            client.flush(now)
            for each, top in tops.items():
                # The changes of a tenth of a second wait for its end, and for no longer.
                waits = now < client.shown_at[each] + 0.1
                assert client.is_shown(each, top) or waits
    client.flush(now + 0.1)

    assert all(client.is_shown(each, top) for each, top in tops.items())
    assert len(tops) < client.events <= changes
    assert client.books.next_due_at == math.inf
