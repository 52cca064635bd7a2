"""The order of the reports about symbols: statuses, price bands, imbalances. Pure.

Alpaca gives them no number. Their times show which are late, their contents which are repeated.
"""

from collections import OrderedDict
from collections.abc import Hashable
from enum import Enum, auto

from ingest.market.clock_lead import AHEAD_NS

REMEMBERED_REPORTS = 20_000


class Arrival(Enum):
    """A report, compared with those before it."""

    NEWS = auto()
    LATE = auto()
    """Older than another one of its kind and symbol."""
    REPEATED = auto()
    """Equal to an earlier one in all that it states, its time included."""


class RecentReports:
    """Remembers the newest reports; ``late`` and ``repeated`` count the others."""

    def __init__(self) -> None:
        self.late = 0
        self.repeated = 0
        self._seen: OrderedDict[Hashable, None] = OrderedDict()
        self._newest_ns: OrderedDict[tuple[str, str], int] = OrderedDict()

    def add(
        self, kind: str, symbol: str, at_ns: int | None, received_ns: int, *content: Hashable
    ) -> Arrival:
        """Add a report by its exchange's time and the ingest's (unix ns); return what it is.

        One that has no time is news: nothing shows when it was made.
        """
        if at_ns is None or at_ns < 0:  # Go writes the year 1 for no time
            return Arrival.NEWS
        report = (kind, symbol, at_ns, *content)
        if report in self._seen:
            self.repeated += 1
            return Arrival.REPEATED
        self._seen[report] = None
        _bound(self._seen)
        key = (kind, symbol)
        newest_ns = self._newest_ns.get(key)
        if newest_ns is not None and at_ns < newest_ns:
            self.late += 1
            return Arrival.LATE
        # A time from the future would make all later reports late.
        if at_ns <= received_ns + AHEAD_NS:
            self._newest_ns[key] = at_ns
            self._newest_ns.move_to_end(key)
            _bound(self._newest_ns)
        return Arrival.NEWS


def _bound(remembered: OrderedDict[Hashable, None] | OrderedDict[tuple[str, str], int]) -> None:
    if len(remembered) > REMEMBERED_REPORTS:
        remembered.popitem(last=False)
