"""Reports and executions that contradict each other: all of a report is applied, or nothing."""

from decimal import Decimal
from typing import Any

import pytest

from ingest.portfolio.broker_report import BrokerReport
from ingest.portfolio.execution import Execution
from ingest.portfolio.holdings import DOUBT_SECONDS
from ingest.portfolio.portfolio import DOUBT
from ingest.portfolio.waiting_executions import DISBELIEF_SECONDS
from shared import rfc3339
from shared.account import Account
from tests.ingest.portfolio.desk import Desk, shares
from tests.ingest.portfolio.rows import AS_OF, account


def test_a_report_whose_cash_contains_a_fill_that_its_positions_lack_is_not_applied(
    desk: Desk,
) -> None:
    desk.fill("AAA", "1", "100", "1")
    torn: dict[str, Any] = {
        "cash": "89900",
        "long_market_value": "10100",
        "short_market_value": "0",
    }
    assert not desk.report(shares("AAA", "1"), last_equity="100000", settled=False, **torn)
    desk.fill("AAA", "100", "100", "101")
    known = desk.holdings.by_symbol["AAA"]
    assert (desk.after().cash, float(known.qty)) == (89900, 101)
    assert desk.after(DOUBT_SECONDS).state == "live"

    assert desk.report(shares("AAA", "101"), last_equity="100000", **torn)
    told = desk.after()
    assert (told.cash, told.equity, told.day_pl) == (89900, 100000, 0)


@pytest.mark.parametrize("settled", [True, False])
def test_nor_is_one_of_which_the_same_is_known_by_the_brokers_totals_alone(
    desk: Desk, settled: bool
) -> None:
    """No execution has come, and two stale readings of the positions are equal."""
    torn: dict[str, Any] = {
        "cash": "90000",
        "long_market_value": "10000",
        "short_market_value": "0",
    }
    assert not desk.report(settled=settled, **torn)
    assert desk.after().cash == 100000
    told = desk.after(DOUBT_SECONDS)
    assert (told.state, told.reason, told.cash) == ("stale", DOUBT, 100000)


def test_nor_is_one_that_lacks_a_sale_of_a_position_which_no_report_has_shown(desk: Desk) -> None:
    """Its cash is from before the sale, and the broker's totals still contain the position."""
    desk.fill("AAA", "100", "7", "100")
    desk.clock.now += DISBELIEF_SECONDS
    torn: dict[str, Any] = {"long_market_value": "700", "short_market_value": "0"}
    assert not desk.report(cash="99290", **torn)
    assert (desk.after().cash, desk.quantities) == (99300, {"AAA": 100})


def test_a_dividend_is_applied_at_once_since_the_brokers_equity_has_it_too(desk: Desk) -> None:
    equity: dict[str, Any] = {
        "long_market_value": "0",
        "short_market_value": "0",
        "last_equity": "100000",
    }
    assert desk.report(cash="100012.50", equity="100012.50", **equity)
    assert desk.after().day_pl == 12.5


def test_while_one_symbol_is_in_doubt_neither_cash_nor_other_positions_are_taken() -> None:
    desk = Desk()
    desk.report(shares("AAA", "101"), cash="89900", last_equity="100000")
    desk.fill("AAA", "1", "100", "102")
    late = shares("AAA", "101"), shares("BBB", "500")
    for _ in range(5):
        totals: dict[str, Any] = {"long_market_value": "60100", "short_market_value": "0"}
        assert not desk.report(*late, cash="39900", last_equity="100000", **totals)
        told = desk.after(0.5)
        assert (told.cash, told.positions, told.equity) == (89800, ["AAA"], 100000)
        assert told.state == "stale"

    desk.clock.now += DISBELIEF_SECONDS - 3
    whole = shares("AAA", "102"), shares("BBB", "500")
    totals = {"long_market_value": "60200", "short_market_value": "0"}
    assert desk.report(*whole, cash="39800", last_equity="100000", **totals)
    told = desk.after()
    assert (told.state, told.cash, told.equity, told.day_pl) == ("live", 39800, 100000, 0)


def test_a_report_that_is_merely_late_leaves_the_account_live(desk: Desk) -> None:
    desk.fill("AAA", "1", "100", "1")
    desk.fill("BBB", "2", "100", "2")
    assert not desk.report(shares("AAA", "1"), cash="99900")
    assert not desk.report(shares("AAA", "1"), shares("BBB", "2"), cash="99900")
    told = desk.after(2.0)
    assert (told.state, told.cash, told.positions) == ("live", 99700, ["AAA", "BBB"])


def test_partial_fills_out_of_order_wait_for_each_other_and_count_once(desk: Desk) -> None:
    desk.clock.now += 1
    desk.fill("AAA", "5", "100", "15", id="second")
    assert desk.quantities == {}
    desk.fill("AAA", "10", "100", "10", late=0.1, id="first")
    desk.fill("AAA", "10", "100", "10", late=0.15, id="first")
    assert (desk.quantities, desk.after().cash) == ({"AAA": 15}, 98500)
    assert desk.after(DOUBT_SECONDS).state == "live"


def test_fills_of_one_moment_whose_quantities_allow_two_orders_count_in_that_of_their_arrival(
    desk: Desk,
) -> None:
    desk.clock.now += 1
    desk.fill("BBB", "5", "100", "15")  # it waits for the fill before it, and the others for it
    at = rfc3339.from_unix(desk.clock.now)
    for delta, after in ((-1, -1), (2, 1), (-2, -1)):
        numbers = Decimal(delta), Decimal(100), Decimal(after)
        desk.on_execution(Execution("AAA", "us_equity", *numbers, at))
    desk.fill("BBB", "10", "100", "10", late=0.2)
    assert (desk.after().cash, desk.quantities) == (98600, {"AAA": -1, "BBB": 15})


def test_an_execution_without_the_one_before_it_makes_the_account_stale_until_a_report(
    desk: Desk,
) -> None:
    desk.fill("AAA", "5", "100", "15")
    desk.fill("BBB", "1", "100", "1")
    assert (desk.after().cash, desk.quantities) == (100000, {})  # a state that was

    told = desk.after(DOUBT_SECONDS)
    assert (told.state, told.reason, told.positions) == ("stale", DOUBT, ["BBB"])
    assert desk.report(shares("AAA", "15"), shares("BBB", "1"), cash="98400")
    assert desk.after().state == "live"


def test_a_round_trip_that_a_report_contains_does_not_count_again_when_it_comes_late(
    desk: Desk,
) -> None:
    desk.fill("BBB", "1", "100", "1")
    desk.clock.now += 3
    assert desk.report(shares("BBB", "1"), cash="99910")  # 10 AAA were bought at 100, sold at 101
    desk.fill("AAA", "10", "100", "10", late=2.0)
    desk.fill("AAA", "-10", "101", "0", late=1.5)
    assert (desk.after().cash, desk.quantities) == (99910, {"BBB": 1})


def test_nor_does_its_first_half_if_all_the_newest_executions_came_as_late(desk: Desk) -> None:
    desk.fill("BBB", "1", "100", "1")  # a prompt one shows how far the clocks are apart
    for after in range(2, 102):
        desk.fill("BBB", "1", "100", str(after), late=2.0)
    desk.clock.now += 3
    # 10 AAA were bought at 100 and sold at 101.
    assert desk.report(shares("BBB", "101"), cash="89910")
    desk.fill("AAA", "10", "100", "10", late=1.5)
    assert (desk.after().cash, desk.quantities) == (89910, {"BBB": 101})
    desk.fill("AAA", "-10", "101", "0", late=1.4)
    assert (desk.after().cash, desk.after(DOUBT_SECONDS).state) == (89910, "live")


def test_the_first_report_is_whole_or_none_too() -> None:
    desk = Desk()
    desk.restore(Account(state="live", equity=5.0, positions=["AAA"]))
    asked_at = desk.clock.now
    desk.fill("AAA", "1", "100", "2")
    early = BrokerReport([shares("AAA", "1")], account(), asked_at, AS_OF)
    assert not desk.on_report(early, None)
    assert (desk.after().state, desk.after().equity) == ("stale", 5.0)
    assert desk.report(shares("AAA", "2"))
    assert (desk.after().state, desk.quantities) == ("live", {"AAA": 2})


def test_an_unreadable_execution_makes_the_account_stale_until_a_report_has_news(
    desk: Desk,
) -> None:
    desk.holdings.on_unreadable_execution()
    assert not desk.report(cash="100000")  # it may be from before the execution
    told = desk.after(DOUBT_SECONDS)
    assert (told.state, told.reason, told.cash) == ("stale", DOUBT, 100000)
    assert desk.report(shares("AAA", "1"), cash="99900")
    assert desk.after().state == "live"


def test_nor_does_it_stay_stale_if_the_update_was_none(desk: Desk) -> None:
    desk.holdings.on_unreadable_execution()
    desk.clock.now += DISBELIEF_SECONDS
    assert desk.report(cash="100000")
    assert desk.after().state == "live"


def test_a_fill_of_several_legs_waits_as_a_whole_for_an_earlier_one_of_one_leg(desk: Desk) -> None:
    at = rfc3339.from_unix(desk.clock.now)
    fits, early = (
        Execution(symbol, "us_option", Decimal(1), Decimal(2), Decimal(after), at)
        for symbol, after in (("AAPL270321P00200000", 1), ("AAPL270321C00380000", 2))
    )
    desk.on_execution(fits, early)
    assert (desk.after().cash, desk.quantities) == (100000, {})


def test_an_execution_moves_the_cash_and_not_the_buying_power_of_the_last_report() -> None:
    desk = Desk()
    desk.report(cash="1000", buying_power="4000")
    desk.fill("AAA", "1", "100", "1")
    assert (desk.after().cash, desk.after().buying_power) == (900, 4000)
