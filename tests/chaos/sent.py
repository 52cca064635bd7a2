"""Notes what the simulator sends of pairs and contracts, from tapes, by hand and by faults."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.chaos.ledger import Ledger, Print, Quote, Values
from tests.chaos.markets import is_option_symbol, is_other
from tests.chaos.order_books import BookLedger

_TAKERS = {"B": "buy", "S": "sell"}


class Sent:
    """Fills the ledgers, before any client can have a message.

    ``option_price`` returns the price at which the broker values a contract, in dollars.
    ``note_price`` gets a price at which a position may be valued, and its time (unix ns).
    """

    def __init__(
        self,
        ledger: Ledger,
        order_book: BookLedger,
        option_price: Callable[[str], float | None],
        note_price: Callable[[str, float, int], None],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """``clock`` returns unix nanoseconds."""
        self._ledger = ledger
        self._order_book = order_book
        self._option_price = option_price
        self._note_price = note_price
        self._clock = clock

    def note(self, message: Mapping[str, Any]) -> None:
        """Note a message of the simulator, as it is on its streams; ``t`` is unix nanoseconds."""
        symbol = message.get("S")
        if not isinstance(symbol, str) or not is_other(symbol):
            return
        now = self._clock()
        match message["T"]:
            case "t":
                self._ledger.trade(_print_of(message, now))
            case "q":
                self._ledger.quote(symbol, _quote_of(message))
            case "o":
                self._order_book.add(message)
        price = message.get("p")
        if is_option_symbol(symbol):
            price = self._option_price(symbol)
        if price is not None:
            self._note_price(symbol, price, now)


def _print_of(message: Mapping[str, Any], now: int) -> Print:
    code = message.get("c")
    return Print(
        message["S"],
        message.get("x"),
        message["t"],
        now,
        Values(message.get("i"), message["p"], message["s"]),
        () if code is None else (code,),
        None,
        taker=_TAKERS.get(message.get("tks", "")),
    )


def _quote_of(message: Mapping[str, Any]) -> Quote:
    bid, ask = _side(message["bp"], message["bs"]), _side(message["ap"], message["as"])
    return Quote(message["t"], *bid, *ask)


def _side(price: float, size: float) -> tuple[float | None, float | None]:
    """Return a side as events show it: absent if its price or size is zero."""
    return (price, size) if price and size else (None, None)
