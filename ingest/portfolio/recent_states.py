"""The states of the account in the last seconds, by which a late report is recognised. Pure."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Set
from decimal import Decimal
from itertools import takewhile
from typing import NamedTuple

from ingest.portfolio.amount import NOTHING

STATES_AT_MOST = 1_000


class _Change(NamedTuple):
    """The quantities that a change replaced, the cash before it, and its monotonic time."""

    quantities: Mapping[str, Decimal]
    cash: Decimal
    at: float


class RecentStates:
    """Goes back from the newest quantities and cash, change by change.

    ``is_same`` compares, for a symbol, a quantity of ours with a reported one.
    """

    def __init__(self, is_same: Callable[[str, Decimal, Decimal], bool]) -> None:
        self._is_same = is_same
        self._changes: deque[_Change] = deque(maxlen=STATES_AT_MOST)

    def add(self, quantities: Mapping[str, Decimal], cash: Decimal, at: float) -> None:
        """Note the quantities and the cash that a change has just replaced."""
        self._changes.append(_Change(quantities, cash, at))

    def had_quantities(
        self,
        ours: Mapping[str, Decimal],
        reported: Mapping[str, Decimal],
        since: float,
        ignored: Set[str],
    ) -> bool:
        """Return whether the reported quantities were ours at a time since ``since``.

        ``ignored``: symbols that are not compared.
        """
        different = {
            symbol
            for symbol in {*ours, *reported}
            if not self._is_same(symbol, ours.get(symbol, NOTHING), reported.get(symbol, NOTHING))
        }
        for change in self._newest_first(since):
            if not different:
                return True
            for symbol, quantity in change.quantities.items():
                if symbol in ignored:
                    continue
                same = self._is_same(symbol, quantity, reported.get(symbol, NOTHING))
                (different.discard if same else different.add)(symbol)
        return not different

    def had_cash(self, ours: Decimal, reported: Decimal, tolerance: Decimal, since: float) -> bool:
        """Return whether the reported cash was ours at a time since ``since``."""
        known = (ours, *(change.cash for change in self._newest_first(since)))
        return any(abs(cash - reported) <= tolerance for cash in known)

    def _newest_first(self, since: float) -> Iterable[_Change]:
        return takewhile(lambda change: change.at >= since, reversed(self._changes))
