"""The newest trades of a symbol that may be its last price, so that any can be withdrawn."""

from bisect import bisect_left, insort
from typing import NamedTuple, Self

import msgspec

from ingest.market.conditions import Eligibility
from ingest.market.prints import Cancel, Correction, Trade, TradeId
from ingest.market.trading_day import day_of
from shared.price import Price

DEPTH = 16
"""Cancels come within seconds or minutes; if an older trade is withdrawn, REST is asked."""


class Entry(msgspec.Struct, gc=False):
    """A trade as a candidate for the last price: its time, its id, and the event to publish.

    ``id`` is None for a price out of Redis and for the close of a bar.
    """

    at_ns: int
    id: TradeId | None
    event: Price

    @property
    def day(self) -> int:
        """The trading day, by ``day_of``."""
        return day_of(self.at_ns)

    @property
    def price(self) -> float:
        """The trade's price."""
        return self.event.price or 0.0

    def is_of(self, trade: Trade) -> bool:
        """Return whether it was made of this trade."""
        return self.at_ns == trade.at_ns and self.id == trade.id

    def is_same_trade(self, other: "Entry") -> bool:
        """Return whether two entries are one trade, whatever source they come from."""
        return (
            self.at_ns == other.at_ns
            and self.id in (other.id, None)
            and self.event.exchange == other.event.exchange
            and self.event.price == other.event.price
        )


class TradeKey(NamedTuple):
    """A trade's identity: ids are unique within symbol, exchange, tape and day only."""

    id: TradeId | None
    exchange: str | None
    tape: str | None
    day: int


class Withdrawn(NamedTuple):
    """The trade that a cancel or a correction means, with the values that the message gives."""

    key: TradeKey
    price: float | None
    size: float | None
    at_ns: int | None
    """The trade's own time; only REST gives it."""

    @classmethod
    def by_cancel(cls, cancel: Cancel) -> Self:
        """Return the trade that a cancel means."""
        at_ns = cancel.print_at_ns
        # The stream gives only the time of the report, which comes on the trade's own day.
        day = day_of(cancel.at_ns if at_ns is None else at_ns)
        key = TradeKey(cancel.id, cancel.exchange, cancel.tape, day)
        return cls(key, cancel.price, cancel.size, at_ns)

    @classmethod
    def by_correction(cls, correction: Correction) -> Self:
        """Return the trade that a correction means."""
        at_ns = correction.print_at_ns
        day = day_of(correction.at_ns if at_ns is None else at_ns)
        key = TradeKey(correction.original_id, correction.exchange, correction.tape, day)
        return cls(key, correction.original_price, correction.original_size, at_ns)

    def is_named_by(self, entry: Entry) -> bool:
        """Return whether an entry has the identity, and the time if the message gives it."""
        identity = (entry.id, entry.event.exchange, entry.event.tape, entry.day)
        return self.key == identity and self.at_ns in (None, entry.at_ns)

    def resembles(self, entry: Entry) -> bool:
        """Return whether an entry without an id has the values.

        A price out of Redis has no id; the close of a bar has neither size nor exchange.
        """
        last = entry.event
        return (
            entry.id is None
            and last.price == self.price
            and last.size in (None, self.size)
            and last.exchange in (None, self.key.exchange)
            and entry.day == self.key.day
            # A bar's close has the time of its minute and not that of a trade.
            and (last.exchange is None or self.at_ns in (None, entry.at_ns))
        )


class Found(NamedTuple):
    """The place of an entry in the history; valid until the history changes."""

    entries: list[Entry]
    place: int

    @property
    def entry(self) -> Entry:
        """The entry at this place."""
        return self.entries[self.place]

    def remove(self) -> None:
        """Remove the entry."""
        del self.entries[self.place]


class TapeHistory:
    """Trades in order of exchange time, and for equal times in order of arrival.

    The trades that count only if their day has no other (``Eligibility.FIRST_ONLY``) are kept
    apart; within a day, the first to arrive counts.
    """

    __slots__ = ("firsts", "knows_past", "quarantined", "regular")

    def __init__(self) -> None:
        self.regular: list[Entry] = []
        self.firsts: list[Entry] = []
        self.quarantined: list[Entry] = []
        """Prints far off the last price, in order of arrival: see ``quarantine``."""
        self.knows_past = False
        """Whether REST has answered which trades there were before. Until then no trade can be
        called the first of its day."""

    def newest(self) -> Entry | None:
        """Return the trade that is the last price."""
        last = self.regular[-1] if self.regular else None
        # Derivatively priced trades and their like (``FIRST_ONLY``) count until the day's first
        # regular trade. Before REST's answer an earlier one may exist.
        if self.firsts and self.knows_past:
            day = self.firsts[-1].day
            if last is None or last.day < day:
                return self.firsts[bisect_left(self.firsts, day, key=_day)]
        return last

    def newest_id(self) -> TradeId | None:
        """Return the id of the newest regular trade."""
        return self.regular[-1].id if self.regular else None

    def append(self, entry: Entry) -> None:
        """Add a regular trade that is at least as new as all others."""
        self.regular.append(entry)
        if len(self.regular) > DEPTH:
            del self.regular[0]

    def insert(self, entry: Entry, rule: Eligibility) -> None:
        """Add a trade at its place."""
        if rule is Eligibility.ALWAYS:
            insort(self.regular, entry, key=_time)
            if len(self.regular) > DEPTH:
                del self.regular[0]
            return
        insort(self.firsts, entry, key=_day)
        if len(self.firsts) > DEPTH:
            # The first of the newest day may be the last price: it is the one to keep.
            del self.firsts[-1 if self.firsts[0].day == self.firsts[-1].day else 0]

    def replace(self, found: Found, entry: Entry, rule: Eligibility) -> None:
        """Put a corrected trade in the place of the one found, as its conditions now allow."""
        # Its place among trades of the same time stays: a correction is not a later trade.
        if rule is not Eligibility.NEVER and found.entries is self._list_for(rule):
            found.entries[found.place] = entry
            return
        found.remove()
        if rule is not Eligibility.NEVER:
            self.insert(entry, rule)

    def find(self, withdrawn: Withdrawn) -> Found | None:
        """Return the place of a trade: by its identity, else by its values if it has no id."""
        # By identity in all lists first: another trade may have the same values.
        for matches in (withdrawn.is_named_by, withdrawn.resembles):
            for entries in (self.regular, self.firsts, self.quarantined):
                # Backwards: the withdrawn trade is mostly one of the newest.
                for index in range(len(entries) - 1, -1, -1):
                    if matches(entries[index]):
                        return Found(entries, index)
        return None

    def knows(self, entry: Entry) -> bool:
        """Return whether this trade is here, whether the stream, REST or Redis brought it."""
        return any(
            each.is_same_trade(entry)
            for entries in (self.regular, self.firsts, self.quarantined)
            for each in entries
        )

    def drop_nameless(self, at_ns: int, price: float) -> None:
        """Forget a trade out of Redis, which has no id, since REST has shown it with its id."""
        self.regular = [
            each
            for each in self.regular
            if (each.at_ns, each.id, each.event.price) != (at_ns, None, price)
        ]

    def _list_for(self, rule: Eligibility) -> list[Entry]:
        return self.regular if rule is Eligibility.ALWAYS else self.firsts


def _time(entry: Entry) -> int:
    return entry.at_ns


def _day(entry: Entry) -> int:
    return entry.day
