"""Everything that was printed on the tape, and what the last prices are by it.

Written on purpose without a look at the ingest: a table of the codes that count, and a search.
"""

from typing import NamedTuple

COUNTING = {"A": frozenset(" FEXO"), "C": frozenset("@FXOB")}
"""The sale conditions, by tape, that may all stand beside a price that counts."""


class Print(NamedTuple):
    """A trade: exchange time in unix nanoseconds, dollars."""

    at: int
    price: float
    trade_id: int
    counts: bool


class Ledger:
    """Knows the right last price of each symbol."""

    def __init__(self) -> None:
        self.prints: dict[str, list[Print]] = {}
        self._retracted: set[tuple[str, int]] = set()
        self._shown_times: dict[str, dict[int, set[float]]] = {}

    def trade(
        self, symbol: str, trade_id: int, at: int, price: float, conditions: list[str], tape: str
    ) -> None:
        """Note a print."""
        counts = set(conditions) <= COUNTING[tape]
        self.prints.setdefault(symbol, []).append(Print(at, price, trade_id, counts))
        if counts:
            self._note(symbol, at, price)

    def cancel(self, symbol: str, trade_id: int) -> None:
        """Forget a print."""
        self._replace(symbol, trade_id, None)

    def correct(self, symbol: str, trade_id: int, new_id: int, price: float) -> None:
        """Put another price, and id, in the place of a print's."""
        self._replace(symbol, trade_id, (new_id, price))

    def last(self, symbol: str) -> Print | None:
        """Return the newest print that counts, by the exchange's time."""
        counting = [each for each in self.prints.get(symbol, []) if each.counts]
        return max(counting, key=lambda each: each.at, default=None)

    def printed(self, symbol: str, at: int, price: float) -> bool:
        """Return whether this was a last price at any time."""
        return price in self._shown_times.get(symbol, {}).get(at, ())

    def retracted(self, symbol: str, at: int) -> bool:
        """Return whether the print of that time was cancelled or corrected."""
        return (symbol, at) in self._retracted

    def _replace(self, symbol: str, trade_id: int, by: tuple[int, float] | None) -> None:
        prints = self.prints[symbol]
        index = next(i for i, each in enumerate(prints) if each.trade_id == trade_id)
        old = prints.pop(index)
        self._retracted.add((symbol, old.at))
        if by is not None:
            new_id, price = by
            prints.insert(index, old._replace(trade_id=new_id, price=price))
            if old.counts:
                self._note(symbol, old.at, price)

    def _note(self, symbol: str, at: int, price: float) -> None:
        self._shown_times.setdefault(symbol, {}).setdefault(at, set()).add(price)
