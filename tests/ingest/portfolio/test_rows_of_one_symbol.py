"""Several rows of one symbol, and rows that lack a part."""

from decimal import Decimal
from typing import Any

import pytest

from ingest.alpaca.account_rows import read_positions
from ingest.portfolio.broker_report import BrokerReport
from ingest.portfolio.holding import Holding
from ingest.portfolio.portfolio import TOTALS_DIFFER, Portfolio
from ingest.upstream import account_translation
from shared.price import Price
from tests.ingest.demand.wants import Clock
from tests.ingest.portfolio.desk import Desk
from tests.ingest.portfolio.rows import AS_OF, account

VXX = (
    {
        "symbol": "VXX",
        "qty": "160",
        "side": "long",
        "avg_entry_price": "11.57",
        "current_price": "10.0",
        "lastday_price": "10.0",
        "market_value": "1600.0",
        "cost_basis": "1851.2",
    },
    {
        "symbol": "VXX",
        "qty": "40",
        "side": "long",
        "avg_entry_price": "46.28",
        "current_price": "40.0",
        "lastday_price": "40.0",
        "market_value": "1600.0",
        "cost_basis": "1851.2",
    },
)
TOTALS: dict[str, Any] = {"cash": "10000", "long_market_value": "3200", "short_market_value": "0"}


def read(*rows: dict[str, Any]) -> tuple[list[Holding], list[str]]:
    found, unreadable = read_positions(rows)
    held, without_sum = account_translation.positions(found, AS_OF)
    return held, [*unreadable, *without_sum]


@pytest.mark.parametrize("rows", [VXX, VXX[::-1]])
def test_two_rows_of_one_symbol_are_added(rows: tuple[dict[str, Any], ...]) -> None:
    desk, (held, unreadable) = Desk(), read(*rows)
    assert desk.report(*held, unreadable=unreadable, last_equity="13200", **TOTALS)

    told = desk.after()
    assert (told.equity, told.day_pl, told.unrealized_pl) == (13200, 0, -502.4)
    assert (told.state, told.reason, told.partial) == ("live", None, False)
    [position], _ = desk.take_changes()
    assert (position.qty, position.market_value, position.price_source) == (200, 3200, "broker")


@pytest.mark.parametrize("rows", [VXX, VXX[::-1]])
@pytest.mark.parametrize("broken", [{"current_price": None}, {"qty": "many"}, {"qty": "-40"}])
def test_if_one_of_two_rows_cannot_be_valued_the_symbol_is_unpriced(
    rows: tuple[dict[str, Any], ...], broken: dict[str, Any]
) -> None:
    if broken.get("qty") == "-40":
        broken = broken | {"side": "short"}
    desk, (held, unreadable) = Desk(), read(rows[0], rows[1] | broken)
    desk.report(*held, unreadable=unreadable, last_equity="13200", **TOTALS)
    told = desk.after()
    assert (told.partial, told.unpriced, told.long_market_value) == (True, ["VXX"], 0)


@pytest.mark.parametrize(("delta", "cash", "after"), [("-1", "10040", "199"), ("1", "9960", "201")])
def test_after_an_execution_of_one_of_several_assets_their_price_is_unknown_until_a_report(
    delta: str, cash: str, after: str
) -> None:
    desk, (held, _) = Desk(), read(*VXX)
    desk.report(*held, last_equity="13200", **TOTALS)
    desk.fill("VXX", delta, "40", after)
    told = desk.after()
    assert (told.cash, told.partial, told.unpriced) == (float(cash), True, ["VXX"])

    new = int(after) - 160
    held, _ = read(VXX[0], VXX[1] | {"qty": str(new), "market_value": str(new * 40)})
    totals = TOTALS | {"cash": cash, "long_market_value": str(1600 + new * 40)}
    assert desk.report(*held, last_equity="13200", **totals)
    assert (desk.after().equity, desk.after().partial) == (13200, False)


def test_several_assets_with_no_price_do_not_have_that_of_the_tape() -> None:
    desk = Portfolio(lambda symbol: Price(symbol=symbol, price=40.0), Clock())
    held, _ = read(*(row | {"current_price": None} for row in VXX))
    desk.on_report(BrokerReport(held, account(**TOTALS), 0.0, AS_OF), None)
    assert (desk.account().unpriced, desk.account().partial) == (["VXX"], True)


def test_a_position_that_has_neither_cost_nor_average_price_is_unpriced() -> None:
    desk = Desk()
    held, unreadable = read(VXX[0] | {"cost_basis": None, "avg_entry_price": None})
    desk.report(*held, unreadable=unreadable)
    told = desk.after()
    assert (told.unrealized_pl, told.unpriced, told.partial) == (0, ["VXX"], True)


def test_two_spellings_of_a_pair_are_added() -> None:
    pair = {"asset_class": "crypto", "qty": "1", "side": "long", "cost_basis": "10"}
    held, _ = read(pair | {"symbol": "BTCUSD"}, pair | {"symbol": "BTC/USD"})
    assert [(each.symbol, float(each.qty), each.cost_basis) for each in held] == [
        ("BTC/USD", 2.0, Decimal(20))
    ]


def test_totals_that_contain_more_than_the_rows_make_the_account_partial_with_a_reason() -> None:
    desk, (held, _) = Desk(), read(VXX[0])
    assert not desk.report(*held, **TOTALS)  # another report may agree
    told = desk.after()
    assert (told.state, told.partial, told.reason, told.unpriced) == (
        "live",
        True,
        TOTALS_DIFFER,
        [],
    )
    held, _ = read(*VXX)
    assert desk.report(*held, **TOTALS)
    assert (desk.after().partial, desk.after().reason) == (False, None)
