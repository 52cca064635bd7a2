"""One report of two requests: read until both belong to one state, at a bounded cost."""

from collections.abc import Callable, Sequence

from ingest.portfolio.broker_report import BrokerReport
from ingest.upstream.report_reading import (
    REQUESTS_AT_MOST,
    AccountReading,
    PositionsReading,
    ReportReading,
)
from tests.ingest.portfolio.rows import AS_OF, account, holding


class Rest:
    """Answers in turn; its clock counts the requests. ``5`` is the quantity, or the cash."""

    def __init__(self, positions: Sequence[str], cash: Sequence[str]) -> None:
        self.quantities, self.cash, self.requests = list(positions), list(cash), 0

    async def positions(self) -> PositionsReading:
        self.requests += 1
        row = holding("BAC", self.quantities.pop(0), "11", "12")
        return PositionsReading([row], [], float(self.requests))

    async def account(self) -> AccountReading:
        self.requests += 1
        return AccountReading(account(self.cash.pop(0)), float(self.requests))

    async def report(
        self, explains: Callable[[BrokerReport], bool] = lambda _: False
    ) -> tuple[float, float, float, bool, int]:
        """Return quantity, cash, when it was asked, whether it has settled, and its cost."""
        reading = ReportReading(self.positions, self.account, explains)
        report, requests = await reading.read(AS_OF)
        assert requests == self.requests
        quantity, cash = report.holdings[0].qty, report.account.cash
        return float(quantity), float(cash), report.asked_at, report.settled, requests


async def test_what_is_known_already_costs_two_requests() -> None:
    report = await Rest(["5"], ["900"]).report(lambda _: True)
    assert report == (5, 900, 1, False, 2)


async def test_equal_positions_around_the_cash_prove_it() -> None:
    assert await Rest(["5", "5"], ["900"]).report() == (5, 900, 1, True, 3)


async def test_equal_cash_around_the_positions_proves_them() -> None:
    assert await Rest(["1", "5"], ["900", "900"]).report() == (5, 900, 2, True, 4)


async def test_readings_that_never_agree_end_after_a_few_and_the_report_has_not_settled() -> None:
    report = await Rest(["1", "3", "4"], ["900", "800", "700"]).report()
    assert report == (4, 700, 5, False, REQUESTS_AT_MOST)
