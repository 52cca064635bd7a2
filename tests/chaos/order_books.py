"""The order book of a client's pair against the simulator's: a view that it had, or none. Pure."""

from collections.abc import Iterable, Mapping
from heapq import nlargest, nsmallest
from typing import Any, NamedTuple, TypeAlias

from simulator.protocol import rfc3339
from tests.chaos.follower import Complain, Follower, NewestIds

LEVELS = 10
"""The levels of each side in a view."""

Levels: TypeAlias = tuple[tuple[float, float], ...]
"""Prices and sizes, the best first."""


class View(NamedTuple):
    """The best levels of a book after the message of a time (unix ns)."""

    at: int
    bids: Levels
    asks: Levels


class BookLedger:
    """Every view that the order book of one pair has had, in the order of its messages."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.newest = View(0, (), ())
        self._bids: dict[float, float] = {}
        self._asks: dict[float, float] = {}
        self._numbers: dict[View, int] = {}
        self._messages = 0

    def add(self, message: Mapping[str, Any]) -> None:
        """Apply a message of Alpaca's stream; one about another pair changes nothing."""
        if message["S"] != self.symbol:
            return
        is_whole = message.get("r") is True
        _change(self._bids, message["b"], is_whole=is_whole)
        _change(self._asks, message["a"], is_whole=is_whole)
        bids = tuple(nlargest(LEVELS, self._bids.items()))
        asks = tuple(nsmallest(LEVELS, self._asks.items()))
        self.newest = View(message["t"], bids, asks)
        self._messages += 1
        self._numbers[self.newest] = self._messages

    def number(self, view: View) -> int | None:
        """Return the number of the message that made a view; None if it never was."""
        return self._numbers.get(view)


def _change(
    levels: dict[float, float], changes: Iterable[Mapping[str, float]], *, is_whole: bool
) -> None:
    if is_whole:
        levels.clear()
    for level in changes:
        if level["s"]:
            levels[level["p"]] = level["s"]
        else:
            levels.pop(level["p"], None)


class OrderBooks(Follower):
    """Follows one book of one client; ``shown`` is the newest view, None while it is not valid."""

    def __init__(self, name: str, ledger: BookLedger, complain: Complain) -> None:
        super().__init__(name, complain)
        self.shown: View | None = None
        self.views = 0
        """How many valid views have come."""
        self._ledger = ledger
        self._ids = NewestIds()
        self._number = -1

    @property
    def at(self) -> int:
        """The time (unix ns) of the valid view; 0 if there is none."""
        return 0 if self.shown is None else self.shown.at

    def opened(self) -> None:
        """A new stream has begun."""
        super().opened()
        self._ids.opened()

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Check a view: a valid one was the book's, and after the one before."""
        if kind != "book":
            return
        symbol = str(data["symbol"])
        if problem := self._ids.problem(symbol, data["event_id"]):
            self.wrong(f"the book of {problem}")
        if symbol != self._ledger.symbol:
            self.wrong(f"a book of {symbol}, which it did not ask for")
            return
        if not data["valid"]:
            self.shown = None
            if data["bids"] or data["asks"] or not data["reason"]:
                self.wrong(f"a book that is not valid has levels, or no reason: {dict(data)}")
            return
        at = rfc3339.parse(data["timestamp"])
        self._view(View(at, _levels(data["bids"]), _levels(data["asks"])), data)

    def differences(self) -> list[str]:
        """Return that the shown view is not the newest one, if it is not."""
        right = self._ledger.newest
        # A message that changes no level of the view is no news.
        if self.shown is not None and self.shown[1:] == right[1:]:
            return []
        return [f"{self._name}: the book is {self.shown}, expected {right}"]

    def _view(self, view: View, data: Mapping[str, Any]) -> None:
        self.shown = view
        self.views += 1
        number = self._ledger.number(view)
        if number is None:
            self.wrong(f"a book that never was: {dict(data)}")
            return
        if number < self._number:
            self.wrong(f"the book went back: {dict(data)}")
        self._number = max(number, self._number)


def _levels(listed: Iterable[Iterable[float]]) -> Levels:
    return tuple((price, size) for price, size in listed)
