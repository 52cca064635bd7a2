"""What `/v2/positions` and `/v2/account` say, by figures worked out by hand."""

from decimal import Decimal
from typing import Any

import pytest

from simulator.account.ledger import HOLDINGS, Holding
from tests.simulator.brokerage import MIDNIGHT, Brokerage

DAY = 24 * 3600 * 1_000_000_000


def rows(one: Brokerage) -> list[dict[str, Any]]:
    return [dict(row) for row in one.broker.statement().positions()]


def summary(one: Brokerage) -> dict[str, Any]:
    return dict(one.broker.statement().summary())


def test_longs_and_shorts_are_valued_in_decimal() -> None:
    one = Brokerage(HOLDINGS, closes={"BAC": 14.0, "IBM": 180.0})
    one.trade("BAC", 13.91)
    one.trade("IBM", 181.90)
    long, short = rows(one)

    assert long["market_value"] == "1905.67", "137 · 13.91"
    assert long["unrealized_pl"] == "22.9475", "137 · (13.91 - 13.7425)"
    assert long["unrealized_intraday_pl"] == "-12.33", "137 · (13.91 - 14)"
    assert long["change_today"] == "-0.0064285714285714"
    assert (short["qty"], short["side"]) == ("-20", "short")
    assert (short["cost_basis"], short["market_value"]) == ("-3647", "-3638")
    assert short["unrealized_pl"] == "9", "sold at 182.35"
    assert short["unrealized_intraday_pl"] == "-38"
    assert short["unrealized_plpc"] == "0.0024677817384151", "9 / 3647"


def test_the_account_is_cash_and_positions() -> None:
    one = Brokerage(HOLDINGS, closes={"BAC": 14.0, "IBM": 180.0})
    one.trade("BAC", 13.91)
    one.trade("IBM", 181.90)
    before = summary(one)
    one.quote("BAC", 13.90, 13.92)
    one.order("BAC", "buy", 100)
    after = summary(one)

    assert (before["long_market_value"], before["short_market_value"]) == ("1905.67", "-3638")
    assert before["equity"] == "23267.67", "25000 + 1905.67 - 3638"
    assert before["last_equity"] == "23318", "25000 + 137 · 14 - 20 · 180"
    assert before["buying_power"] == "40991.67", "2 · 23267.67 - 1905.67 - 3638"
    assert (after["cash"], after["equity"]) == ("23608", "23266.67"), "bought 0.01 above the last"
    assert after["last_equity"] == before["last_equity"]
    assert after["buying_power"] == "39598.67", "2 · 23266.67 - 237 · 13.91 - 3638"


def test_without_a_price_nothing_is_invented() -> None:
    one = Brokerage(HOLDINGS)
    long, _ = rows(one)
    account = summary(one)

    assert long["cost_basis"] == "1882.7225"
    unknown = {"current_price", "market_value", "unrealized_pl", "unrealized_plpc"}
    unknown |= {"lastday_price", "change_today", "unrealized_intraday_pl"}
    assert {long[name] for name in unknown} == {None}
    unknown = {"equity", "last_equity", "long_market_value", "short_market_value", "buying_power"}
    assert {account[name] for name in unknown} == {None}
    assert account["cash"] == "25000"


def test_the_days_profit_counts_the_old_from_the_close_and_the_new_from_its_price() -> None:
    one = Brokerage([Holding("BAC", Decimal(100), Decimal(10))], closes={"BAC": 12.0})
    one.trade("BAC", 13.0)
    one.quote("BAC", 12.5, 12.75)
    one.order("BAC", "buy", 40)
    [bought] = rows(one)
    one.order("BAC", "sell", 110)
    [sold] = rows(one)

    assert bought["unrealized_intraday_pl"] == "110", "100 · (13 - 12) + 40 · (13 - 12.75)"
    assert bought["unrealized_intraday_plpc"] == "0.064327485380117", "110 / 1710"
    assert (sold["qty"], sold["unrealized_intraday_pl"]) == ("30", "7.5"), "30 of the new are left"
    average = Decimal(1510) / 140
    assert round(Decimal(sold["unrealized_pl"]), 9) == round(30 * (13 - average), 9)


def test_what_was_bought_yesterday_counts_from_the_close() -> None:
    one = Brokerage(closes={"BAC": 12.0})
    one.now = MIDNIGHT - 1
    one.broker.fill("BAC", Decimal(10), Decimal(11))
    one.now = MIDNIGHT + 1
    one.broker.fill("BAC", Decimal(10), Decimal("12.5"))
    one.trade("BAC", 13.0)
    [row] = rows(one)

    assert row["unrealized_intraday_pl"] == "15", "10 · (13 - 12) + 10 · (13 - 12.5)"


def test_what_was_bought_today_needs_no_close() -> None:
    one = Brokerage()
    one.trade("SPY", 100.0)
    one.order("SPY", "buy", "0.5")
    one.trade("SPY", 102.0)
    [row] = rows(one)

    assert (row["unrealized_intraday_pl"], row["lastday_price"]) == ("1", None)


def test_crypto_is_priced_by_its_pair_and_options_by_the_hundred() -> None:
    option = "AAPL240119C00100000"
    one = Brokerage(
        [
            Holding("BTCUSD", Decimal("0.25"), Decimal(60000)),
            Holding(option, Decimal(-2), Decimal(3)),
        ]
    )
    one.trade("BTC/USD", 64000.5)
    one.trade(option, 2.5)
    coin, contract = rows(one)

    assert (coin["symbol"], coin["asset_class"]) == ("BTCUSD", "crypto")
    assert (coin["market_value"], coin["unrealized_pl"]) == ("16000.125", "1000.125")
    assert (contract["asset_class"], contract["avg_entry_price"]) == ("us_option", "3")
    assert (contract["cost_basis"], contract["market_value"]) == ("-600", "-500")
    assert contract["unrealized_pl"] == "100"


def test_on_the_morning_of_a_split_the_close_is_in_todays_shares() -> None:
    held = [Holding("BAC", Decimal(40), Decimal(3))]
    one = Brokerage(held, closes={"BAC": 14.0}, splits={"BAC": 4.0})
    one.trade("BAC", 3.6)
    [row] = rows(one)

    assert (row["lastday_price"], row["unrealized_intraday_pl"]) == ("3.5", "4")


def test_what_is_being_sold_is_not_available() -> None:
    one = Brokerage([Holding("BAC", Decimal(10)), Holding("IBM", Decimal(-4))])
    one.order("BAC", "sell", 3, limit_price=20)
    one.order("IBM", "buy", 1, limit_price=20)
    one.order("BAC", "buy", 5, limit_price=1)

    assert [row["qty_available"] for row in rows(one)] == ["7", "-3"]


@pytest.mark.parametrize(
    ("side", "quantity", "bound"), [("buy", 10, "200"), ("sell", 4, "0"), ("sell", 10, "120")]
)
def test_an_order_binds_what_it_may_add_to_a_position(side: str, quantity: int, bound: str) -> None:
    one = Brokerage([Holding("BAC", Decimal(4), Decimal(20))])
    one.trade("BAC", 20.0)
    before = Decimal(summary(one)["buying_power"])
    one.quote("BAC", 0, 0)  # so that nothing is filled
    one.order("BAC", side, quantity, limit_price=20)

    assert before - Decimal(summary(one)["buying_power"]) == Decimal(bound)
