"""The newest trades of a symbol that may be its last price, so that any can be taken back."""

from bisect import bisect_left, insort
from operator import itemgetter
from typing import NamedTuple, Self, TypeAlias

from ingest.market.conditions import Eligibility
from ingest.market.prints import Cancel, Correction, TradeId
from ingest.market.trading_day import day_of
from shared.price import Price

DEPTH = 16
"""Cancels come within seconds or minutes; what is older than this many trades is asked by REST."""

Entry: TypeAlias = tuple[int, TradeId | None, Price]
"""Exchange time in unix ns, the trade's id, and the event that it makes as the last price."""


class Print(NamedTuple):
    """What a correction or a cancel says of the trade that it means; ``day`` by ``day_of``."""

    id: TradeId
    exchange: str | None
    tape: str | None
    day: int
    price: float | None
    size: float | None

    @classmethod
    def cancelled(cls, cancel: Cancel) -> Self:
        """Return which trade a cancel means."""
        day = day_of(cancel.at_ns)
        return cls(cancel.id, cancel.exchange, cancel.tape, day, cancel.price, cancel.size)

    @classmethod
    def corrected(cls, correction: Correction) -> Self:
        """Return which trade a correction means."""
        return cls(
            correction.original_id,
            correction.exchange,
            correction.tape,
            day_of(correction.at_ns),
            correction.original_price,
            correction.original_size,
        )


class TapeHistory:
    """Trades in order of exchange time, of equal times in order of arrival.

    Apart from them those that count only while their day has no other (``Eligibility.FIRST_ONLY``):
    of these the first to arrive stands.
    """

    __slots__ = ("asked", "firsts", "held", "regular")

    def __init__(self) -> None:
        self.regular: list[Entry] = []
        self.firsts: list[Entry] = []
        self.held: list[Entry] = []
        """Prints far off the last price, in order of arrival: see ``quarantine``."""
        self.asked = False
        """Whether REST was asked what there was before; until then no trade is its day's first."""

    def newest(self) -> Entry | None:
        """Return the trade that is the last price."""
        last = self.regular[-1] if self.regular else None
        if self.firsts and self.asked:
            day = day_of(self.firsts[-1][0])
            if last is None or day_of(last[0]) < day:
                return self.firsts[bisect_left(self.firsts, day, key=_day)]
        return last

    def newest_id(self) -> TradeId | None:
        """Return the id of the newest trade that counts always."""
        return self.regular[-1][1] if self.regular else None

    def append(self, entry: Entry) -> None:
        """Take a trade that is at least as new as all others and counts always."""
        self.regular.append(entry)
        if len(self.regular) > DEPTH:
            del self.regular[0]

    def insert(self, entry: Entry, rule: Eligibility) -> None:
        """Take a trade at its place."""
        if rule is Eligibility.ALWAYS:
            insort(self.regular, entry, key=itemgetter(0))
            if len(self.regular) > DEPTH:
                del self.regular[0]
            return
        insort(self.firsts, entry, key=_day)
        if len(self.firsts) > DEPTH:
            del self.firsts[-1 if _day(self.firsts[0]) == _day(self.firsts[-1]) else 0]

    def replace(self, found: tuple[list[Entry], int], entry: Entry, rule: Eligibility) -> None:
        """Put a corrected trade in place of the one found, as its conditions now are."""
        entries, index = found
        if rule is Eligibility.NEVER:
            del entries[index]
        elif entries is (self.regular if rule is Eligibility.ALWAYS else self.firsts):
            entries[index] = entry
        else:
            del entries[index]
            self.insert(entry, rule)

    def find(self, wanted: Print) -> tuple[list[Entry], int] | None:
        """Return where a trade is: by its id, else by its values where the id is not known."""
        for matches in (_is, _looks_like):
            for entries in (self.regular, self.firsts, self.held):
                for index in range(len(entries) - 1, -1, -1):
                    if matches(entries[index], wanted):
                        return entries, index
        return None

    def knows(self, entry: Entry) -> bool:
        """Return whether this very trade is here, by the stream, by REST or out of Redis."""
        at, number, last = entry
        return any(
            each[0] == at
            and each[1] in (number, None)
            and (each[2].exchange, each[2].price) == (last.exchange, last.price)
            for entries in (self.regular, self.firsts, self.held)
            for each in entries
        )

    def drop_nameless(self, at: int, price: float) -> None:
        """Forget a trade out of Redis, which has no id, since REST has shown it with its id."""
        self.regular = [
            each for each in self.regular if (each[0], each[1], each[2].price) != (at, None, price)
        ]


def _day(entry: Entry) -> int:
    return day_of(entry[0])


def _is(entry: Entry, wanted: Print) -> bool:
    """Ids are unique within symbol, exchange, tape and day only."""
    at, number, last = entry
    return (
        number == wanted.id
        and last.exchange == wanted.exchange
        and last.tape == wanted.tape
        and day_of(at) == wanted.day
    )


def _looks_like(entry: Entry, wanted: Print) -> bool:
    """A price out of Redis has no id; a bar's close has neither size nor exchange."""
    at, number, last = entry
    return (
        number is None
        and last.price == wanted.price
        and last.size in (None, wanted.size)
        and last.exchange in (None, wanted.exchange)
        and day_of(at) == wanted.day
    )
