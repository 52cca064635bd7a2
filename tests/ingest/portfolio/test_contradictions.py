"""Reports and executions that contradict each other: all of a report is applied, or nothing."""

from decimal import Decimal
from typing import Any

import pytest

from ingest.alpaca.account_rows import read_positions
from ingest.portfolio.amount import fraction, rounded
from ingest.portfolio.broker_report import BrokerReport
from ingest.portfolio.execution import Execution
from ingest.portfolio.holding import Holding
from ingest.portfolio.holdings import DOUBT_SECONDS
from ingest.portfolio.portfolio import DOUBT, TOTALS_DIFFER, Portfolio
from ingest.portfolio.stream_witness import EXPLANATION_SECONDS
from ingest.portfolio.waiting_executions import DISBELIEF_SECONDS
from ingest.upstream import account_translation
from shared import rfc3339
from shared.account import Account
from shared.price import Price
from tests.ingest.demand.wants import Clock
from tests.ingest.portfolio.rows import AS_OF, account, holding

COIN = "BTC/USD"


class Desk(Portfolio):
    """A portfolio with a fake clock, and no tape: the broker's prices count."""

    def __init__(self) -> None:
        self.clock = Clock()
        super().__init__(lambda _: None, self.clock)

    def report(self, *rows: Holding, settled: bool = True, **money: Any) -> bool:
        """Bring a report that was requested and answered just now."""
        self.clock.now += 0.05
        unreadable: list[str] = money.pop("unreadable", [])
        told = BrokerReport(
            rows, account(**money), self.clock.now, AS_OF, unreadable, settled=settled
        )
        return self.on_report(told, 0.5)

    def fill(
        self, symbol: str, delta: str, price: str, qty: str, late: float = 0.0, **more: Any
    ) -> None:
        """Bring an execution, which happened ``late`` seconds before."""
        self.clock.now += 0.05
        at = rfc3339.from_unix(self.clock.now - late)
        kind = "crypto" if "/" in symbol else "us_equity"
        numbers = Decimal(delta), Decimal(price), Decimal(qty)
        self.holdings.witness.on_message(symbol)
        self.on_execution(Execution(symbol, kind, *numbers, at, **more))

    def after(self, seconds: float = 0.0) -> Account:
        """Return the account some seconds later."""
        self.clock.now += seconds
        self.set_state("live", None)
        return self.account()

    @property
    def quantities(self) -> dict[str, float]:
        return {symbol: float(each.qty) for symbol, each in self.holdings.by_symbol.items()}


def shares(symbol: str, qty: str, price: str = "100", **more: Any) -> Holding:
    """Return a position that was bought today at its present price."""
    return holding(symbol, qty, price, price, unrealized_intraday_pl="0", **more)


@pytest.fixture
def desk() -> Desk:
    """100,000 dollars in cash, as at the last close."""
    desk = Desk()
    assert desk.report(cash="100000", last_equity="100000")
    return desk


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


def test_what_no_order_explains_ends_no_stream_however_long_it_lasts(desk: Desk) -> None:
    """An expiry, a split, a transfer, a fee: REST's quantity counts, and that is all."""
    witness, option = desk.holdings.witness, "AAPL240119C00100000"
    desk.report(shares(option, "2", "1", asset_class="us_option"), cash="100000")
    desk.clock.now += DISBELIEF_SECONDS  # an earlier state would be a late report
    assert desk.report(cash="100000")
    waiting = witness.seconds_to_orders
    assert waiting is not None
    desk.clock.now += EXPLANATION_SECONDS + 0.1
    witness.end_waiting()  # REST's orders have been read
    assert witness.take_lacking() is None
    assert witness.seconds_to_orders is None


def test_an_assignment_that_rest_alone_shows_is_applied_as_a_whole_and_ends_no_stream() -> None:
    """A short call is assigned at its strike: no order, and no update of the stream."""
    desk = Desk()
    option = "AAA240119C00100000"
    short = holding(option, "-1", "2", "10", asset_class="us_option", market_value="-1000")
    stocks = shares("AAA", "100", "109")
    before: dict[str, Any] = {"long_market_value": "10900", "short_market_value": "-1000"}
    after: dict[str, Any] = {"long_market_value": "0", "short_market_value": "0"}
    desk.report(stocks, short, cash="90000", **before)
    desk.clock.now += DISBELIEF_SECONDS  # an earlier state would be a late report
    assert desk.after().equity == 99900

    assert desk.report(cash="100000", **after)
    told = desk.after()
    assert (told.cash, told.equity, told.state) == (100000, 100000, "live")
    assert desk.quantities == {}
    desk.clock.now += EXPLANATION_SECONDS + 0.1
    assert desk.holdings.witness.take_lacking() is None


def test_nor_does_a_fill_that_a_living_stream_has_lost(desk: Desk) -> None:
    witness = desk.holdings.witness
    desk.report(shares("AAA", "1"), cash="99900")
    witness.on_unstreamed_fill("AAA")
    witness.on_message("BBB")
    desk.clock.now += EXPLANATION_SECONDS + 0.1
    assert witness.take_lacking() is None


def test_a_mute_stream_ends_once_however_many_fills_it_lacks(desk: Desk) -> None:
    witness = desk.holdings.witness
    desk.report(shares("AAA", "1"), shares("BBB", "1"), cash="99800")
    witness.on_unstreamed_fill("AAA")
    witness.on_unstreamed_fill("BBB")
    desk.clock.now += EXPLANATION_SECONDS + 0.1
    assert witness.take_lacking() == "AAA"
    assert witness.take_lacking() is None


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


def test_a_ratio_to_almost_nothing_is_unknown() -> None:
    assert fraction(Decimal(1600), Decimal("1e-17")) is None
    assert rounded(Decimal("1e17")) == 1e17
    assert rounded(Decimal("NaN")) is rounded(Decimal("1e26")) is rounded(None) is None


def streaming_again(desk: Desk) -> None:
    """Lose the stream, and get it back: an execution in between is lost."""
    assert desk.report(shares("BAC", "10"), cash="99000", last_equity="100000")
    desk.clock.now += 0.05
    desk.holdings.on_streaming()


def test_after_a_break_of_the_stream_an_execution_waits_for_what_may_be_lost(desk: Desk) -> None:
    streaming_again(desk)  # the sale of BAC was lost
    desk.fill("SPY", "1", "500", "1")
    account = desk.after(DOUBT_SECONDS / 2)
    assert (account.state, account.cash, account.positions) == ("live", 99000, ["BAC"])

    assert desk.report(shares("SPY", "1", "500"), cash="99500", last_equity="100000")
    account = desk.after()
    assert (account.state, account.cash, account.positions) == ("live", 99500, ["SPY"])


def test_if_no_report_comes_soon_the_account_is_stale_and_has_the_execution(desk: Desk) -> None:
    streaming_again(desk)
    desk.fill("SPY", "1", "500", "1")
    account = desk.after(DOUBT_SECONDS)

    assert (account.state, account.reason) == ("stale", DOUBT)
    assert account.positions == ["BAC", "SPY"]


def test_nor_do_later_executions_show_what_the_break_has_lost(desk: Desk) -> None:
    streaming_again(desk)
    desk.fill("SPY", "1", "500", "1")
    assert desk.after(DOUBT_SECONDS).state == "stale"

    desk.fill("SPY", "1", "500", "2")
    assert (desk.after().state, desk.after().reason) == ("stale", DOUBT)

    assert desk.report(shares("SPY", "2", "500"), cash="99000", last_equity="100000")
    assert (desk.after().state, desk.after().cash) == ("live", 99000)


def test_a_report_from_before_the_break_shows_nothing_of_it(desk: Desk) -> None:
    streaming_again(desk)
    early = BrokerReport(
        [shares("BAC", "10")],
        account(cash="99000", last_equity="100000"),
        desk.clock.now - 0.01,
        AS_OF,
    )
    desk.on_report(early, None)
    desk.fill("SPY", "1", "500", "1")

    assert desk.quantities == {"BAC": 10}


def test_a_report_with_no_news_shows_that_nothing_was_lost(desk: Desk) -> None:
    streaming_again(desk)
    asked_at = desk.clock.now + 0.01
    desk.fill("SPY", "1", "500", "1")
    no_news = account(cash="99000", last_equity="100000")
    desk.on_report(BrokerReport([shares("BAC", "10")], no_news, asked_at, AS_OF), 0.5)

    assert desk.quantities == {"BAC": 10, "SPY": 1}
    assert desk.after().state == "live"
