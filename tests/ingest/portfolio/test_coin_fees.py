"""Fees that are taken in coins: they make quantities differ that mean the same."""

import pytest

from ingest.portfolio.holding import Holding
from ingest.portfolio.holdings import DOUBT_SECONDS
from tests.ingest.portfolio.desk import Desk, shares

COIN = "BTC/USD"


@pytest.mark.parametrize("after", ["0.501251765", "0.501254903"])
def test_a_fee_in_coins_is_no_missing_execution_whether_position_qty_is_net_or_gross(
    desk: Desk, after: str
) -> None:
    def coins(qty: str) -> Holding:
        return shares("BTCUSD", qty, "79660.98", asset_class="crypto")

    assert desk.report(coins("0.5"), cash="1000")
    desk.fill(COIN, "0.001254903", "79660.98", after)
    assert desk.quantities == {COIN: float(after)}
    assert desk.after().cash == 900.03

    assert desk.report(coins("0.501251765"), cash="900.03")
    assert desk.quantities == {COIN: 0.501251765}
    assert desk.after().state == "live"
    assert desk.holdings.witness.seconds_to_orders is None


@pytest.mark.parametrize(
    ("first", "second", "third"), [("0.9975", "0.9984975", "0.999495"), ("1", "1.001", "1.002")]
)
def test_a_purchase_of_coins_as_small_as_the_fee_of_another_counts(
    desk: Desk, first: str, second: str, third: str
) -> None:
    desk.fill(COIN, "1", "60000", first)
    desk.fill(COIN, "0.001", "60000", third)  # partial fills may come in any order
    desk.fill(COIN, "0.001", "60000", second, late=0.1)
    assert (desk.after().cash, desk.quantities) == (39880, {COIN: float(third)})


def test_nor_does_a_report_contain_it_that_may_be_from_before_it(desk: Desk) -> None:
    desk.fill(COIN, "1", "60000", "1")
    coins = shares("BTCUSD", "1", "60000", asset_class="crypto")
    desk.clock.now += 1
    assert desk.report(coins, cash="40000")
    desk.fill(COIN, "0.001", "60000", "1.001", late=0.2)
    assert desk.after(DOUBT_SECONDS).state == "stale"
