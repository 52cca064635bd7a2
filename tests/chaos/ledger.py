"""Everything that was printed and quoted, and the right last prices, by arrival.

Written without a look at the ingest: a table of the codes that count, and a search.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

COUNTING = {"A": frozenset(" FEXO"), "C": frozenset("@FXOB")}
"""The sale conditions, by tape, that may all stand beside a price that counts."""

NOT_COUNTING = frozenset("ABCDEFGtu")
"""The conditions of contracts whose prints set no price: cancelled ones, late ones, and those for
the volume alone. Contracts and pairs have no tape."""


@dataclass(frozen=True)
class Values:
    """The values of a print: as printed, or as corrected. Contracts' prints have no id."""

    trade_id: int | None
    price: float
    size: float


@dataclass(eq=False)
class Print:
    """A trade: exchange time and time of publication in unix nanoseconds, dollars, units.

    ``is_cancelled``: no values stand. ``corrected``: the values that stand instead. ``taker``: of a
    pair, the side that took the other's order.
    """

    symbol: str
    exchange: str | None
    at: int
    published: int
    values: Values
    conditions: tuple[str, ...]
    tape: str | None
    retracted: int | None = None
    """The time at which a cancel or a correction was published."""
    corrected: Values | None = None
    taker: str | None = None

    @cached_property
    def counts(self) -> bool:
        """Whether it can be a last price, by its sale conditions."""
        if self.tape is None:
            return NOT_COUNTING.isdisjoint(self.conditions)
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
    """A quote: exchange time in unix nanoseconds, dollars, units; a side may be absent."""

    at: int
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None


class Last(NamedTuple):
    """A last price: exchange time in unix nanoseconds, dollars."""

    at: int
    price: float


class Ledger:
    """Knows every print and quote, and the right last price of each symbol.

    The work of each call depends on no number of prints, but for a cancel of the newest one.
    """

    def __init__(self) -> None:
        self.prints: dict[str, list[Print]] = {}
        self.quotes: dict[str, list[Quote]] = {}
        self.retractions: defaultdict[str, list[Print]] = defaultdict(list)
        """The cancelled and the corrected prints of each symbol, by the time of that."""
        self.swallowed: list[tuple[int, int, str | None]] = []
        """When the stream of stocks lived and brought nothing, of one symbol or of all (None),
        before anyone could know that this is odd."""
        self.emptied: list[int] = []
        """When Redis was emptied (unix ns): the next ingest cannot know the events of before."""
        self.forgotten = 0
        """When all programs and Redis were gone at once (unix ns): all knowledge since is REST's,
        which may have no last price but that of a bar."""
        self._retracted: set[tuple[str, int]] = set()
        self._newest: dict[str, Print] = {}
        """The print of each symbol that is its last price."""
        self._arrivals: defaultdict[str, dict[Quote, int]] = defaultdict(dict)
        """The place of each quote among those of its symbol; of repeated ones, the last."""
        self._shown_times: dict[str, dict[int, set[float]]] = {}
        self._values: dict[tuple[str, str | None, int, Values], Print] = {}
        self._prices: defaultdict[str, set[float]] = defaultdict(set)

    def trade(self, print_: Print) -> None:
        """Note a print."""
        self.prints.setdefault(print_.symbol, []).append(print_)
        self._note(print_, print_.values)
        self._compare(print_)

    def cancel(self, print_: Print, now: int) -> None:
        """Void a print."""
        self._retract(print_, now)
        if self._newest.get(print_.symbol) is print_:
            del self._newest[print_.symbol]
            for each in self.prints[print_.symbol]:
                self._compare(each)

    def correct(self, print_: Print, values: Values, now: int) -> None:
        """Put other values in the place of a print's."""
        self._retract(print_, now)
        print_.corrected = values
        self._note(print_, values)

    def quote(self, symbol: str, quote: Quote) -> None:
        """Note a quote."""
        quotes = self.quotes.setdefault(symbol, [])
        self._arrivals[symbol][quote] = len(quotes)
        quotes.append(quote)

    def arrival(self, symbol: str, quote: Quote) -> int | None:
        """Return the place of a quote among those of its symbol; None if it never was."""
        return self._arrivals[symbol].get(quote)

    def last(self, symbol: str) -> Last | None:
        """Return the newest print that counts, by the exchange's time, then by arrival."""
        newest = self._newest.get(symbol)
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

    def of(self, symbol: str, exchange: str | None, at: int, values: Values) -> Print | None:
        """Return the print that has or had these values."""
        return self._values.get((symbol, exchange, at, values))

    def _retract(self, print_: Print, now: int) -> None:
        print_.retracted = now
        self.retractions[print_.symbol].append(print_)
        self._retracted.add((print_.symbol, print_.at))

    def _compare(self, print_: Print) -> None:
        """Note that a print is the last price, if it is."""
        newest = self._newest.get(print_.symbol)
        if print_.counts and not print_.is_cancelled and (newest is None or print_.at >= newest.at):
            self._newest[print_.symbol] = print_

    def _note(self, print_: Print, values: Values) -> None:
        self._values[print_.symbol, print_.exchange, print_.at, values] = print_
        self._prices[print_.symbol].add(values.price)
        if print_.counts:
            times = self._shown_times.setdefault(print_.symbol, {})
            times.setdefault(print_.at, set()).add(values.price)
