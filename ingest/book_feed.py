"""The order books of the watched pairs while this process leads: from the stream to Redis."""

import asyncio
import math
import time
from collections.abc import Callable, Iterable

from ingest.alpaca.messages import OrderBook
from ingest.bus.announcer import Announcer
from ingest.demand.channels import ORDERBOOKS
from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand
from ingest.market.order_books import OrderBooks
from ingest.upstream.translation import order_book_time
from shared.topics import BOOK, topic
from shared.waiting import wait_at_most

LOOK_SECONDS = 0.5
"""The longest pause between two looks: renewals and the demand cause no message."""

DISCONNECTED = "Alpaca's stream is disconnected."
NO_ROOM = "Alpaca's plan has no room for another book."
NO_CHANNEL = "Alpaca's stream has no order books for this account."


class BookFeed:
    """Follows the watched books; ``monotonic`` gives seconds."""

    def __init__(
        self,
        demand: Demand,
        subscription: Subscription,
        announcer: Announcer,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._demand = demand
        self._subscription = subscription
        self._announcer = announcer
        self._monotonic = monotonic
        self._books = OrderBooks()
        self._wake = asyncio.Event()
        self._sleeps_until = math.inf
        """When the present pause between two looks ends."""

    async def run(self) -> None:
        """Announce what is due, and renew wrong books, until cancelled."""
        while True:
            self._wake.clear()
            self._look(self._monotonic())
            now = self._monotonic()
            self._sleeps_until = min(self._books.next_due_at, now + LOOK_SECONDS)
            if (pause := self._sleeps_until - now) > 0:
                await wait_at_most(self._wake, pause)
            else:
                await asyncio.sleep(0)

    def republish(self) -> None:
        """Announce the newest view of each book again, for a new epoch or an emptied Redis."""
        for book in self._books.newest():
            self._announcer.book(book)

    def on_message(self, message: OrderBook, received_us: int, now: float) -> None:
        """Apply a message; ``received_us`` is unix µs, ``now`` monotonic seconds.

        Raises:
            ValueError: its time is none. The book is wrong then.
        """
        try:
            at_ns = order_book_time(message)
        except ValueError:
            self.on_unreadable(message.symbol, now)
            raise
        self._books.on_message(message, at_ns, received_us, now)
        # A change soon after an event is due 0.1 s after that, and not at the next look.
        if self._books.next_due_at < self._sleeps_until:
            self._wake.set()

    def on_unreadable(self, symbol: str, now: float) -> None:
        """Note that a message about a book is lost; an empty symbol: about any of them."""
        self._books.on_unreadable(symbol, now)
        self._wake.set()

    def on_withheld(self, symbols: Iterable[str], now: float) -> None:
        """Note that the stream withholds trades of pairs: their books are renewed."""
        self._books.on_withheld(symbols, now)
        self._wake.set()

    def on_subscription(self, now: float) -> None:
        """Note the subscribed books."""
        self._books.on_subscribed(self._subscription.acknowledged.get(ORDERBOOKS, ()), now)
        self._wake.set()

    def on_lost(self) -> None:
        """Note that the connection has ended."""
        self._books.invalidate_all(DISCONNECTED)
        self._wake.set()

    def _look(self, now: float) -> None:
        wanted = [each for each in self._demand.symbols() if self._watches(each)]
        self._books.follow(wanted, now)
        self._explain_absence()
        self._subscription.renew(ORDERBOOKS, self._books.take_renewals(now))
        for book in self._books.take_due(now):
            self._announcer.book(book)

    def _watches(self, symbol: str) -> bool:
        return self._demand.watches(topic(BOOK, symbol))

    def _explain_absence(self) -> None:
        """Report why books do not come that Alpaca does not give this account."""
        if ORDERBOOKS in self._subscription.given_up:
            for symbol in self._demand.symbols():
                self._books.invalidate(symbol, NO_CHANNEL)
        for symbol in self._subscription.left_out.get(ORDERBOOKS, ()):
            self._books.invalidate(symbol, NO_ROOM)
