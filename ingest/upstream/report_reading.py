"""Reads positions and account until both belong to one state of the account.

They are two requests, and a fill between them would count twice or not at all.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from ingest.portfolio.broker_report import BrokerReport, ReportedAccount
from ingest.portfolio.holding import Holding

REQUESTS_AT_MOST = 6
"""After so many requests without two equal readings, the next report continues."""


class PositionsReading(NamedTuple):
    """One reading of the positions, requested ``asked_at`` (monotonic)."""

    holdings: Sequence[Holding]
    unreadable: Sequence[str]
    asked_at: float

    def is_same(self, other: "PositionsReading") -> bool:
        """Return whether no execution has changed a position; prices may have moved."""
        return self.quantities == other.quantities and {*self.unreadable} == {*other.unreadable}

    @property
    def quantities(self) -> set[tuple[str, Decimal, Decimal]]:
        """The quantity and the cost of each position."""
        return {(each.symbol, each.qty, each.cost_basis) for each in self.holdings}


class AccountReading(NamedTuple):
    """One reading of the account, requested ``asked_at`` (monotonic)."""

    account: ReportedAccount
    asked_at: float


@dataclass(frozen=True)
class ReportReading:
    """Makes reports of readings; ``explains``: whether our own ledger has the same figures."""

    read_positions: Callable[[], Awaitable[PositionsReading]]
    read_account: Callable[[], Awaitable[AccountReading]]
    explains: Callable[[BrokerReport], bool]

    async def read(self, as_of: str) -> tuple[BrokerReport, int]:
        """Return a report, and the requests that it took.

        If positions and account are those of our own ledger, they are of one state. Otherwise a
        second, equal reading of one of them proves that nothing changed around the other.
        """
        positions, account = await self.read_positions(), await self.read_account()
        requests = 2
        while not self.explains(report := _report(positions, account, as_of, settled=False)):
            if requests >= REQUESTS_AT_MOST:
                break
            again = await self.read_positions()
            if again.is_same(positions):
                return _report(positions, account, as_of, settled=True), requests + 1
            account_again = await self.read_account()
            requests += 2
            if account_again.account.cash == account.account.cash:
                return _report(again, account, as_of, settled=True), requests
            positions, account = again, account_again
        return report, requests


def _report(
    positions: PositionsReading, account: AccountReading, as_of: str, *, settled: bool
) -> BrokerReport:
    asked_at = min(positions.asked_at, account.asked_at)
    return BrokerReport(
        positions.holdings, account.account, asked_at, as_of, positions.unreadable, settled
    )
