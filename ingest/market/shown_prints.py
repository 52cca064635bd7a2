"""The prints that one symbol's tape has shown, and how prints and withdrawals are matched to them.

Ids start again each day, and FINRA's ``D`` stands for several facilities that number independently:
an exchange and an id may name several prints. Pure.
"""

from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice
from typing import TypeAlias

import msgspec

from ingest.market.trading_day import day_of
from shared.rfc3339 import sortable, to_nanoseconds
from shared.trade import Correction, Trade, Withdrawal

SAME_ID_PRINTS = 8
"""Prints of one exchange and id: the three facilities of ``D`` over some days."""

START_PRINTS = 10
"""One of the oldest prints in a history may have come late: the newest of these is its start."""

CLOCKS_NS = 1_000_000_000
"""A report may seem older than its print by the difference of two clocks."""

PrintName: TypeAlias = tuple[str | None, str]
"""Exchange and id."""


class ShownPrint(msgspec.Struct, gc=False):
    """A print that the tape has shown. ``corrected``: a correction brought it, not a trade."""

    timestamp: str
    price: float
    size: float | None
    corrected: bool = False
    withdrawn: bool = False

    def is_of(self, print_: Trade, *, corrected: bool) -> bool:
        """Return whether it is this print, which has its exchange and id.

        ``corrected``: REST shows that print as the replacement of another one.
        """
        values = (self.price, self.size) == (print_.price, print_.size)
        # Whether REST shows a replacement at the time of the print or of the report is not
        # documented.
        if corrected and values and self.corrected:
            return _day(self.timestamp) == _day(print_.timestamp)
        # If there is no id, several prints of one exchange can share a time.
        return self.timestamp == print_.timestamp and (
            values or (print_.id is not None and not corrected)
        )

    def is_meant_by(self, event: Withdrawal) -> bool:
        """Return whether a withdrawal of its exchange and id means it."""
        at, price, size = event.original_timestamp, event.original_price, event.original_size
        if price not in (None, self.price):
            return False
        if at is not None:
            return at == self.timestamp
        # The stream names no time: of several prints with one id, it means the one whose values it
        # names, on the day of the report and before it.
        reported, printed = to_nanoseconds(event.timestamp), to_nanoseconds(self.timestamp)
        return (
            (self.size is None or size in (None, self.size))
            and printed <= reported + CLOCKS_NS
            and day_of(printed) == day_of(reported)
        )

    def is_result_of(self, correction: Correction) -> bool:
        """Return whether it keeps its id and already has the corrected values."""
        return (
            self.corrected
            and not self.withdrawn
            and correction.id == correction.original_id
            and (correction.price, correction.size) == (self.price, self.size)
        )

    def has_values_of(self, other: "ShownPrint") -> bool:
        """Return whether both have one time, price and size."""
        return (self.timestamp, self.price, self.size) == (
            other.timestamp,
            other.price,
            other.size,
        )


class ShownPrints:
    """The prints of one symbol by exchange and id, in order of arrival.

    ``is_recalled``: the events that an earlier leader has published are among them.
    """

    __slots__ = ("_places", "forgotten_until", "is_recalled", "shown")

    def __init__(self) -> None:
        self.shown: OrderedDict[PrintName, Trade | tuple[ShownPrint, ...]] = OrderedDict()
        """A print as it was published, or all prints of a name once one of them is not ordinary."""
        self.is_recalled = False
        self.forgotten_until: str | None = None
        """The time of the newest print that was forgotten, without its ``Z``."""
        self._places = 0
        """The places of forgotten prints that the table still has."""

    def named(self, name: PrintName) -> tuple[ShownPrint, ...]:
        """Return the prints of an exchange and id, in order of arrival."""
        shown = self.shown.get(name, ())
        if isinstance(shown, Trade):
            shown = self.shown[name] = (ShownPrint(shown.timestamp, shown.price, shown.size),)
        return shown

    def append(self, name: PrintName, shown: ShownPrint) -> None:
        """Add a print to those of its name, as the newest of all."""
        named = self.named(name)
        if len(named) == SAME_ID_PRINTS:
            self._forget(named[0].timestamp)
            named = named[1:]
        self.shown[name] = (*named, shown)
        self.shown.move_to_end(name)

    def known_since(self) -> int | None:
        """Return the time (unix ns) after which all shown prints are known; None if always."""
        return None if self.forgotten_until is None else to_nanoseconds(f"{self.forgotten_until}Z")

    def time_of_newest(self, count: int) -> int | None:
        """Return the time (unix ns) of the oldest of the ``count`` newest prints."""
        times: list[str] = []
        for prints in islice(reversed(self.shown.values()), count):
            # Beside the newest print of an id there may be one of an earlier hour or day.
            each_of = (prints,) if isinstance(prints, Trade) else prints
            times += [sortable(each.timestamp) for each in each_of]
        return to_nanoseconds(f"{sorted(times)[-count:][0]}Z") if times else None

    def forget_before(self, recalled: Iterable[Trade]) -> None:
        """Note that prints from before these are not known."""
        times = [sortable(each.timestamp) for each in islice(recalled, START_PRINTS)]
        self.forgotten_until = max([*times, self.forgotten_until or ""]) or None

    def forget_oldest(self, kept: int) -> None:
        """Keep only the prints that came last."""
        times = []
        self._places += max(0, len(self.shown) - kept)
        while len(self.shown) > kept:
            _, prints = self.shown.popitem(last=False)
            if isinstance(prints, Trade):
                times.append(prints.timestamp)
            else:
                times += [each.timestamp for each in prints]
        if times:
            self._forget(max(times, key=sortable))
        # A table keeps the places of what was removed, and doubles once they fill it.
        if self._places > len(self.shown) / 2:
            self.shown, self._places = OrderedDict(self.shown), 0

    def _forget(self, timestamp: str) -> None:
        time = sortable(timestamp)
        if self.forgotten_until is None or time > self.forgotten_until:
            self.forgotten_until = time


def _day(timestamp: str) -> int:
    return day_of(to_nanoseconds(timestamp))
