"""Faults of the account: reports and updates that contradict each other."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from simulator.account.ledger import Holding
from simulator.faults.account_faults import AccountFaults
from simulator.faults.fault_requests import strike
from simulator.protocol.rfc3339 import SECOND
from simulator.service import Simulator
from tests.simulator.brokerage import Brokerage
from tests.simulator.client import KEYS
from tests.simulator.test_account_stream import AUTHENTICATE, LISTEN, open_account


@pytest.fixture
def one() -> Brokerage:
    """Return a broker with 100 BAC at 10 since yesterday, at 12 today."""
    brokerage = Brokerage([Holding("BAC", Decimal(100), Decimal(10))], closes={"BAC": 11})
    brokerage.trade("BAC", 12)
    return brokerage


@pytest.fixture
async def http(quiet: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client with the keys."""
    async with httpx.AsyncClient(base_url=quiet.rest_url, headers=KEYS) as client:
        yield client


async def test_a_torn_report_has_an_execution_in_the_account_that_its_positions_lack(
    http: httpx.AsyncClient, quiet: Simulator
) -> None:
    quiet.faults.torn_report(symbol="SPY", qty=Decimal(100), price=Decimal(100))
    reports = [
        ((await http.get("/v2/positions")).json(), (await http.get("/v2/account")).json())
        for _ in range(2)
    ]

    assert [
        ["SPY" in [row["symbol"] for row in rows], worth["cash"]] for rows, worth in reports
    ] == [
        [False, "15000"],
        [True, "15000"],
    ]


def test_late_updates_come_in_order_at_the_end_of_the_delay(one: Brokerage) -> None:
    faults = AccountFaults(one.armed, one.broker)
    faults.late_updates(seconds=1)
    one.order("BAC", "buy", 1)
    one.now += SECOND // 2
    one.broker.tick()
    assert one.events() == []
    assert one.broker.account.quantity("BAC") == 101
    one.now += SECOND // 2
    one.broker.tick()
    one.order("BAC", "sell", 2)

    assert one.events() == ["new", ("fill", "1", "12"), "new", ("fill", "2", "12")]


def test_lost_updates_are_never_sent(one: Brokerage) -> None:
    AccountFaults(one.armed, one.broker).lost_updates(count=2)
    one.order("BAC", "buy", 1)
    one.order("BAC", "sell", 3)

    assert one.events() == ["new", ("fill", "3", "12")]
    assert one.broker.account.quantity("BAC") == 98


def test_an_update_can_come_after_the_one_that_follows_it(one: Brokerage) -> None:
    AccountFaults(one.armed, one.broker).swapped_updates(count=2)
    one.order("BAC", "buy", 1)
    one.order("BAC", "buy", 2)
    one.order("BAC", "buy", 3)

    first, second, third = ("fill", "1", "12"), ("fill", "2", "12"), ("fill", "3", "12")
    assert one.events() == [first, "new", second, "new", "new", third]


def test_a_position_in_two_rows_is_the_same_in_sum(one: Brokerage) -> None:
    one.order("BAC", "buy", 51)
    [whole] = one.broker.statement().positions()
    worth = one.broker.statement().summary()
    AccountFaults(one.armed, one.broker).second_row(symbol="BAC", seconds=5)
    rows = one.broker.statement().positions()

    assert {row["symbol"] for row in rows} == {"BAC"}
    assert len({row["asset_id"] for row in rows}) == 2
    assert [row["qty"] for row in rows] == ["75", "76"]
    for name in ("cost_basis", "market_value", "unrealized_pl", "unrealized_intraday_pl"):
        total = sum(Decimal(str(row[name])) for row in rows)
        assert abs(total - Decimal(str(whole[name]))) < Decimal("1e-20"), name
    assert one.broker.statement().summary() == worth
    one.now += 5 * SECOND
    assert len(one.broker.statement().positions()) == 1


@pytest.mark.parametrize(
    ("activities", "cash", "held"),
    [
        ([{"symbol": "BAC", "qty": "-100"}], "25000", {}),
        ([{"symbol": "BAC", "qty": 20, "price": 0}], "25000", {"BAC": 120}),
        ([{"cash": "-12.5"}], "24987.5", {"BAC": 100}),
        (
            # A call that was sold is assigned: the contract is gone, its shares at the strike.
            [
                {"symbol": "BAC261218C00012500", "qty": "-1", "price": "0.75"},
                {"symbol": "BAC261218C00012500", "qty": 1},
                {"symbol": "BAC", "qty": -100, "price": 12.5},
            ],
            "26325",
            {},
        ),
    ],
)
def test_an_activity_changes_the_account_with_no_order_and_no_update(
    quiet: Simulator, activities: list[dict[str, Any]], cash: str, held: dict[str, int]
) -> None:
    quiet.positions = [Holding("BAC", Decimal(100))]
    for each in activities:
        strike(quiet.faults, json.dumps({"fault": "activity", **each}).encode())

    assert quiet.account.cash == Decimal(cash)
    assert {name: row.quantity for name, row in quiet.account.positions.items()} == held
    state: Any = quiet.state()["account"]
    assert state == {"orders": {}, "fills": 0}


@pytest.mark.parametrize(
    "mistake",
    [
        {"fault": "activity", "qty": 1},
        {"fault": "activity", "symbol": "BAC"},
        {"fault": "activity", "cash": "NaN"},
        {"fault": "torn_report", "symbol": "BAC", "qty": 0, "price": 1},
        {"fault": "torn_report", "symbol": "BAC", "qty": 1, "price": -1},
        {"fault": "torn_report", "symbol": "b c", "qty": 1, "price": 1},
        {"fault": "second_row", "symbol": "BAC", "seconds": 0},
        {"fault": "late_updates", "seconds": -1},
    ],
)
def test_a_mistaken_fault_changes_nothing(quiet: Simulator, mistake: dict[str, Any]) -> None:
    before = (quiet.account.cash, quiet.state()["faults"])
    with pytest.raises(ValueError, match="expected"):
        strike(quiet.faults, json.dumps(mistake).encode())

    assert (quiet.account.cash, quiet.state()["faults"]) == before


async def test_a_listen_can_be_answered_with_no_streams_and_the_connection_stays(
    quiet: Simulator,
) -> None:
    quiet.faults.no_streams()
    async with open_account(quiet) as client:
        await client.ask(AUTHENTICATE)
        assert await client.ask(LISTEN) == {
            "stream": "listening",
            "data": {"streams": [], "error": "required stream is not found"},
        }
        await quiet.fill("BAC", Decimal(1), Decimal(10))
        assert await client.ask(LISTEN) == {
            "stream": "listening",
            "data": {"streams": ["trade_updates"]},
        }


def test_the_fee_of_crypto_comes_out_of_bought_coins_and_out_of_the_dollars_of_a_sale() -> None:
    one = Brokerage()
    one.trade("BTC/USD", 79660.98)
    one.order("BTC/USD", "buy", "0.001254903")
    bought: Any = one.told[-1]
    cash = one.broker.account.cash
    one.order("BTC/USD", "sell", "0.001251765")

    # The purchase was measured by bennycode/trading-signals #1353.
    assert (bought["qty"], bought["position_qty"]) == ("0.001254903", "0.001251765")
    assert cash == 25000 - Decimal("0.001254903") * Decimal("79660.98")
    proceeds = Decimal("0.001251765") * Decimal("79660.98")
    assert one.broker.account.cash - cash == proceeds - Decimal("0.25"), "0.2493 rounded up"


def test_an_update_can_state_the_position_before_the_fee() -> None:
    one = Brokerage(is_position_qty_net=False)
    one.trade("BTC/USD", 100)
    one.order("BTC/USD", "buy", 4)

    assert one.told[-1]["position_qty"] == "4"
    assert one.broker.account.quantity("BTCUSD") == Decimal("3.99")
