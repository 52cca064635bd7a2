"""Wanted against acknowledged: the next smallest change to ask Alpaca for. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SYMBOLS_AT_ONCE = 100
"""Alpaca limits the size of a message; its C# SDK sends as many."""

INVALID_SYNTAX = 400
SYMBOL_LIMIT = 405


@dataclass(frozen=True)
class Change:
    """One request to Alpaca."""

    action: Literal["subscribe", "unsubscribe"]
    symbols: tuple[str, ...]


class Subscription:
    """The state of one connection's trades subscription, one change in flight at a time.

    ``limit`` is the plan's number of symbols, None without one; a refusal teaches a lower one.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._plan_limit = limit
        self.acknowledged: set[str] = set()
        self.rejected: set[str] = set()
        self.over_limit: list[str] = []
        self.stuck = False
        """The last answer changed nothing: asking again at once would only repeat it."""
        self._at_once = SYMBOLS_AT_ONCE
        self._in_flight: Change | None = None

    def begin(self) -> None:
        """Start over: a new connection has no subscription, and the plan may have changed."""
        self.limit = self._plan_limit
        self.acknowledged = set()
        self.stuck = False
        self._in_flight = None
        self._at_once = SYMBOLS_AT_ONCE

    def next_change(self, wanted: Sequence[str]) -> Change | None:
        """Return the change to ask for now, or None while one is in flight or none is needed.

        ``wanted`` comes in order of importance; who has a place keeps it while it is wanted.
        """
        if self._in_flight is not None:
            return None
        candidates = [symbol for symbol in wanted if symbol not in self.rejected]
        stable = sorted(candidates, key=lambda symbol: symbol not in self.acknowledged)
        kept = stable if self.limit is None else stable[: self.limit]
        self.over_limit = [] if self.limit is None else stable[self.limit :]
        gone = sorted(self.acknowledged.difference(kept))
        new = [symbol for symbol in kept if symbol not in self.acknowledged]
        if gone:
            self._in_flight = Change("unsubscribe", tuple(gone[:SYMBOLS_AT_ONCE]))
        elif new:
            self._in_flight = Change("subscribe", tuple(new[: self._at_once]))
        else:
            self._at_once = SYMBOLS_AT_ONCE
        return self._in_flight

    def on_acknowledged(self, symbols: Sequence[str]) -> None:
        """Take Alpaca's answer, which is the whole set: the only truth there is."""
        answer = set(symbols)
        self.stuck = self._in_flight is not None and answer == self.acknowledged
        self.acknowledged = answer
        self._in_flight = None

    def on_refused(self, code: int) -> tuple[str, ...]:
        """Take a refusal, which leaves everything as it was, and try smaller from now on.

        Returns the symbols of the refused request if it cannot be made smaller, else nothing.
        """
        change, self._in_flight = self._in_flight, None
        self.stuck = change is not None and change.action == "unsubscribe"
        if change is None or self.stuck:
            return ()
        if len(change.symbols) > 1:
            self._at_once = len(change.symbols) // 2
            return ()
        if code == SYMBOL_LIMIT:
            self.limit = len(self.acknowledged)
        else:
            self.rejected.update(change.symbols)
        return change.symbols
