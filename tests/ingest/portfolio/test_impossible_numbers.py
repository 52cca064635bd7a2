"""Numbers that no account can have."""

from decimal import Decimal

import pytest

from ingest.portfolio.amount import fraction, rounded
from ingest.portfolio.broker_report import BrokerReport
from ingest.portfolio.holding import Holding
from tests.ingest.portfolio.desk import Desk, shares
from tests.ingest.portfolio.rows import AS_OF


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e26", "-1e30"])
@pytest.mark.parametrize(
    "name", ["qty", "cost_basis", "broker_price", "day_basis", "lastday_price"]
)
def test_a_position_with_an_impossible_number_is_unpriced_and_spoils_no_other(
    name: str, number: str
) -> None:
    desk, known = Desk(), shares("AAA", "1")
    values = {each: getattr(known, each) for each in Holding.__dataclass_fields__}
    odd = Holding(**values | {"symbol": "BBB", name: Decimal(number)})
    assert desk.report(known, odd, cash="900")
    told = desk.after()
    assert (told.unpriced, told.partial, told.equity) == (["BBB"], True, 1000)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e26"])
def test_an_account_with_an_impossible_number_keeps_the_previous_figures(
    desk: Desk, number: str
) -> None:
    known = desk.holdings.account
    assert known is not None
    values = {each: getattr(known, each) for each in type(known).__dataclass_fields__}
    odd = type(known)(**values | {"cash": Decimal(number)})
    assert not desk.on_report(BrokerReport([], odd, desk.clock.now + 1, AS_OF), None)
    assert not desk.holdings.explains(BrokerReport([], odd, desk.clock.now + 1, AS_OF))
    assert desk.after().equity == 100000


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e30"])
def test_an_execution_with_an_impossible_number_changes_nothing(desk: Desk, number: str) -> None:
    desk.fill("AAA", "1", number, "1")
    desk.fill("AAA", number, "100", number)
    assert (desk.after().cash, desk.quantities) == (100000, {})


def test_a_ratio_to_almost_nothing_is_unknown() -> None:
    assert fraction(Decimal(1600), Decimal("1e-17")) is None
    assert rounded(Decimal("1e17")) == 1e17
    assert rounded(Decimal("NaN")) is rounded(Decimal("1e26")) is rounded(None) is None
