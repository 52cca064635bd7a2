"""The times of the prints that a symbol's history has no longer, where an id may be used again.

A cancel or a correction names a print by values that a later print of another facility may share.
If it came for a print of the past, it must not wait for the later one.
"""

from collections.abc import Iterable
from typing import TypeAlias

from ingest.market.prints import TradeId
from ingest.market.tape_entries import Known
from ingest.market.trading_day import day_of
from ingest.market.withdrawal import PrintIdentity, Withdrawn

REPEATING_EXCHANGE = "D"
"""FINRA: three reporting facilities, each of which counts its own ids. Alpaca's recorded stream of
2021-08-23 has AAPL with ids 80721, 17913 and 712 within eight seconds."""

SPAN_NS = 60 * 1_000_000_000
"""The prints of at least this span are remembered, and of at most twice as much, unless there are
more than ``MOST``."""

MOST = 4096

PastPrint: TypeAlias = tuple[TradeId | None, float | None, float | None, int]
"""Id, price, size and time (unix ns)."""


class PastPrints:
    """A symbol's prints of one exchange. Two generations, so that the oldest need no search."""

    __slots__ = ("_before", "_newest", "_start_ns")

    def __init__(self) -> None:
        self._newest: list[PastPrint] = []
        self._before: list[PastPrint] = []
        self._start_ns = -1

    def add(self, forgotten: Iterable[Known]) -> None:
        """Remember those prints of the exchange that the history has no longer."""
        named = [(each.id, each.identity) for each in forgotten]
        prints = [
            (id_, identity.price, identity.size, identity.at_ns)
            for id_, identity in named
            if identity.key.exchange == REPEATING_EXCHANGE
        ]
        if not prints:
            return
        at_ns = prints[-1][-1]
        if at_ns > self._start_ns + SPAN_NS or len(self._newest) >= MOST:
            self._before, self._newest, self._start_ns = self._newest, [], at_ns
        self._newest += prints

    def find(self, withdrawn: Withdrawn) -> PrintIdentity | None:
        """Return the newest print with the values that a report names, if there is one."""
        key = withdrawn.key
        # Elsewhere an id is used once a day: a report on a forgotten print means no later one.
        if key.exchange != REPEATING_EXCHANGE:
            return None
        for prints in (self._newest, self._before):
            for id_, price, size, at_ns in reversed(prints):
                if id_ != key.id or day_of(at_ns) != key.day:
                    continue
                print_ = PrintIdentity(key, at_ns, price, size)
                if withdrawn.names(print_):
                    return print_
        return None
