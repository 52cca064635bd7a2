"""The simulator of a chaos run, and the ledgers of all that it has done."""

import time
from collections.abc import Mapping
from typing import Any

from simulator.protocol.wire import Message
from simulator.service import Simulator, SimulatorSettings
from tests.chaos.books import Books
from tests.chaos.day_bars import DayBarLedger
from tests.chaos.follower import Complain
from tests.chaos.markets import BOOK_PAIR
from tests.chaos.news import NewsLedger
from tests.chaos.order_books import BookLedger
from tests.chaos.orders import OrderLedger
from tests.chaos.sent import Sent
from tests.chaos.tape import Tape


class Record:
    """Makes the simulator, which is not started yet, and notes everything from its beginning on."""

    def __init__(self, tape: Tape, settings: SimulatorSettings, complain: Complain) -> None:
        self.tape = tape
        self.ledger = tape.ledger
        self.simulator = Simulator(settings, on_update=self._on_update, on_message=self._on_message)
        self.orders = OrderLedger(time.time_ns)
        self.books = Books(self.simulator, complain)
        self.order_book = BookLedger(BOOK_PAIR)
        self.bars = DayBarLedger(self.simulator.day_bar)
        self.news = NewsLedger(tape.dice)
        options = self.simulator.options
        self._sent = Sent(self.ledger, self.order_book, options.price, self.books.price)

    def _on_update(self, update: Mapping[str, Any]) -> None:
        self.orders.add(update)
        self.books.on_update(update)

    def _on_message(self, message: Message) -> None:
        self._sent.note(message)
