"""Reports and executions in any order: the holdings, their value, and their events."""

import dataclasses
from decimal import Decimal

import pytest

from ingest.portfolio.broker_report import BrokerReport
from ingest.portfolio.portfolio import ACCOUNT_SECONDS, Portfolio
from ingest.portfolio.stream_witness import EXPLANATION_SECONDS
from ingest.portfolio.waiting_executions import DISBELIEF_SECONDS
from shared.account import Account
from shared.position import Position
from shared.price import Price
from tests.ingest.demand.wants import Clock
from tests.ingest.portfolio.rows import AS_OF, account, execution, holding, report


class Desk(Portfolio):
    """A portfolio with a fake clock and tape."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.tape: dict[str, Price] = {}
        super().__init__(self.tape.get, self.clock)

    def trade(self, symbol: str, price: float) -> None:
        self.tape[symbol] = Price(symbol=symbol, price=price, timestamp=AS_OF)
        self.reprice(symbol)

    def told(self) -> dict[str, Position]:
        return {each.symbol: each for each in self.take_changes()[0]}

    def account_told(self) -> Account:
        told = self.take_changes()[1]
        assert told is not None
        return told


def test_before_the_first_print_after_a_split_the_account_is_worth_what_it_was() -> None:
    # 10:1. The broker has the new shares and the old previous close; the tape has yesterday's.
    desk = Desk()
    row = {"lastday_price": "1000", "unrealized_intraday_pl": "0"}
    report = BrokerReport(
        [holding("NVDX", "100", "90", "100", **row)],
        account("10000", last_equity="20000"),
        0.0,
        AS_OF,
    )
    assert desk.on_report(report, None)
    yesterday = "2026-11-24T20:59:59Z"
    desk.tape["NVDX"] = Price(
        symbol="NVDX", price=1000.0, timestamp=yesterday, previous_close=985.0
    )

    [[position], told] = desk.take_changes()
    assert told is not None
    assert (told.equity, told.day_pl) == (20000, 0)
    assert (position.current_price, position.price_source) == (100, "broker")
    assert (position.market_value, position.unrealized_pl) == (10000, 1000)

    desk.trade("NVDX", 101.0)
    assert desk.told()["NVDX"].current_price == 101


@pytest.fixture
def desk() -> Desk:
    """BAC long and IBM short, as reported at the start."""
    desk = Desk()
    held = holding("BAC", "10", "11", "12"), holding("IBM", "-2", "180", "181")
    assert desk.on_report(report(*held), None)
    return desk


def quantities(desk: Desk) -> dict[str, float]:
    return {symbol: float(each.qty) for symbol, each in desk.holdings.by_symbol.items()}


def test_before_the_first_report_nothing_is_known() -> None:
    desk = Desk()
    desk.trade("BAC", 12)
    desk.on_execution(execution("BAC", "5", "12", "5"))
    desk.set_state("unknown", "why")

    positions, told = desk.take_changes()
    assert positions == []
    assert told == Account(state="unknown", reason="why")


def test_every_price_revalues_its_position_alone(desk: Desk) -> None:
    assert set(desk.told()) == {"BAC", "IBM"}
    desk.trade("BAC", 12.5)
    desk.trade("SPY", 170)

    told = desk.told()
    assert set(told) == {"BAC"}
    assert (told["BAC"].market_value, told["BAC"].unrealized_pl) == (125, 15)
    assert desk.told() == {}


def test_the_account_is_cash_and_positions_at_the_newest_prices(desk: Desk) -> None:
    desk.trade("BAC", 12.5)
    desk.trade("IBM", 179)

    told = desk.account_told()
    assert (told.cash, told.long_market_value, told.short_market_value) == (1000, 125, -358)
    assert (told.equity, told.day_pl, told.day_plpc) == (767, -233, -0.233)
    assert (told.unrealized_pl, told.positions, told.partial) == (17, ["BAC", "IBM"], False)


def test_what_the_broker_counts_beside_cash_and_positions_stays_in_the_equity() -> None:
    desk = Desk()
    row = {"cash": "100", "equity": "223.5", "long_market_value": "120", "short_market_value": "0"}
    held = holding("BAC", "10", "11", "12")
    desk.on_report(BrokerReport([held], account(**row), 0.0, AS_OF), None)
    desk.trade("BAC", 13)

    assert desk.account_told().equity == 233.5
    desk.on_execution(execution("BAC", "5", "13", "15"))
    told = desk.account_told()
    assert (told.cash, told.equity) == (35, 233.5)


def test_of_mere_prices_the_account_is_told_now_and_then_and_the_last_is_not_lost(
    desk: Desk,
) -> None:
    desk.take_changes()
    desk.trade("BAC", 12.5)
    assert desk.take_changes()[1] is None
    assert desk.seconds_to_account() == ACCOUNT_SECONDS

    desk.clock.now += ACCOUNT_SECONDS
    assert desk.account_told().long_market_value == 125
    assert desk.seconds_to_account() is None


def test_an_execution_changes_position_and_cash_at_once(desk: Desk) -> None:
    desk.take_changes()
    desk.on_execution(execution("BAC", "5", "12.5", "15"))
    desk.on_execution(execution("F", "3", "10", "3"))
    desk.on_execution(execution("IBM", "2", "179", "0"))

    positions, told = desk.take_changes()
    assert [(each.symbol, each.qty, each.removed) for each in positions] == [
        ("BAC", 15, False),
        ("F", 3, False),
        ("IBM", None, True),
    ]
    assert told is not None
    assert (told.positions, told.cash) == (["BAC", "F"], 1000 - 62.5 - 30 - 358)


def test_a_new_position_without_a_price_makes_the_sums_partial(desk: Desk) -> None:
    desk.on_execution(execution("F", "3", "10", "3"))
    positions, told = desk.take_changes()
    assert told is not None
    assert (told.unpriced, told.partial, told.long_market_value) == (["F"], True, 120)
    assert next(each for each in positions if each.symbol == "F").current_price is None

    desk.trade("F", 11)
    desk.clock.now += ACCOUNT_SECONDS
    told = desk.account_told()
    assert (told.unpriced, told.partial, told.long_market_value) == ([], False, 153)


def test_a_position_that_cannot_be_read_is_neither_closed_nor_forgotten(desk: Desk) -> None:
    ibm = holding("IBM", "-2", "180", "181")
    desk.on_report(BrokerReport([ibm], account(), 1.0, AS_OF, ["BAC", "?"]), None)

    assert quantities(desk) == {"BAC": 10, "IBM": -2}
    told = desk.account_told()
    assert (told.unpriced, told.partial) == (["?", "BAC"], True)


def test_an_execution_that_a_report_was_faster_with_counts_once(desk: Desk) -> None:
    desk.on_report(
        report(
            holding("BAC", "15", "11.5", "12"), holding("IBM", "-2", "180", "181"), cash="937.5"
        ),
        None,
    )
    desk.on_execution(execution("BAC", "5", "12.5", "15"))

    assert quantities(desk)["BAC"] == 15
    assert desk.account_told().cash == 937.5


def test_a_report_that_was_asked_for_before_an_execution_changes_nothing_at_all(
    desk: Desk,
) -> None:
    before = desk.clock.now
    desk.clock.now += 1
    desk.on_execution(execution("BAC", "5", "12.5", "15"))
    old = holding("BAC", "10", "11", "12"), holding("IBM", "-1", "180", "181")

    assert not desk.on_report(report(*old, asked_at=before, cash="819"), None)
    assert quantities(desk) == {"BAC": 15, "IBM": -2}
    assert desk.account_told().cash == 937.5


def test_nor_does_one_with_the_same_quantity_that_knows_nothing_of_two_executions(
    desk: Desk,
) -> None:
    before = desk.clock.now
    desk.clock.now += 1
    desk.on_execution(execution("BAC", "10", "13", "20"))
    desk.on_execution(execution("BAC", "-10", "13", "10"))
    old = holding("BAC", "10", "11", "12"), holding("IBM", "-2", "180", "181")

    assert not desk.on_report(report(*old, asked_at=before), None)
    assert desk.holdings.by_symbol["BAC"].cost_basis == 120


def test_a_contract_costs_a_hundredfold(desk: Desk) -> None:
    option = "AAPL240119C00100000"
    bought = execution(option, "2", "1.5", "2")
    desk.on_execution(dataclasses.replace(bought, asset_class="us_option"))

    assert desk.holdings.by_symbol[option].cost_basis == 300
    assert desk.account_told().cash == 700


def test_rest_behind_the_stream_is_believed_only_after_a_while(desk: Desk) -> None:
    desk.on_execution(execution("BAC", "-10", "12.5", "0"))
    behind = holding("BAC", "10", "11", "12"), holding("IBM", "-2", "180", "181")
    desk.clock.now += 1
    assert not desk.on_report(report(*behind, asked_at=desk.clock.now), None)
    assert "BAC" not in quantities(desk)

    desk.clock.now += DISBELIEF_SECONDS
    assert desk.on_report(report(*behind, asked_at=desk.clock.now), None)
    assert quantities(desk)["BAC"] == 10


def test_an_execution_that_does_not_fit_changes_nothing_until_the_next_report(desk: Desk) -> None:
    desk.take_changes()
    desk.on_execution(execution("BAC", "5", "12.5", "40"))
    assert desk.take_changes() == ([], None)

    desk.clock.now += 0.1
    late = report(holding("BAC", "40", "12", "12.5"), asked_at=desk.clock.now)
    assert desk.on_report(late, None)
    assert quantities(desk) == {"BAC": 40}


def test_a_quantity_without_an_execution_and_a_fill_that_only_rest_knows_are_noticed_once(
    desk: Desk,
) -> None:
    def bring(qty: str) -> None:
        desk.clock.now += 1
        held = holding("BAC", qty, "11", "12"), holding("IBM", "-2", "180", "181")
        desk.on_report(report(*held, asked_at=desk.clock.now), streaming_since)

    witness, streaming_since = desk.holdings.witness, desk.clock.now
    bring("11")  # the first since the stream was connected: the fill may have been before
    first = witness.seconds_to_orders
    assert first is None

    bring("12")
    assert witness.seconds_to_orders == EXPLANATION_SECONDS
    desk.clock.now += EXPLANATION_SECONDS + 0.1
    assert witness.take_lacking() is None
    witness.on_unstreamed_fill("BAC")
    witness.end_waiting()
    assert witness.take_lacking() == "BAC"
    assert witness.take_lacking() is None


def test_a_new_leader_tells_what_was_closed_meanwhile_and_until_it_knows_that_it_does_not() -> None:
    desk = Desk()
    desk.restore(Account(state="live", equity=5.0, positions=["BAC", "F"]))
    desk.set_state("stale", "REST fails")
    assert desk.take_changes() == (
        [],
        Account(state="stale", reason="REST fails", equity=5.0, positions=["BAC", "F"]),
    )

    desk.on_report(report(holding("BAC", "10", "11", "12")), None)
    told = desk.told()
    assert told["F"] == Position(symbol="F", removed=True, as_of=AS_OF)
    assert not told["BAC"].removed


def test_a_new_epoch_has_everything_told_again(desk: Desk) -> None:
    desk.take_changes()
    desk.repeat_all()

    positions, told = desk.take_changes()
    assert {each.symbol for each in positions} == {"BAC", "IBM"}
    assert told is not None


def test_only_positions_of_priced_classes_are_asked_of_the_streams() -> None:
    desk = Desk()
    held = [
        holding("BRK.B", "1", "300", "301"),
        holding("BTCUSD", "1", "300", "301", asset_class="crypto"),
    ]
    desk.on_report(report(*held), None)
    assert list(desk.symbols()) == ["BRK.B"]
    assert desk.relies_on_broker


def test_money_adds_up_in_decimal(desk: Desk) -> None:
    for step in range(1, 1001):
        desk.on_execution(execution("F", "0.1", "0.1", str(Decimal(step) / 10)))
    assert desk.holdings.by_symbol["F"].cost_basis == Decimal(10)
    assert desk.account_told().cash == 990
