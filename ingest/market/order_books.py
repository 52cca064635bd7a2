"""The order books of all watched pairs: their events, ten a second each, and their renewals. Pure.

Times are monotonic seconds, except those of messages.
"""

import math
from collections.abc import Iterable

from ingest.market.followed_book import UNREADABLE, UNWATCHED, WITHHELD, FollowedBook
from ingest.market.order_book import MOST_LEVELS, BookMessage
from shared.book import Book


class OrderBooks:
    """A book for each followed pair, and events for those that have changed.

    A pair is followed from the moment it is wanted until it is neither wanted nor subscribed. Its
    first event says that the book is not valid yet: Redis may have an old one. Its last event says
    that it is not followed any more. A book is valid from its first whole message
    (``BookMessage.reset``) on. It is not while the connection is lost, nor from the moment it is
    crossed, lacks levels or has missed a message until the next whole one.

    Memory: each side of a followed book has at most ``most_levels`` levels.
    """

    def __init__(self, most_levels: int = MOST_LEVELS) -> None:
        self._most_levels = most_levels
        self._books: dict[str, FollowedBook] = {}
        self._wanted: frozenset[str] = frozenset()
        self._subscribed: frozenset[str] = frozenset()
        self._changed: dict[str, FollowedBook] = {}
        """The books that may need an event."""
        self._farewells: list[Book] = []
        """The last events of books that are not followed any more."""
        self._due_at = math.inf
        """No event of a changed book is due before this time."""

    @property
    def next_due_at(self) -> float:
        """When ``take_due`` may have an event: a past time if it has one now, ``inf`` if never."""
        return -math.inf if self._farewells else self._due_at

    def follow(self, symbols: Iterable[str], now: float) -> None:
        """Follow the wanted pairs, and forget others that are not subscribed."""
        wanted = frozenset(symbols)
        if wanted == self._wanted:
            return
        for symbol in sorted(wanted - self._books.keys()):
            book = self._books[symbol] = FollowedBook(symbol, self._most_levels)
            # Its whole book came before it was wanted, and comes again with a renewal only.
            if symbol in self._subscribed:
                book.on_subscribed(now)
                book.pace.request(now)
            self._note_change(book)
        self._wanted = wanted
        self._forget_unfollowed()

    def on_subscribed(self, symbols: Iterable[str], now: float) -> None:
        """Accept the vendor's answer: all pairs whose books are subscribed now."""
        before, self._subscribed = self._subscribed, frozenset(symbols)
        for symbol in before ^ self._subscribed:
            if book := self._books.get(symbol):
                if symbol in self._subscribed:
                    book.on_subscribed(now)
                else:
                    book.on_unsubscribed()
                self._note_change(book)
        self._forget_unfollowed()

    def on_message(self, message: BookMessage, at_ns: int, received_us: int, now: float) -> None:
        """Apply a message; one about a pair that is not followed changes nothing.

        ``at_ns`` is its time in unix ns, ``received_us`` that of its arrival in unix µs.
        """
        book = self._books.get(message.symbol)
        if book is not None and book.on_message(message, at_ns, received_us, now):
            self._note_change(book)

    def on_unreadable(self, symbol: str, now: float) -> None:
        """Note that a message about a book could not be read or applied, so that the book is wrong.

        An empty symbol means that any book may have missed a message: the symbol is unreadable as
        well, or it was a whole frame.
        """
        books = self._books.values() if not symbol else filter(None, [self._books.get(symbol)])
        for book in books:
            book.on_wrong(UNREADABLE, now)
            self._note_change(book)

    def on_withheld(self, symbols: Iterable[str], now: float) -> None:
        """Note that the stream withholds trades of pairs: their books may lack changes as well."""
        for symbol in symbols:
            if book := self._books.get(symbol):
                book.on_wrong(WITHHELD, now)
                self._note_change(book)

    def invalidate(self, symbol: str, reason: str) -> None:
        """Report that a book is not valid for a reason of the connection's or the subscription's.

        Such as that the plan has no room for it. The whole book makes it valid.
        """
        if book := self._books.get(symbol):
            book.invalidate(reason)
            self._note_change(book)

    def invalidate_all(self, reason: str) -> None:
        """Report that no book is valid: the connection is lost, and all subscriptions with it."""
        self._subscribed = frozenset()
        for symbol in self._books:
            self.invalidate(symbol, reason)
        self._forget_unfollowed()

    def take_due(self, now: float) -> list[Book]:
        """Return the events that are due, once each.

        One of a book that is no longer valid is due at once. One with levels is due 0.1 s after the
        last one of its book with levels, and only if they differ.
        """
        events, self._farewells = self._farewells, []
        if now < self._due_at:
            return events
        for symbol, book in list(self._changed.items()):
            if book.due_at <= now:
                del self._changed[symbol]
                event = book.take_event(now)
                if event is not None:
                    events.append(event)
        self._due_at = min((book.due_at for book in self._changed.values()), default=math.inf)
        return events

    def newest(self) -> list[Book]:
        """Return the newest event of each followed book that has one."""
        return [book.newest for book in self._books.values() if book.newest is not None]

    def take_renewals(self, now: float) -> list[str]:
        """Return the subscribed pairs to unsubscribe and to subscribe again, once each.

        The first renewal of a wrong book is due at once, further ones after longer and longer
        pauses (``RenewalPace``); so is that of a book whose whole message does not come.
        """
        due = [
            symbol
            for symbol in sorted(self._subscribed)
            if (book := self._books.get(symbol)) is not None
            and book.pace.due_at is not None
            and book.pace.due_at <= now
        ]
        for symbol in due:
            self._books[symbol].pace.take(now)
        return due

    def _note_change(self, book: FollowedBook) -> None:
        self._changed[book.symbol] = book
        due_at = book.due_at
        if due_at < self._due_at:
            self._due_at = due_at

    def _forget_unfollowed(self) -> None:
        for symbol in self._books.keys() - self._wanted - self._subscribed:
            book = self._books.pop(symbol)
            book.invalidate(UNWATCHED)
            farewell = book.take_event(-math.inf)
            if farewell is not None:
                self._farewells.append(farewell)
