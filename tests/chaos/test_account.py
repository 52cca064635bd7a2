"""The books keep every state of the account, and the checks find what it never was."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from simulator.account.ledger import Holding
from simulator.service import Simulator, SimulatorSettings
from tests.chaos.account import Account, Positions
from tests.chaos.books import COIN, PRICES_NS, Books, Owned, cents
from tests.chaos.ledger import Ledger, Print, Values

NOW = 10**18
CASH = Decimal(10_000)


class Desk:
    """A simulator with 10 SPY at 100, the books of it, and one client."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.complaints: list[str] = []
        ledger = Ledger()
        ledger.trade(Print("SPY", "V", NOW, NOW, Values(1, 101.0, 100), ("@",), "C"))
        self.books = Books(simulator, self.complaints.append)
        self.books.price("SPY", 101.0, NOW)
        self.books.price(COIN, 60_000.0, NOW)
        self.now = NOW
        wrong = self.complaints.append
        self.account = Account("it", self.books, CASH + 1000, lambda: self.now, wrong)
        self.positions = Positions("it", self.books, ledger, wrong)
        self._seq = 0

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

    def row(self, qty: float, cost: float, price: float = 101.0, **other: Any) -> None:
        self._seq += 1
        row = {
            "event_id": f"7-{self._seq}",
            "symbol": "SPY",
            "removed": False,
            "qty": qty,
            "cost_basis": cost,
            "current_price": price,
            "market_value": qty * price,
            "unrealized_pl": qty * price - cost,
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
    async with Simulator(settings) as simulator:
        yield Desk(simulator)


async def test_books_follow_fills_fees_activities_and_what_happens_by_itself(desk: Desk) -> None:
    await desk.books.fill("SPY", Decimal(-4), Decimal(101))
    await desk.books.fill(COIN, Decimal("0.1"), Decimal(50_000))
    desk.books.activity("SPY", Decimal(2), Decimal("3.25"))
    await desk.simulator.fill("SPY", Decimal(-10), Decimal(102))
    desk.books.observe()

    assert desk.complaints == []
    assert desk.books.now.cash == CASH + 404 - 5000 + Decimal("3.25") + 1020
    assert desk.books.now.owned == {
        "SPY": Owned(Decimal(-2), Decimal(-204)),
        COIN: Owned(Decimal("0.09975"), Decimal("4987.5")),
    }
    assert {each.qty for each in desk.books.owned("SPY", Decimal(8))} == {Decimal(8)}


async def test_every_state_that_the_account_has_had_may_be_shown(desk: Desk) -> None:
    await desk.books.fill("SPY", Decimal(5), Decimal(100))
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
    await desk.books.fill("SPY", Decimal(5), Decimal(100))
    desk.claim(cash, value, **other)

    assert desk.complaints != []


async def test_a_fill_may_be_applied_before_an_activity_that_rest_alone_shows(desk: Desk) -> None:
    desk.books.activity("SPY", Decimal(3), Decimal(7))
    await desk.books.fill("SPY", Decimal(5), Decimal(100))
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
