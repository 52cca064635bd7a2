"""The report that withdraws a print: a cancel or a correction, and the print that it means."""

from typing import NamedTuple, Self

import msgspec

from ingest.market.prints import Cancel, Correction, Trade, TradeId
from ingest.market.trading_day import day_of

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
    """The values that distinguish a print from others."""

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
        # It is applied: it concerns the same print when that comes again, and no other one.
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


def _agree(one: float | None, other: float | None) -> bool:
    return one is None or other is None or one == other


def _values(corrected: Correction | None) -> tuple[object, ...] | None:
    if corrected is None:
        return None
    return (corrected.id, corrected.price, corrected.size, corrected.conditions)
