"""Everything that was printed and quoted, and the right last prices, by arrival.

Written without a look at the ingest: a table of the codes that count, and a search.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

COUNTING = {"A": frozenset(" FEXO"), "C": frozenset("@FXOB")}
"""The sale conditions, by tape, that may all stand beside a price that counts."""


@dataclass(frozen=True)
class Values:
    """The values of a print: as printed, or as corrected."""

    trade_id: int
    price: float
    size: int


@dataclass(eq=False)
class Print:
    """A trade: exchange time and time of publication in unix nanoseconds, dollars, shares.

    ``is_cancelled``: no values stand. ``corrected``: the values that stand instead.
    """

    symbol: str
    exchange: str
    at: int
    published: int
    values: Values
    conditions: tuple[str, ...]
    tape: str
    retracted: int | None = None
    """The time at which a cancel or a correction was published."""
    corrected: Values | None = None

    @cached_property
    def counts(self) -> bool:
        """Whether it can be a last price, by its sale conditions."""
        return set(self.conditions) <= COUNTING[self.tape]

    @property
    def is_cancelled(self) -> bool:
        """Whether it is void, and no other values stand in its place."""
        return self.retracted is not None and self.corrected is None

    @property
    def standing(self) -> Values:
        """The values that stand, or the last ones that did."""
        return self.corrected or self.values


class Quote(NamedTuple):
    """A quote: exchange time in unix nanoseconds, dollars, shares."""

    at: int
    bid: float
    bid_size: int
    ask: float
    ask_size: int


class Last(NamedTuple):
    """A last price: exchange time in unix nanoseconds, dollars."""

    at: int
    price: float


class Ledger:
    """Knows every print and quote, and the right last price of each symbol."""

    def __init__(self) -> None:
        self.prints: dict[str, list[Print]] = {}
        self.quotes: dict[str, list[Quote]] = {}
        self.retractions: defaultdict[str, list[Print]] = defaultdict(list)
        """The cancelled and the corrected prints of each symbol, by the time of that."""
        self.swallowed: list[tuple[int, int, str | None]] = []
        """When a stream lived and brought nothing, of one symbol or at all (None), before anyone
        could know that this is odd."""
        self.emptied: list[int] = []
        """When Redis was emptied (unix ns): the next ingest cannot know the events of before."""
        self.forgotten = 0
        """When all programs and Redis were gone at once (unix ns): all knowledge since is REST's,
        which may have no last price but that of a bar."""
        self._retracted: set[tuple[str, int]] = set()
        self._shown_times: dict[str, dict[int, set[float]]] = {}
        self._values: dict[tuple[str, str, int, Values], Print] = {}
        self._prices: defaultdict[str, set[float]] = defaultdict(set)

    def trade(self, print_: Print) -> None:
        """Note a print."""
        self.prints.setdefault(print_.symbol, []).append(print_)
        self._note(print_, print_.values)

    def cancel(self, print_: Print, now: int) -> None:
        """Void a print."""
        print_.retracted = now
        self.retractions[print_.symbol].append(print_)
        self._retracted.add((print_.symbol, print_.at))

    def correct(self, print_: Print, values: Values, now: int) -> None:
        """Put other values in the place of a print's."""
        self.cancel(print_, now)
        print_.corrected = values
        self._note(print_, values)

    def quote(self, symbol: str, quote: Quote) -> None:
        """Note a quote."""
        self.quotes.setdefault(symbol, []).append(quote)

    def last(self, symbol: str) -> Last | None:
        """Return the newest print that counts, by the exchange's time."""
        counting = [
            each for each in self.prints.get(symbol, []) if each.counts and not each.is_cancelled
        ]
        newest = max(counting, key=lambda each: each.at, default=None)
        return None if newest is None else Last(newest.at, newest.standing.price)

    def printed(self, symbol: str, at: int, price: float) -> bool:
        """Return whether this was a last price at any time."""
        return price in self._shown_times.get(symbol, {}).get(at, ())

    def traded_at(self, symbol: str, price: float) -> bool:
        """Return whether any print had this price, whether it counts or not."""
        return price in self._prices[symbol]

    def retracted(self, symbol: str, at: int) -> bool:
        """Return whether the print of that time was cancelled or corrected."""
        return (symbol, at) in self._retracted

    def of(self, symbol: str, exchange: str, at: int, values: Values) -> Print | None:
        """Return the print that has or had these values."""
        return self._values.get((symbol, exchange, at, values))

    def _note(self, print_: Print, values: Values) -> None:
        self._values[print_.symbol, print_.exchange, print_.at, values] = print_
        self._prices[print_.symbol].add(values.price)
        if print_.counts:
            times = self._shown_times.setdefault(print_.symbol, {})
            times.setdefault(print_.at, set()).add(values.price)
