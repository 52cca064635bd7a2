"""Restrictions of short sales, as far as Alpaca reports them, and how long they last. Pure.

A restriction lasts for the rest of its day and the next trading day (17 CFR 242.201, rule 201 of
Regulation SHO). Alpaca reports those of tapes A and B, and has no code for tape C.
"""

from collections.abc import Callable, Set
from typing import NamedTuple

from ingest.market.market_hours import MarketHours
from ingest.market.trading_day import day_of, start_of

LONGEST_BREAK_DAYS = 4
"""From Friday to Tuesday: while no calendar is known, a restriction lasts no longer."""


class ShortSale(NamedTuple):
    """The newest report about a symbol; ``at_ns`` is its time in unix ns."""

    is_restricted: bool
    at_ns: int


class ShortSales:
    """Keeps the newest report about each symbol; ``hours`` returns the market's hours."""

    def __init__(self, hours: Callable[[], MarketHours]) -> None:
        self._hours = hours
        self._reports: dict[str, ShortSale] = {}

    def report(self, symbol: str, reported: ShortSale) -> bool:
        """Accept a report; return whether it is another one than before."""
        if self._reports.get(symbol) == reported:
            return False
        self._reports[symbol] = reported
        return True

    def of(self, symbol: str) -> ShortSale | None:
        """Return the newest report; None if there is none, or if it is too old."""
        return self._reports.get(symbol)

    def expire(self, now_ns: int) -> list[str]:
        """Forget the reports that are too old; return their symbols."""
        today = day_of(now_ns)
        old = [s for s, each in self._reports.items() if today > self._last_day(each)]
        for symbol in old:
            del self._reports[symbol]
        return old

    def forget_others(self, wanted: Set[str]) -> None:
        """Forget the symbols that are not wanted."""
        for symbol in self._reports.keys() - wanted:
            del self._reports[symbol]

    def __len__(self) -> int:
        return len(self._reports)

    def _last_day(self, reported: ShortSale) -> int:
        """Return the number of the last day of a restriction, in days since 1970."""
        day = day_of(reported.at_ns)
        return next_trading_day(self._hours(), day) or day + LONGEST_BREAK_DAYS


def next_trading_day(hours: MarketHours, day: int) -> int | None:
    """Return the first trading day after a day; None if the calendar does not cover it."""
    for later in range(day + 1, day + 8):
        if hours.last_close(start_of(later), start_of(later + 1)) is not None:
            return later
    return None
