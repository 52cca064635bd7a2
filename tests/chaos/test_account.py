"""The books keep every state of the account, and the checks find what it never was."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from simulator.account.ledger import Holding
from simulator.service import Simulator, SimulatorSettings
from tests.chaos.account import Account, Positions
from tests.chaos.books import PRICES_NS, Books
from tests.chaos.holdings import Owned, cents
from tests.chaos.ledger import Ledger, Print, Values

NOW = 10**18
CASH = Decimal(10_000)
PAIR, CALL, PUT = "FIL/USD", "SPY301220C00500000", "SPY301220P00400000"


class Desk:
    """A simulator with 10 SPY at 100, the books of it, and one client."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.complaints: list[str] = []
        ledger = Ledger()
        ledger.trade(Print("SPY", "V", NOW, NOW, Values(1, 101.0, 100), ("@",), "C"))
        ledger.trade(Print(PAIR, None, NOW, NOW, Values(1, 50.0, 0.5), (), None))
        self.books = Books(simulator, self.complaints.append)
        for symbol, price in (("SPY", 101.0), (PAIR, 50.0), (CALL, 3.5), (PUT, 1.25)):
            self.books.price(symbol, price, NOW)
        self.now = NOW
        wrong = self.complaints.append
        self.account = Account("it", self.books, CASH + 1000, lambda: self.now, wrong)
        self.positions = Positions("it", self.books, ledger, wrong)
        self._seq = 0

    async def fill(self, symbol: str, qty: float, price: float) -> None:
        await self.simulator.fill(symbol, Decimal(str(qty)), Decimal(str(price)))

    def claim(self, cash: float, value: float, **other: Any) -> None:
        self._seq += 1
        equity = cash + value
        figures = {
            "cash": cash,
            "long_market_value": value,
            "short_market_value": 0.0,
            "equity": equity,
            "last_equity": 11_000.0,
            "day_pl": equity - 11_000,
            "positions": ["SPY"],
        }
        claim = {"event_id": f"7-{self._seq}", "state": "live", "partial": False, **figures}
        self.account.event("account", {**claim, **other})

    def row(
        self, qty: float, cost: float, price: float = 101.0, units: int = 1, **other: Any
    ) -> None:
        self._seq += 1
        row = {
            "event_id": f"7-{self._seq}",
            "symbol": "SPY",
            "removed": False,
            "qty": qty,
            "cost_basis": cost,
            "current_price": price,
            "price_source": "trade",
            "market_value": qty * price * units,
            "unrealized_pl": qty * price * units - cost,
        }
        self.positions.event("position", {**row, **other})

    def trade_later(self, *prices: float) -> None:
        """Let SPY trade two minutes later."""
        self.now += 2 * PRICES_NS
        for price in prices:
            self.books.price("SPY", price, self.now)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    held = [Holding("SPY", Decimal(10), Decimal(100))]
    settings = SimulatorSettings(tape=None, positions=held, cash=CASH)
    simulator = Simulator(settings, on_update=lambda update: found.books.on_update(update))
    found = Desk(simulator)
    async with simulator:
        yield found


async def test_books_follow_fills_fees_and_activities_of_stocks_pairs_and_contracts(
    desk: Desk,
) -> None:
    await desk.fill("SPY", -4, 101)
    await desk.fill(PAIR, 100, 50)
    desk.books.activity("SPY", Decimal(2), Decimal("3.25"))
    await desk.fill("SPY", -10, 102)
    await desk.fill("FILUSD", -10, 60)
    await desk.fill(CALL, 2, 3.5)

    assert desk.complaints == []
    assert desk.books.now.cash == CASH + 404 - 5000 + Decimal("3.25") + 1020 + 600 - (
        Decimal("1.5") + 700
    )
    assert desk.books.now.owned == {
        "SPY": Owned(Decimal(-2), Decimal(-204)),
        PAIR: Owned(Decimal("89.75"), Decimal("4487.5")),
        CALL: Owned(Decimal(2), Decimal(700)),
    }
    assert {each.qty for each in desk.books.owned("SPY", Decimal(8))} == {Decimal(8)}


async def test_books_differ_from_a_ledger_that_was_changed_with_no_update(desk: Desk) -> None:
    desk.simulator.faults.activity(symbol=CALL, qty=Decimal(1), cash=Decimal(5))
    await desk.fill("SPY", 1, 100)
    await desk.fill("SPY", 1, 100)

    [complaint] = desk.complaints
    assert f"the simulator has {CASH + 5 - 100}" in complaint


async def test_all_legs_of_an_execution_are_one_change(desk: Desk) -> None:
    legs = {CALL: Decimal(1), PUT: Decimal(-1)}
    await desk.simulator.fill_legs(legs, [Decimal("3.5"), Decimal("1.25")], parts=2)
    assert desk.books.now.cash == CASH - 450
    assert desk.books.now.owned[PUT] == Owned(Decimal(-2), Decimal(-250))
    everything = {"short_market_value": -125.0, "positions": [CALL, PUT, "SPY"]}
    worth = {**everything, "equity": 9775 + 1360 - 125.0, "day_pl": 10.0}
    desk.claim(9775, 1360, **worth)
    assert desk.complaints == []

    desk.claim(9650, 1360, positions=[CALL, "SPY"])
    assert "never was so" in desk.complaints[0]


async def test_the_fee_of_a_sale_is_unseen_until_a_report(desk: Desk) -> None:
    await desk.fill(PAIR, 100, 50)
    await desk.fill(PAIR, -99.75, 60)
    desk.claim(10_985, 1010)
    desk.claim(10_970.03, 1010)
    await desk.fill("SPY", 5, 100)
    desk.claim(10_485, 1515)
    desk.claim(10_470.03, 1515)
    assert desk.complaints == []

    desk.claim(10_470.03, 1010)
    assert len(desk.complaints) == 1


async def test_every_state_that_the_account_has_had_may_be_shown(desk: Desk) -> None:
    await desk.fill("SPY", 5, 100)
    desk.claim(9500, 1515)
    desk.claim(10_000, 1010)
    desk.row(15, 1500)
    desk.row(10, 1000)

    assert desk.complaints == []
    assert desk.account.claims == 2
    assert len(desk.account.differences()) == 1
    assert len(desk.positions.differences(prices=True)) == 1
    desk.claim(9500, 1515)
    desk.row(15, 1500)
    assert desk.account.differences() == desk.positions.differences(prices=True) == []


@pytest.mark.parametrize(
    ("cash", "value", "other"),
    [
        (9500, 1010, {}),
        (10_000, 1515, {}),
        (9000, 2020, {}),
        (10_000, 1010, {"positions": []}),
        (10_000, 1010, {"equity": 11_009.0}),
        (10_000, 1010, {"last_equity": 11_001.0}),
        (10_000, 1010, {"day_pl": 0.0}),
    ],
)
async def test_a_live_account_that_never_was_so_is_found(
    desk: Desk, cash: float, value: float, other: dict[str, Any]
) -> None:
    await desk.fill("SPY", 5, 100)
    desk.claim(cash, value, **other)

    assert desk.complaints != []


async def test_a_fill_may_be_applied_before_an_activity_that_rest_alone_shows(desk: Desk) -> None:
    desk.books.activity("SPY", Decimal(3), Decimal(7))
    await desk.fill("SPY", 5, 100)
    desk.claim(9500, 1515)
    desk.claim(9507, 18 * 101)
    assert desk.complaints == []

    desk.claim(9507, 1515)
    assert len(desk.complaints) == 1


@pytest.mark.parametrize("other", [{"state": "stale"}, {"partial": True}])
async def test_an_account_that_claims_nothing_may_be_wrong(
    desk: Desk, other: dict[str, Any]
) -> None:
    desk.claim(1, 2, **other)

    assert desk.complaints == []


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"qty": 11, "cost": 1000}, "never was so"),
        ({"qty": 10, "cost": 1001}, "the cost of SPY"),
        ({"qty": 10, "cost": 1000, "market_value": 1011.0}, "quantity times price"),
        ({"qty": 10, "cost": 1000, "unrealized_pl": 11.0}, "value less cost"),
        ({"qty": 10, "cost": 1000, "price": 99.0}, "nothing was traded"),
        ({"qty": 10, "cost": 1000, "removed": True}, "never closed"),
    ],
)
async def test_a_row_that_never_was_so_is_found(
    desk: Desk, values: dict[str, Any], says: str
) -> None:
    desk.row(**values)

    assert says in desk.complaints[0]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, ""),
        ({"price": 3.25}, "never had"),
        ({"price_source": "trade"}, "never had"),
        ({"units": 1}, "quantity times price"),
    ],
)
async def test_a_contract_has_the_brokers_price_for_a_hundred_shares(
    desk: Desk, values: dict[str, Any], says: str
) -> None:
    await desk.fill(CALL, 2, 3.5)
    right: dict[str, Any] = {"symbol": CALL, "price": 3.5, "units": 100, "price_source": "broker"}
    desk.row(2, 700, **(right | values))

    assert bool(desk.complaints) is bool(says)
    assert says in "".join(desk.complaints[:1])


@pytest.mark.parametrize(("price", "is_right"), [(50.0, True), (50.5, False)])
async def test_a_pair_has_a_price_of_its_tape(desk: Desk, price: float, is_right: bool) -> None:
    await desk.fill(PAIR, 100, 50)
    desk.row(99.75, 4987.5, price, symbol=PAIR)

    assert (desk.complaints == []) is is_right


async def test_the_newest_price_of_a_contract_is_the_brokers(desk: Desk) -> None:
    await desk.fill(CALL, 2, 3.5)
    desk.row(10, 1000)
    desk.row(2, 700, 3.5, 100, symbol=CALL, price_source="broker")
    assert desk.positions.differences(prices=True) == []

    desk.books.price(CALL, 3.75, NOW)
    assert "expected the price 3.75" in desk.positions.differences(prices=True)[0]


async def test_a_table_that_starts_again_closes_the_positions_that_it_lacks(desk: Desk) -> None:
    desk.row(10, 1000)
    desk.positions.opened()
    desk.positions.event("ready", {})

    assert desk.positions.shown == {}


async def test_a_new_stream_may_begin_with_the_original_of_a_copied_row(desk: Desk) -> None:
    desk.row(10, 1000, event_id="7-5")
    desk.positions.opened()
    desk.row(10, 1000, event_id="7-4")
    assert desk.complaints == []

    desk.positions.opened()
    desk.row(10, 1000, event_id="7-3")
    assert "7-3 after 7-5" in desk.complaints[0]


def test_cents_are_those_of_the_events() -> None:
    assert [cents(each) for each in (1, 2.345, "0.005")] == [
        Decimal("1.00"),
        Decimal("2.34"),
        Decimal("0.00"),
    ]


async def test_values_at_old_prices_are_found_unless_no_prices_arrived_meanwhile(
    desk: Desk,
) -> None:
    desk.account.event("feed", {"alpaca_connected": False})
    desk.trade_later(102.0, 102.0, 102.0)
    desk.claim(10_000.0, 1010.0)
    desk.account.event("feed", {"alpaca_connected": True})
    desk.claim(10_000.0, 1010.0)
    desk.claim(10_000.0, 1020.0)
    assert desk.complaints == []

    desk.trade_later(102.0)
    desk.claim(10_000.0, 1010.0)
    assert "the account never was so" in desk.complaints[0]
