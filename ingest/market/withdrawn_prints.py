"""Cancels and corrections of a symbol's prints, kept so that no withdrawn print is believed again.

A print may come again after its cancel (REST shows a busted print for some time, and a stream may
repeat one), or for the first time (a cancel can overtake its print).
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple, Self

import msgspec

from ingest.market.prints import Cancel, Correction, Trade, TradeId
from ingest.market.trading_day import day_of

REMEMBERED_IDS = 512
"""A symbol's withdrawn ids: several times those of the largest busts of one symbol."""

REMEMBERED_PER_ID = 16
"""The reports on one id. FINRA's facilities repeat ids within a day."""

OVERTAKEN_NS = 5_000_000_000
"""A print that comes after its own cancel was made before it: its time is greater by no more than
the difference of two clocks. A newer print with the same id is another one."""


class TradeKey(NamedTuple):
    """A trade's id and its scope. Within FINRA's ``D``, several trades of a day share a key."""

    id: TradeId | None
    exchange: str | None
    tape: str | None
    day: int


class PrintIdentity(NamedTuple):
    """The values that distinguish a print from every other one."""

    key: TradeKey
    at_ns: int
    price: float | None
    size: float | None

    @classmethod
    def of(cls, trade: Trade) -> Self:
        """Return a print's identity."""
        key = TradeKey(trade.id, trade.exchange, trade.tape, day_of(trade.at_ns))
        return cls(key, trade.at_ns, trade.price, trade.size)


class Withdrawn(NamedTuple):
    """The print that a cancel or a correction means, with the values that the message gives."""

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

    def names(self, print_: PrintIdentity) -> bool:
        """Return whether a print has the id and every value that the message gives.

        A print with this id and other values is another print, or one that was corrected before.
        """
        return (
            self.key == print_.key
            and self.at_ns in (None, print_.at_ns)
            and _agree(self.price, print_.price)
            and _agree(self.size, print_.size)
        )


class Withdrawal(msgspec.Struct):
    """A cancel, or a correction (``corrected``). ``reported_ns`` is the time of the report.

    ``print`` is the print that it was applied to, None until that print has come.
    """

    withdrawn: Withdrawn
    corrected: Correction | None
    reported_ns: int
    print: PrintIdentity | None = None

    @property
    def at_ns(self) -> int | None:
        """The print's own time, if it is known."""
        return self.withdrawn.at_ns if self.print is None else self.print.at_ns

    def concerns(self, print_: PrintIdentity) -> bool:
        """Return whether a print that comes now is the one that this report withdrew."""
        if self.print is not None:
            return self.print == print_
        return self.withdrawn.names(print_) and print_.at_ns <= self.latest_ns

    def is_same_report(self, other: "Withdrawal") -> bool:
        """Return whether another report withdraws the same print and puts the same in its place.

        A value that one of the two lacks distinguishes nothing.
        """
        mine, others = self.withdrawn, other.withdrawn
        return (
            mine.key == others.key
            and _agree(mine.price, others.price)
            and _agree(mine.size, others.size)
            and _agree(self.at_ns, other.at_ns)
            and _values(self.corrected) == _values(other.corrected)
        )

    def covers(self, withdrawn: Withdrawn) -> bool:
        """Return whether this is a correction of the print that another report names."""
        mine = self.withdrawn
        return (
            self.corrected is not None
            and _agree(mine.price, withdrawn.price)
            and _agree(mine.size, withdrawn.size)
            and _agree(self.at_ns, withdrawn.at_ns)
        )

    @property
    def latest_ns(self) -> int:
        """The latest time that the print can have, if it comes after this report."""
        at_ns = self.withdrawn.at_ns
        return self.reported_ns + OVERTAKEN_NS if at_ns is None else at_ns

    def learn_time(self, at_ns: int | None) -> None:
        """Add the print's own time, which a repeated report gives."""
        if at_ns is not None and self.print is None:
            self.withdrawn = self.withdrawn._replace(at_ns=at_ns)


def corrected(correction: Correction, at_ns: int) -> Trade:
    """Return a print as its correction leaves it, at the print's own time."""
    return Trade(
        correction.symbol,
        correction.price,
        correction.size,
        at_ns,
        correction.id,
        correction.exchange,
        correction.conditions,
        correction.tape,
    )


class WithdrawnPrints:
    """The reports of one symbol by the id of the print; the oldest ids are forgotten."""

    __slots__ = ("_by_key",)

    def __init__(self) -> None:
        self._by_key: OrderedDict[TradeKey, list[Withdrawal]] = OrderedDict()

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self._by_key)

    def add(self, report: Withdrawal) -> None:
        """Remember a report."""
        key = report.withdrawn.key
        reports = self._by_key.setdefault(key, [])
        reports.append(report)
        del reports[:-REMEMBERED_PER_ID]
        self._by_key.move_to_end(key)
        if len(self._by_key) > REMEMBERED_IDS:
            self._by_key.popitem(last=False)

    def same_as(self, report: Withdrawal) -> Withdrawal | None:
        """Return the earlier report that says the same, if there is one."""
        return next(
            (each for each in self._of(report.withdrawn.key) if each.is_same_report(report)), None
        )

    def concerning(self, print_: PrintIdentity) -> Withdrawal | None:
        """Return the report that withdrew a print, if there is one."""
        reports = [each for each in self._of(print_.key) if each.concerns(print_)]
        # If the print has come before, its report was applied then.
        applied = (each for each in reports if each.print is not None)
        return next(applied, reports[0] if reports else None)

    def pending(self, print_: PrintIdentity) -> Withdrawal | None:
        """Return a report that came before its print, which has come now."""
        reports = self._of(print_.key)
        return next(
            (each for each in reports if each.print is None and each.concerns(print_)), None
        )

    def present_form(self, withdrawn: Withdrawn) -> Withdrawn:
        """Return the print that a report means now.

        A report may name a print by the values that it had before a correction.
        """
        for _ in range(REMEMBERED_PER_ID):
            earlier = next(
                (each for each in self._of(withdrawn.key) if each.covers(withdrawn)), None
            )
            if earlier is None or earlier.corrected is None:
                return withdrawn
            now = earlier.corrected
            key = TradeKey(now.id, now.exchange, now.tape, withdrawn.key.day)
            present = Withdrawn(key, now.price, now.size, earlier.at_ns)
            # Only the conditions were corrected.
            if present[:3] == withdrawn[:3]:
                return withdrawn
            withdrawn = present
        return withdrawn

    def include_price(self, price: float, start_ns: int, end_ns: int) -> bool:
        """Return whether a withdrawn print of a span of time had a price."""
        return any(
            each.print is not None
            and each.print.price == price
            and start_ns <= each.print.at_ns < end_ns
            for reports in self._by_key.values()
            for each in reports
        )

    def _of(self, key: TradeKey) -> Iterator[Withdrawal]:
        return reversed(self._by_key.get(key, ()))


def _agree(one: float | None, other: float | None) -> bool:
    return one is None or other is None or one == other


def _values(corrected: Correction | None) -> tuple[object, ...] | None:
    if corrected is None:
        return None
    return (corrected.id, corrected.price, corrected.size, corrected.conditions)
