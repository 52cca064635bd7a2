"""Every print of a tape, and the last price by a search over all of them."""

from bisect import bisect_left, insort
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

from simulator.protocol import rfc3339
from tests.oracle.rules import Rule, day_at, rule_of, session_at

Message = dict[str, Any]
"""A message as Alpaca writes it; its time ``t`` is a number, unix ns."""

Event = dict[str, Any]

_MICRO = Decimal("0.000001")


@dataclass
class Printed:
    """A print with its present values; ``place`` orders prints of the same time."""

    symbol: str
    place: int
    at: int
    id: int
    exchange: str
    tape: str | None
    price: float
    size: float
    conditions: list[str]
    withdrawn: bool = False

    @property
    def rule(self) -> Rule:
        """How it counts."""
        return rule_of(self.tape, self.conditions, session_at(self.at))


@dataclass
class _Symbol:
    prints: list[Printed] = field(default_factory=list)
    by_name: dict[tuple[str, int, str], list[Printed]] = field(
        default_factory=lambda: defaultdict(list)
    )
    shown: set[tuple[str, int, int]] = field(default_factory=set)
    counting: list[tuple[int, int]] = field(default_factory=list)
    """Time and place of the prints that always count, in order; the places point to ``prints``."""
    firsts: list[Printed] = field(default_factory=list)
    last: tuple[int, Event] | None = None
    """The last price, with the place of its print."""


class Standing(NamedTuple):
    """A print that stands; its time is unix ns."""

    at: int
    id: int
    exchange: str
    price: float
    size: float
    conditions: tuple[str, ...]


class Truth:
    """Knows the right events after each message; ``closes``: (symbol, date) → previous close."""

    def __init__(self, closes: dict[tuple[str, str], float]) -> None:
        self._closes = closes
        self._symbols: dict[str, _Symbol] = defaultdict(_Symbol)
        self._early: dict[tuple[str, str, int], list[Message]] = defaultdict(list)
        """Cancels and corrections whose print has not come, by symbol, exchange and id."""

    def on(self, message: Message, received_us: int) -> tuple[list[Event], list[Event]]:
        """Apply a message; return the prices and the tape's events that must follow."""
        symbol = self._symbols[message["S"]]
        new = None
        if message["T"] == "t":
            new = self._trade(symbol, message)
        elif message["T"] == "x":
            self._cancel(symbol, message)
        elif message["T"] == "c":
            self._correct(symbol, message)
        price = self._price(symbol, received_us)
        shown = [] if new is None else [self._shown(symbol, new, message, received_us)]
        return ([] if price is None else [price]), shown

    def standing(self, name: str) -> list[Standing]:
        """Return a symbol's prints that no cancel has withdrawn, each with its present values."""
        return sorted(
            Standing(each.at, each.id, each.exchange, each.price, each.size, tuple(each.conditions))
            for each in self._symbols[name].prints
            if not each.withdrawn
        )

    @property
    def names(self) -> list[str]:
        """All symbols."""
        return sorted(self._symbols)

    def _shown(self, symbol: _Symbol, new: Printed, message: Message, received_us: int) -> Event:
        """Return a new print as the tape shows it, with the values that it was printed with."""
        rule = rule_of(message["z"], message["c"], session_at(new.at))
        return {
            "symbol": new.symbol,
            "id": str(message["i"]),
            "price": message["p"],
            "size": message["s"],
            "exchange": new.exchange,
            "conditions": list(message["c"]),
            "tape": new.tape,
            "eligible": rule == "always" or (rule == "first" and self._newest(symbol) is new),
            "timestamp": rfc3339.render(new.at),
            "received": received_us,
        }

    def _trade(self, symbol: _Symbol, message: Message) -> Printed | None:
        if message["p"] <= 0 or message["s"] < 0:
            return None
        name = (message["x"], message["i"], message["t"])
        if name in symbol.shown:
            return None
        symbol.shown.add(name)
        new = Printed(
            message["S"],
            len(symbol.prints),
            message["t"],
            message["i"],
            message["x"],
            message["z"],
            message["p"],
            message["s"],
            message["c"],
        )
        symbol.prints.append(new)
        symbol.by_name[message["x"], message["i"], day_at(message["t"])].append(new)
        self._count(symbol, new)
        waiting = self._early.get((message["S"], message["x"], message["i"]), [])
        for early in [each for each in waiting if _means(each, new)]:
            waiting.remove(early)
            (self._cancel if early["T"] == "x" else self._correct)(symbol, early)
        return new

    def _cancel(self, symbol: _Symbol, message: Message) -> None:
        found = self._meant(symbol, message, message["i"])
        if found is not None:
            self._uncount(symbol, found)
            found.withdrawn = True

    def _correct(self, symbol: _Symbol, message: Message) -> None:
        found = self._meant(symbol, message, message["oi"])
        if found is None:
            return
        self._uncount(symbol, found)
        found.id, found.price, found.size = message["ci"], message["cp"], message["cs"]
        found.conditions = message["cc"]
        # A later cancel names the corrected print.
        named = symbol.by_name[message["x"], message["ci"], day_at(found.at)]
        if found not in named:
            named.append(found)
        self._count(symbol, found)

    def _meant(self, symbol: _Symbol, message: Message, number: int) -> Printed | None:
        """Return the print that a withdrawal means; remember the withdrawal if there is none."""
        all_of_it = symbol.by_name[message["x"], number, day_at(message["t"])]
        same = [each for each in all_of_it if _means(message, each)]
        standing = [each for each in same if not each.withdrawn]
        if not same and not _was_corrected(all_of_it, message):
            self._early[message["S"], message["x"], number].append(message)
        return max(standing, key=lambda each: (each.at, each.place), default=None)

    def _count(self, symbol: _Symbol, new: Printed) -> None:
        if new.rule == "always":
            insort(symbol.counting, (new.at, new.place))
        elif new.rule == "first":
            symbol.firsts.append(new)

    def _uncount(self, symbol: _Symbol, old: Printed) -> None:
        if old.rule == "always":
            del symbol.counting[bisect_left(symbol.counting, (old.at, old.place))]
        elif old.rule == "first":
            symbol.firsts.remove(old)

    def _newest(self, symbol: _Symbol) -> Printed | None:
        last = symbol.prints[symbol.counting[-1][1]] if symbol.counting else None
        if symbol.firsts:
            day = max(day_at(each.at) for each in symbol.firsts)
            if last is None or day_at(last.at) < day:
                return min(
                    (each for each in symbol.firsts if day_at(each.at) == day),
                    key=lambda each: each.place,
                )
        return last

    def _price(self, symbol: _Symbol, received_us: int) -> Event | None:
        """Return the last price as an event if it is another one than before."""
        newest = self._newest(symbol)
        if newest is None:
            return None
        close = self._closes.get((newest.symbol, day_at(newest.at)))
        change = fraction = None
        if close is not None:
            base = Decimal(str(close))
            difference = Decimal(str(newest.price)) - base
            change = float(difference)
            fraction = float((difference / base).quantize(_MICRO, ROUND_HALF_EVEN))
        event = {
            "symbol": newest.symbol,
            "price": newest.price,
            "size": newest.size,
            "exchange": newest.exchange,
            "conditions": list(newest.conditions),
            "tape": newest.tape,
            "session": session_at(newest.at),
            "timestamp": rfc3339.render(newest.at),
            "previous_close": close,
            "change": change,
            "change_percent": fraction,
            "reason": None,
        }
        key = (newest.place, event)
        if symbol.last == key:
            return None
        symbol.last = key
        return {**event, "received": received_us}


def _means(message: Message, print_: Printed) -> bool:
    """Return whether a cancel or a correction means a print, by all the values that it names."""
    if message["T"] == "x":
        number, price, size = message["i"], message["p"], message["s"]
    else:
        number, price, size = message["oi"], message["op"], message["os"]
    return (number, price, size, message["x"], day_at(message["t"])) == (
        print_.id,
        print_.price,
        print_.size,
        print_.exchange,
        day_at(print_.at),
    )


def _was_corrected(prints: list[Printed], message: Message) -> bool:
    """Return whether a withdrawal repeats one that has changed the print's values already."""
    return bool(prints) and message["T"] == "c"
