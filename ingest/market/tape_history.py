"""The newest trades of a symbol that may be its last price, so that any can be withdrawn."""

from bisect import bisect_left, insort
from typing import NamedTuple

from ingest.market.conditions import Eligibility
from ingest.market.past_prints import PastPrints
from ingest.market.prints import Trade, TradeId
from ingest.market.regular_trades import TRIMMED_AT_ONCE, RegularTrades
from ingest.market.tape_entries import Entry, Known, Uncounted
from ingest.market.withdrawal import Withdrawn

FIRSTS_DEPTH = 16
"""Only the first of a day counts: the others matter if it is withdrawn."""

INELIGIBLE_DEPTH = 128
"""A correction makes an ineligible print eligible only if it is one of the newest of these."""

REFUTED_DEPTH = 16


class Found(NamedTuple):
    """The place of a print in the history; valid until the history changes."""

    entries: RegularTrades | list[Entry] | list[Uncounted]
    place: int

    @property
    def entry(self) -> Known:
        """The print at this place."""
        return self.entries[self.place]

    def remove(self) -> None:
        """Remove the print."""
        del self.entries[self.place]


class TapeHistory:
    """Trades in order of exchange time, and for equal times in order of arrival.

    The trades that count only if their day has no other (``Eligibility.FIRST_ONLY``) are kept
    apart; within a day, the first to arrive counts. A corrected print keeps the place of the
    original: a correction is not a later trade.
    """

    __slots__ = (
        "_past",
        "firsts",
        "ineligible",
        "knows_past",
        "quarantined",
        "refuted",
        "regular",
    )

    def __init__(self, symbol: str) -> None:
        self.regular = RegularTrades(symbol)
        self.firsts: list[Entry] = []
        self.quarantined: list[Entry] = []
        """Prints far off the last price, in order of arrival: see ``quarantine``."""
        self.refuted: list[Entry] = []
        """Prints that were far off those before and after them. A correction may change that."""
        self.ineligible: list[Uncounted] = []
        """The newest prints that do not count. A correction may change that too."""
        self._past: PastPrints | None = None
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

    def insert(self, entry: Entry, rule: Eligibility) -> None:
        """Add a trade at its place."""
        if rule is Eligibility.ALWAYS:
            self.regular.insert(entry)
            return
        insort(self.firsts, entry, key=_arrival)
        if len(self.firsts) > FIRSTS_DEPTH:
            # The first of the newest day may be the last price: it is the one to keep.
            is_one_day = self.firsts[0].day == self.firsts[-1].day
            forgotten = self.firsts.pop(-1 if is_one_day else 0)
            if self._past is not None:
                self._past.add([forgotten])

    def add_ineligible(self, trade: Trade, order: int) -> None:
        """Add a print that does not count."""
        ineligible = self.ineligible
        ineligible.append(Uncounted(trade, order))
        if len(ineligible) >= INELIGIBLE_DEPTH + TRIMMED_AT_ONCE:
            if self._past is not None:
                self._past.add(ineligible[:TRIMMED_AT_ONCE])
            del ineligible[:TRIMMED_AT_ONCE]

    def remember_past(self) -> PastPrints:
        """Keep the ids of the prints that are forgotten from now on, for reports on them.

        Most symbols have no report for days, and their prints would pay for it.
        """
        if self._past is None:
            self._past = self.regular.past = PastPrints()
        return self._past

    def refute(self, *entries: Entry) -> None:
        """Keep prints that proved wrong, for a correction."""
        self.refuted += entries
        del self.refuted[:-REFUTED_DEPTH]

    def neighbours(self, entry: Entry) -> list[float]:
        """Return the prices of the regular trades of the day just before and just after a time."""
        around = self.regular.around(entry.at_ns)
        return [each.price for each in around if each.day == entry.day]

    def find(self, withdrawn: Withdrawn) -> Found | None:
        """Return the place of the print that a report names; of several such, the newest."""
        id_ = withdrawn.key.id
        # The ids first: they are cheap to compare.
        of_id: list[Found] = []
        for entries in (self.firsts, self.quarantined, self.refuted):
            of_id += [Found(entries, at) for at, each in enumerate(entries) if each.id == id_]
        of_id += [
            Found(self.ineligible, at) for at, each in enumerate(self.ineligible) if each.id == id_
        ]
        found = [each for each in of_id if withdrawn.names(each.entry.identity)]
        # In order, so that the first one from the end is the newest.
        for place in self.regular.places_of(id_):
            if withdrawn.names(self.regular[place].identity):
                found.append(Found(self.regular, place))
                break
        return max(found, key=lambda each: (each.entry.at_ns, each.entry.order), default=None)

    def find_nameless(self, withdrawn: Withdrawn) -> Found | None:
        """Return the place of an entry without an id that has the values that a report names."""
        for index in range(len(self.regular) - 1, -1, -1):
            if self.regular[index].resembles(withdrawn):
                return Found(self.regular, index)
        return None

    def knows(self, entry: Entry) -> bool:
        """Return whether this trade is here, whether the stream, REST or Redis brought it."""
        at_ns, id_ = entry.at_ns, entry.id
        # From the end: a trade that comes again is mostly one of the newest. Many trades may share
        # a time, but few an id, which is cheap to compare.
        for each in self.regular.since(at_ns):
            if each.id in (id_, None) and each.is_same_trade(entry):
                return True
        for entries in (self.firsts, self.quarantined, self.refuted):
            for each in entries:
                if each.at_ns == at_ns and each.is_same_trade(entry):
                    return True
        return False

    def knows_ineligible(self, trade: Trade) -> bool:
        """Return whether an ineligible print is here."""
        return any(each.trade.id == trade.id and each.trade == trade for each in self.ineligible)

    def drop_nameless(self, at_ns: int, price: float) -> None:
        """Forget a trade out of Redis, which has no id, since REST has shown it with its id."""
        for index in range(len(self.regular) - 1, -1, -1):
            each = self.regular[index]
            if each.at_ns < at_ns:
                break
            if each.id is None and each.at_ns == at_ns and each.event.price == price:
                del self.regular[index]


def _day(entry: Entry) -> int:
    return entry.day


def _arrival(entry: Entry) -> tuple[int, int, int]:
    return entry.day, entry.order, entry.at_ns
