"""The market of pairs as replayed so far: books, quotes, trades, bars around the clock. Pure."""

from collections.abc import Collection, Mapping
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from simulator.crypto.book import Best, Book
from simulator.crypto.pair_bars import PairBars
from simulator.protocol.wire import Message
from simulator.tape.history import History
from simulator.tape.hours import TradingDay
from simulator.tape.market import Market

CENTRAL: Final = ZoneInfo("America/Chicago")
"""Alpaca's days of crypto start at midnight there."""


class AroundTheClock:
    """Every day from midnight to midnight."""

    def trading_day(self, day: date) -> TradingDay:
        """Return the whole day."""
        return TradingDay(day, time(0), time(0), time(0), time(0))

    def is_open(self, at: datetime) -> bool:  # noqa: ARG002
        """Return whether the market is open: it always is."""
        return True


class PairMarket(Market):
    """The pairs of this run, each with its book."""

    def __init__(self, *, is_invented: bool) -> None:
        """`is_invented`: there are bars from before the first price of each pair."""
        hours = AroundTheClock()
        super().__init__(
            hours,
            History(hours, is_invented, zone=CENTRAL, keeps_idle=True),
            zone=CENTRAL,
            new_bars=lambda: PairBars(self.midnight),
        )
        self._books: dict[str, Book] = {}
        self._quoted: dict[str, Best] = {}

    def observe(self, message: Message) -> None:
        """Record a message that is being sent; one with invalid fields changes nothing."""
        super().observe(message)
        symbol, at = message.get("S"), message.get("t")
        if message["T"] == "o" and isinstance(symbol, str) and isinstance(at, int):
            book = self._books.get(symbol) or Book()
            if book.apply(message, at):
                self._books[symbol] = book

    def touched(self, minute: int) -> Collection[str]:  # noqa: ARG002
        """Return the pairs that may have a bar of a minute: all, as quotes make one too."""
        return self.symbols()

    def book(self, symbol: str) -> Book | None:
        """Return the book of a pair, None before its first message."""
        return self._books.get(symbol)

    def books(self) -> Mapping[str, Book]:
        """Return all books by pair."""
        return self._books

    def requote(self, symbol: str) -> Message | None:
        """Return the quote of a pair's best bid and offer if they have changed since the last.

        Its price and size are 0 on a side that has no level. Its time is not before that of the
        last quote, even if the book's message is late.
        """
        book, last = self._books.get(symbol), self.quote(symbol)
        if book is None or book.best == self._quoted.get(symbol):
            return None
        best = self._quoted[symbol] = book.best
        time = book.time if last is None else max(book.time, int(str(last["t"])))
        sides = {"bp": best.bid, "bs": best.bid_size, "ap": best.ask, "as": best.ask_size}
        return {"T": "q", "S": symbol, **sides, "t": time}
