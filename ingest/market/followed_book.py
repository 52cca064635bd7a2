"""The book of one watched pair: whether it is valid, its events, and its renewals. Pure.

Times are monotonic seconds, except those of messages.
"""

import math

from ingest.market.order_book import BookMessage, OrderBook
from ingest.market.renewal_pace import RenewalPace
from shared import rfc3339
from shared.book import TOP_LEVELS, Book

EVENT_SECONDS = 0.1
"""The shortest time between two events with levels."""

WAITING = "Alpaca has not sent the whole book yet."
UNSUBSCRIBED = "Alpaca does not send this book at present."
UNWATCHED = "No client watches this book."
WITHHELD = "Alpaca's stream withholds trades of the pair, and may withhold changes of its book."
UNREADABLE = "A message about this book could not be read. The whole book is requested again."
SHORT = (
    f"Fewer than {TOP_LEVELS} levels of this book are known, and there may be more. The whole book "
    "is requested again."
)


class FollowedBook:
    """A book is valid from a whole one until it is wrong, or until no more messages come.

    Changes to a book that is not valid are ignored. ``reason`` is None if it is valid.
    """

    def __init__(self, symbol: str, most_levels: int) -> None:
        self.symbol = symbol
        self.reason: str | None = WAITING
        self.pace = RenewalPace()
        self._is_wrong = False
        """Whether the reason is a fault of the book, which another reason does not replace."""
        self._book = OrderBook(most_levels)
        self._at_ns: int | None = None
        self._received_us: int | None = None
        self.newest: Book | None = None
        """The newest event."""
        self._shown_at = -math.inf
        """When the newest event with levels was taken."""

    @property
    def due_at(self) -> float:
        """When its next event may leave: at once if it is not valid."""
        return -math.inf if self.reason is not None else self._shown_at + EVENT_SECONDS

    def on_message(self, message: BookMessage, at_ns: int, received_us: int, now: float) -> bool:
        """Apply a message; return whether it counts: a book that is not valid needs a whole one.

        ``at_ns`` is its time in unix ns, ``received_us`` that of its arrival in unix µs.
        """
        if self.reason is not None and not message.reset:
            return False
        self._at_ns, self._received_us = at_ns, received_us
        self._book.apply(message)
        problem = self._problem()
        if problem is not None:
            self.on_wrong(problem, now)
        elif self.reason is not None:
            self.reason, self._is_wrong = None, False
            self.pace.cancel()
        return True

    def on_wrong(self, reason: str, now: float) -> None:
        """Drop the levels and request the whole book: it is crossed, or has missed a message.

        The message may be the whole book that an invalid one waits for.
        """
        if not self._is_wrong:
            self.reason, self._is_wrong = reason, True
        self._book.clear()
        self.pace.request(now)

    def on_subscribed(self, now: float) -> None:
        """Note another subscription, with which the whole book comes, or has come already."""
        if self.reason is not None:
            self.pace.expect(now)
            if not self._is_wrong:
                self.reason = WAITING

    def on_unsubscribed(self) -> None:
        """Note that no messages come, until the next subscription."""
        if self.reason is None:
            self.invalidate(UNSUBSCRIBED)

    def invalidate(self, reason: str) -> None:
        """Drop the levels for a reason that is not the book's own."""
        self.reason, self._is_wrong = reason, False
        self._book.clear()

    def take_event(self, now: float) -> Book | None:
        """Return the present state if it differs from the newest event, else None."""
        is_valid = self.reason is None
        event = Book(
            symbol=self.symbol,
            bids=self._book.bids.top(TOP_LEVELS),
            asks=self._book.asks.top(TOP_LEVELS),
            valid=is_valid,
            reason=self.reason,
            timestamp=None if self._at_ns is None else rfc3339.from_nanoseconds(self._at_ns),
            received=self._received_us,
        )
        if self.newest is not None and _view(self.newest) == _view(event):
            return None
        self.newest = event
        if is_valid:
            self._shown_at = now
        return event

    def _problem(self) -> str | None:
        """Return why the book is wrong after a message, or None."""
        book = self._book
        if book.is_crossed:
            return (
                f"The best bid {book.bids.best} was not below the best ask {book.asks.best}. The "
                "whole book is requested again."
            )
        return SHORT if book.is_short_of(TOP_LEVELS) else None


def _view(event: Book) -> tuple[object, ...]:
    return event.reason, event.bids, event.asks
