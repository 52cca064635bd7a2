"""Orders against the market: fills, prices, and updates."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.account.ledger import Holding
from simulator.account.order_request import TradingError, read_query
from simulator.faults.armed import Fault
from simulator.protocol.rfc3339 import SECOND, render
from simulator.tape.hours import SwitchableHours
from tests.simulator.brokerage import NOW, Brokerage


@pytest.fixture
def one() -> Brokerage:
    """Return a broker in a market with prices."""
    brokerage = Brokerage()
    brokerage.trade("BAC", 13.9)
    brokerage.quote("BAC", 13.89, 13.91)
    return brokerage


@pytest.mark.parametrize(("side", "price"), [("buy", "13.91"), ("sell", "13.89")])
def test_a_market_order_fills_at_the_other_sides_price(
    one: Brokerage, side: str, price: str
) -> None:
    order = one.order("BAC", side, 137)

    assert one.events() == ["new", ("fill", "137", price)]
    assert (order["status"], order["filled_qty"], order["filled_avg_price"]) == (
        "filled",
        "137",
        price,
    )
    held = one.broker.account.quantity("BAC")
    assert one.told[-1]["position_qty"] == str(held) == ("137" if side == "buy" else "-137")


def test_the_order_comes_back_as_it_was_taken_and_an_update_tells_all_of_it(
    one: Brokerage,
) -> None:
    order = one.order("BAC", "buy", 2, client_order_id="mine")
    update: Any = one.told[-1]

    assert update["order"] == order
    assert update["timestamp"] == order["filled_at"] == order["updated_at"] == render(NOW)
    assert (order["client_order_id"], order["symbol"], order["qty"]) == ("mine", "BAC", "2")
    assert [one.told[0]["order"][name] for name in ("status", "filled_at")] == ["new", None]  # type: ignore[index]
    assert update["execution_id"] != order["id"]


def test_a_limit_order_waits_until_its_price_is_reached_and_gets_the_quotes(
    one: Brokerage,
) -> None:
    one.order("BAC", "buy", 10, limit_price=13.5)
    one.order("BAC", "sell", 10, limit_price=14)
    one.quote("BAC", 13.49, 13.51)
    assert one.events() == ["new", "new"]
    one.quote("BAC", 13.39, 13.4)
    assert one.events()[2:] == [("fill", "10", "13.4")]
    one.quote("BAC", 14.1, 14.2)
    assert one.events()[3:] == [("fill", "10", "14.1")]


def test_a_quote_gives_its_size_once_and_the_rest_waits_for_the_next(one: Brokerage) -> None:
    one.quote("BAC", 13.89, 13.91, ask_size=100)
    first = one.order("BAC", "buy", 130)
    second = one.order("BAC", "buy", 20)
    assert one.events() == ["new", ("partial_fill", "100", "13.91"), "new"]
    assert one.shown(first["id"])["status"] == "partially_filled"
    one.quote("BAC", 13.91, 13.93, ask_size=40)

    assert one.events()[3:] == [("fill", "30", "13.93"), ("partial_fill", "10", "13.93")]
    assert one.shown(first["id"])["filled_avg_price"].startswith("13.914615")
    assert one.shown(second["id"])["filled_qty"] == "10"


@pytest.mark.parametrize(
    "bad",
    [
        (0, 13.91),
        (13.89, 0),
        (13.92, 13.91),
        (13.91, 13.91),
        (13.89, 13.91, 0),
        (13.89, 13.91, 5, 0),
    ],
)
def test_a_quote_that_is_none_fills_nothing(one: Brokerage, bad: Any) -> None:
    one.quote("BAC", *bad)
    one.order("BAC", "buy", 1)
    one.order("BAC", "sell", 1)
    one.trade("BAC", 13.9)

    assert one.events() == ["new", "new"]


def test_the_rest_of_an_ioc_order_is_canceled(one: Brokerage) -> None:
    one.quote("BAC", 13.89, 13.91, ask_size=100)
    order = one.order("BAC", "buy", 130, time_in_force="ioc")
    away = one.order("BAC", "buy", 1, limit_price=13, time_in_force="ioc")

    assert one.events() == ["new", ("partial_fill", "100", "13.91"), "canceled", "new", "canceled"]
    assert (order["status"], order["filled_qty"]) == ("canceled", "100")
    assert away["canceled_at"] == render(NOW)


def test_without_any_quote_the_last_price_fills_everything() -> None:
    one = Brokerage()
    one.trade("BTC/USD", 64000)
    one.order("BTC/USD", "buy", "0.125")
    one.order("BTCUSD", "sell", "0.025", limit_price=65000)
    one.trade("BTC/USD", 65500)

    assert one.events() == ["new", ("fill", "0.125", "64000"), "new", ("fill", "0.025", "65500")]
    assert one.broker.account.quantity("BTCUSD") == Decimal("0.125") * Decimal("0.9975") - Decimal(
        "0.025"
    )
    assert {one.told[0]["order"]["symbol"]} == {"BTCUSD"}  # type: ignore[index]


def test_a_market_order_waits_for_the_first_price() -> None:
    one = Brokerage()
    one.order("SPY", "buy", 1)
    assert one.events() == ["new"]
    one.trade("SPY", 100)
    assert one.events() == ["new", ("fill", "1", "100")]


def test_an_amount_in_dollars_buys_what_it_is_worth(one: Brokerage) -> None:
    one.quote("BAC", 6.99, 7, ask_size=10)
    order = one.order("BAC", "buy", "", notional=100)
    assert (order["qty"], order["notional"], order["filled_qty"]) == (None, "100", "10")
    one.quote("BAC", 7.99, 8, ask_size=10)

    assert one.events() == [
        "new",
        ("partial_fill", "10", "7"),
        ("fill", "4.285714285", "8"),
    ], "the first price divides it"


def test_orders_wait_while_the_market_is_closed_but_not_those_for_crypto() -> None:
    hours = SwitchableHours("closed")
    one = Brokerage(hours=hours)
    for symbol in ("BAC", "BTC/USD"):
        one.trade(symbol, 10)
        one.order(symbol, "buy", 1)
    assert one.events() == ["new", "new", ("fill", "1", "10")]
    hours.session = "regular"
    one.broker.tick()
    assert one.events()[3:] == [("fill", "1", "10")]


def test_only_an_order_for_extended_hours_fills_in_them() -> None:
    one = Brokerage(hours=SwitchableHours("pre"))
    one.trade("BAC", 10)
    one.order("BAC", "buy", 1, limit_price=10, time_in_force="day")
    one.order("BAC", "buy", 2, limit_price=10, time_in_force="day", extended_hours=True)

    assert one.events() == ["new", "new", ("fill", "2", "10")]


def test_an_order_for_the_day_expires_at_the_close() -> None:
    hours = SwitchableHours("regular")
    one = Brokerage(hours=hours)
    one.trade("BAC", 10)
    asked: Any = {"limit_price": 9, "time_in_force": "day"}
    order = one.order("BAC", "buy", 1, **asked)
    extended = one.order("BAC", "buy", 1, **asked, extended_hours=True)
    until_canceled = one.order("BAC", "buy", 1, limit_price=9)
    hours.session = "post"
    one.broker.tick()
    assert one.events()[3:] == ["expired"]
    assert one.shown(order["id"])["expired_at"] == render(NOW)
    of_tomorrow = one.order("BAC", "buy", 1, **asked)
    hours.session = "closed"
    one.broker.tick()

    assert one.events()[4:] == ["new", "expired"]
    states = [one.shown(each["id"])["status"] for each in (extended, until_canceled, of_tomorrow)]
    assert states == ["expired", "new", "new"]


def test_what_cannot_be_paid_is_refused(one: Brokerage) -> None:
    one.order("BAC", "buy", 3000)
    for side, more in (("buy", {}), ("buy", {"limit_price": 13}), ("sell", {"limit_price": 100})):
        with pytest.raises(TradingError, match="insufficient buying power") as caught:
            one.order("BAC", side, 7000, **more)
        assert (caught.value.status, caught.value.code) == (403, 40310000)
    assert one.events() == ["new", ("fill", "3000", "13.91")]
    one.order("BAC", "sell", 3000)
    assert one.broker.account.positions == {}, "closing needs no power"


def test_an_open_order_binds_its_worth(one: Brokerage) -> None:
    one.order("BAC", "buy", 3000, limit_price=13)
    with pytest.raises(TradingError, match="insufficient buying power"):
        one.order("BAC", "buy", 1000, limit_price=13)
    one.broker.cancel_all()
    one.order("BAC", "buy", 1000, limit_price=13)


def test_what_turns_out_too_dear_is_rejected() -> None:
    one = Brokerage()
    order = one.order("SPY", "buy", 1000)
    one.trade("SPY", 100)

    assert one.events() == ["new", "rejected"]
    assert one.shown(order["id"])["failed_at"] == render(NOW)
    assert one.broker.account.cash == 25000


def test_an_unknown_symbol_and_an_id_that_was_there_are_refused(one: Brokerage) -> None:
    with pytest.raises(TradingError, match='asset "ZZZ" not found') as caught:
        one.order("ZZZ", "buy", 1)
    assert caught.value.status == 422
    one.order("BAC", "buy", 1, client_order_id="mine")
    with pytest.raises(TradingError, match="client_order_id must be unique: mine"):
        one.order("BAC", "buy", 1, client_order_id="mine")


def test_canceling_ends_an_open_order_alone(one: Brokerage) -> None:
    filled = one.order("BAC", "buy", 1)
    order = one.order("BAC", "buy", 1, limit_price=5)
    one.broker.cancel(order["id"])
    one.quote("BAC", 4.99, 5)

    assert one.events()[2:] == ["new", "canceled"]
    assert one.shown(order["id"])["canceled_at"] == render(NOW)
    for order_id, status in ((order["id"], 422), (filled["id"], 422), ("nobody", 404)):
        with pytest.raises(TradingError) as caught:
            one.broker.cancel(order_id)
        assert caught.value.status == status


def test_a_fill_by_hand_asks_neither_the_market_nor_for_money() -> None:
    one = Brokerage([Holding("BAC", Decimal(10), Decimal(10))], hours=SwitchableHours("closed"))
    order = one.broker.fill("BAC", Decimal(-25), Decimal("13.9"))
    one.broker.fill("NEW", Decimal("1e6"), Decimal(1000))

    assert one.events() == ["new", ("fill", "25", "13.9"), "new", ("fill", "1000000", "1000")]
    assert order.request.side == "sell"
    assert one.broker.account.quantity("BAC") == -15
    with pytest.raises(ValueError, match="quantity is 0"):
        one.broker.fill("BAC", Decimal(0), Decimal(1))


def test_orders_are_found_by_what_is_asked(one: Brokerage) -> None:
    one.trade("BTC/USD", 10)
    asked: list[tuple[str, str, Any]] = [
        ("BAC", "buy", {"client_order_id": "a"}),
        ("BAC", "sell", {"client_order_id": "b", "limit_price": 20}),
        ("BTC/USD", "buy", {"client_order_id": "c", "limit_price": 5}),
    ]
    times = []
    for symbol, side, more in asked:
        one.now += SECOND
        times.append(render(one.now))
        one.order(symbol, side, 1, **more)

    def found(**query: str) -> str:
        orders = read_query(query).select(one.broker.statement().orders)
        return "".join(order.client_order_id for order in orders)

    assert found() == "cb"
    assert (found(status="closed"), found(status="all")) == ("a", "cba")
    assert found(status="all", direction="asc", limit="2") == "ab"
    assert found(status="all", symbols="BTC/USD,IBM") == found(symbols="BTCUSD") == "c"
    assert found(status="all", side="buy") == "ca"
    assert found(status="all", after=times[0], until=times[1]) == "b"


def test_what_is_frozen_is_told_until_its_time_is_over(one: Brokerage) -> None:
    order = one.order("BAC", "buy", 10, limit_price=13.5)
    before = [one.broker.statement().positions(), one.broker.statement().summary()]
    one.broker.freeze()
    one.armed.arm(Fault("stale_positions", "statement", "account"), None, 5)
    one.quote("BAC", 13.4, 13.5)
    one.trade("BAC", 13.45)

    frozen = one.broker.statement()
    assert [frozen.positions(), frozen.summary()] == before
    assert one.shown(order["id"])["status"] == "new"
    assert one.broker.account.quantity("BAC") == 10, "the account itself continues"
    one.now += 5 * SECOND
    assert [row["qty"] for row in one.broker.statement().positions()] == ["10"]
    assert one.shown(order["id"])["status"] == "filled"


def test_the_state_counts_orders_and_fills(one: Brokerage) -> None:
    one.order("BAC", "buy", 1)
    one.order("BAC", "buy", 1)
    one.order("BAC", "buy", 1, limit_price=5)

    assert one.broker.state() == {"orders": {"filled": 2, "new": 1}, "fills": 2}


ORDERS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell"]),
        st.integers(1, 300),
        st.sampled_from([None, 99.5, 100, 100.5]),
        st.sampled_from(["gtc", "ioc"]),
        st.tuples(st.sampled_from([99, 99.5, 100]), st.sampled_from([99.5, 100, 101])),
        st.integers(0, 200),
    ),
    max_size=25,
)


@given(ORDERS)
def test_what_is_told_adds_up_to_the_account(orders: Any) -> None:
    one = Brokerage(cash=Decimal(10**7))
    one.trade("SPY", 100)
    for side, quantity, limit, time_in_force, (bid, ask), size in orders:
        one.quote("SPY", bid, ask, bid_size=size, ask_size=size)
        more = {} if limit is None else {"limit_price": limit}
        one.order("SPY", side, quantity, time_in_force=time_in_force, **more)
    executions: list[Any] = [update for update in one.told if "price" in update]
    cash, held = Decimal(10**7), Decimal(0)
    for each in executions:
        signed = Decimal(each["qty"]) * (1 if each["order"]["side"] == "buy" else -1)
        held += signed
        cash -= signed * Decimal(each["price"])
        assert each["position_qty"] == str(held)
        assert Decimal(each["order"]["filled_qty"]) <= Decimal(each["order"]["qty"])
        is_whole = each["order"]["filled_qty"] == each["order"]["qty"]
        assert each["event"] == ("fill" if is_whole else "partial_fill")

    assert (one.broker.account.cash, one.broker.account.quantity("SPY")) == (cash, held)
    assert len({each["execution_id"] for each in executions}) == len(executions)
