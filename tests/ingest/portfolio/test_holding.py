"""One position at a price: the broker's figures at its price, and the same rules at any other."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from ingest.alpaca.account_rows import read_positions
from ingest.portfolio.holding import Holding
from ingest.portfolio.mark import Mark
from ingest.upstream import account_translation
from ingest.upstream.account_translation import tape_symbol
from shared import position
from shared.position import Position
from tests.ingest.portfolio.rows import AS_OF, LATER, holding

# alpacahq/alpaca-docs, data/webapi/entities/position-crypto.yaml at 2080c5e
CRYPTO = {
    "symbol": "BTCUSD",
    "asset_class": "crypto",
    "avg_entry_price": "19660.5738784516887649",
    "qty": "2.61937",
    "side": "long",
    "market_value": "50931.03028",
    "cost_basis": "51498.3174",
    "unrealized_pl": "-567.28712",
    "unrealized_plpc": "-0.0110156437848977",
    "unrealized_intraday_pl": "-514.790552088631999405963",
    "unrealized_intraday_plpc": "-0.0100064600731871",
    "current_price": "19444",
    "lastday_price": "19358",
    "change_today": "0.0044426077074078",
}


def at(held: Holding, price: str) -> Position:
    return held.at(Mark(Decimal(price), "trade", LATER))


def terms(held: Holding) -> tuple[float, float, float]:
    return float(held.qty), float(held.cost_basis), float(held.avg_entry_price or 0)


def of_row(row: dict[str, Any]) -> Holding:
    [read], unreadable = read_positions([row])
    assert unreadable == []
    return account_translation.holding(read, AS_OF)


def test_at_the_brokers_price_all_figures_are_the_brokers() -> None:
    event = at(of_row(CRYPTO), "19444")

    assert event == Position(
        symbol="BTC/USD",
        asset_class="crypto",
        qty=2.61937,
        side="long",
        avg_entry_price=19660.573878451687,
        current_price=19444.0,
        price_source="trade",
        lastday_price=19358.0,
        change_today=0.004443,
        market_value=50931.03,
        cost_basis=51498.32,
        unrealized_pl=-567.29,
        unrealized_plpc=-0.011016,
        unrealized_intraday_pl=-514.79,
        unrealized_intraday_plpc=-0.010006,
        timestamp=LATER,
        as_of=AS_OF,
    )


def test_a_gain_moves_with_the_price_for_long_and_against_it_for_short() -> None:
    long, short = holding("BAC", "137", "13.7425", "13.9"), holding("IBM", "-20", "12", "13")

    assert at(long, "14.01").unrealized_pl == 36.65  # 137 * (14.01 - 13.7425) = 36.6475
    assert at(long, "14.01").unrealized_intraday_pl == 549.37
    event = at(short, "11.5")
    assert (event.qty, event.side, event.market_value) == (-20, "short", -230)
    assert (event.unrealized_pl, event.unrealized_plpc) == (10, 0.041667)
    assert (event.unrealized_intraday_pl, event.unrealized_intraday_plpc) == (-30, -0.15)


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_short_position_is_negative_however_the_broker_writes_it(sign: str) -> None:
    written = of_row(
        {
            "symbol": "IBM",
            "qty": f"{sign}20",
            "side": "short",
            "cost_basis": f"{sign}240",
            "market_value": f"{sign}260",
            "unrealized_intraday_pl": "-60",
            "current_price": "13",
        }
    )
    event = at(written, "13")
    assert (event.qty, event.market_value, event.cost_basis) == (-20, -260, -240)
    assert (event.unrealized_pl, event.unrealized_intraday_pl) == (-20, -60)


def test_an_option_counts_a_hundredfold_unless_the_broker_counts_otherwise() -> None:
    option = {
        "symbol": "AAPL240119C00100000",
        "asset_class": "us_option",
        "qty": "2",
        "side": "long",
        "cost_basis": "310",
        "avg_entry_price": "1.55",
    }
    event = at(of_row(option), "1.7")
    assert (event.market_value, event.unrealized_pl) == (340, 30)

    adjusted = of_row(option | {"market_value": "510", "current_price": "1.7"})
    assert at(adjusted, "1.8").market_value == 540


def test_no_loss_of_a_tenth_of_a_cent_is_minus_nothing() -> None:
    event = at(holding("BAC", "1", "10.001", "10"), "10")
    assert b'"unrealized_pl":0.0,' in position.encode(event)


def test_without_a_price_nothing_is_made_up() -> None:
    event = holding("BAC", "3", "10", None).at(Mark(None, reason="why"))

    assert (event.qty, event.cost_basis, event.reason) == (3, 30, "why")
    told = json.loads(position.encode(event))
    assert {key for key, value in told.items() if value is None} == {
        "current_price",
        "price_source",
        "change_today",
        "market_value",
        "unrealized_pl",
        "unrealized_plpc",
        "unrealized_intraday_pl",
        "unrealized_intraday_plpc",
        "timestamp",
    }


def test_more_averages_in_and_less_keeps_the_average() -> None:
    held = holding("BAC", "10", "10", "12")

    more = held.after(Decimal(30), Decimal(14), LATER)
    assert more is not None
    assert terms(more) == (40, 520, 13)
    less = more.after(Decimal(-10), Decimal(99), LATER)
    assert less is not None
    assert terms(less) == (30, 390, 13)
    assert less.after(Decimal(-30), Decimal(1), LATER) is None


def test_for_the_gain_of_the_day_a_sale_takes_the_oldest_shares_first() -> None:
    held = holding("BAC", "10", "10", "12")  # at 10 yesterday
    more = held.after(Decimal(30), Decimal(14), LATER)
    assert more is not None
    less = more.after(Decimal(-4), Decimal(99), LATER)
    assert less is not None
    only_new = less.after(Decimal(-7), Decimal(99), LATER)
    assert only_new is not None

    days = [at(each, "15").unrealized_intraday_pl for each in (held, more, less, only_new)]
    assert days == [50, 50 + 30, 6 * 5 + 30, 29]


def test_a_sale_of_some_unseen_purchases_leaves_no_gain_of_the_day_until_the_report() -> None:
    # 10 shares, of which some were bought today at unknown prices
    held = holding("BAC", "10", "10", "12", unrealized_intraday_pl="12.5")
    more = held.after(Decimal(5), Decimal(13), LATER)
    assert more is not None
    part, rest = (more.after(Decimal(sold), Decimal(13), LATER) for sold in (-1, -10))
    assert part is not None
    assert rest is not None

    assert at(more, "13").unrealized_intraday_pl == 22.5
    assert (at(part, "13").unrealized_intraday_pl, at(part, "13").unrealized_pl) == (None, 28)
    assert at(rest, "13.5").unrealized_intraday_pl == 2.5, "only the five that were seen are left"


def test_a_sale_of_one_of_several_assets_has_no_gain_of_the_day_until_the_report() -> None:
    together = replace(holding("VXX", "200", "18.5", "16"), blended=True)
    sold = together.after(Decimal(-10), Decimal(16), LATER)
    assert sold is not None
    assert at(sold, "16").unrealized_intraday_pl is None


def test_a_report_continues_the_lots_that_were_seen_if_they_add_up_to_it() -> None:
    bought = holding("BAC", "10", "10", "12").after(Decimal(10), Decimal(14), LATER)
    assert bought is not None
    reported = holding("BAC", "20", "12", "14", unrealized_intraday_pl="40")
    other = holding("BAC", "20", "12", "14", unrealized_intraday_pl="41")
    sold = [
        each.continuing(bought).after(Decimal(-5), Decimal(14), LATER) for each in (reported, other)
    ]

    assert [each and at(each, "14").unrealized_intraday_pl for each in sold] == [20, None]


def test_a_new_position_has_the_tapes_previous_close_until_the_report() -> None:
    new = Holding.opened("BAC", "us_equity", Decimal(5), Decimal(14), LATER)
    mark = Mark(Decimal(14), "trade", LATER, close=Decimal("12.5"))
    event = new.at(mark)
    assert (event.lastday_price, event.change_today) == (12.5, 0.12)

    yesterdays = new.at(replace(mark, timestamp="2026-11-25T00:59:59Z"))
    assert (yesterdays.lastday_price, yesterdays.change_today) == (None, None)
    reported = holding("BAC", "5", "14", "14").at(replace(mark, close=Decimal("10.1")))
    assert (reported.lastday_price, reported.change_today) == (10, 0.4)


@pytest.mark.parametrize(
    ("ours", "theirs", "close"),
    [("100", "1000", 100), ("1000", "100", 100), ("50", "100", 100), ("100", "101", 101)],
)
def test_if_only_one_close_has_a_split_the_days_change_is_against_the_one_near_the_price(
    ours: str, theirs: str, close: float
) -> None:
    owned = holding("NVDX", "5", "90", "100", lastday_price=theirs)
    event = owned.at(Mark(Decimal(101), "trade", LATER, close=Decimal(ours)))

    assert event.lastday_price == close
    assert event.change_today == round(101 / close - 1, 6)


def test_through_nothing_a_position_begins_anew_on_the_other_side() -> None:
    short = holding("BAC", "10", "10", "12").after(Decimal(-15), Decimal(11), LATER)
    assert short is not None

    assert terms(short) == (-5, -55, 11)
    assert at(short, "10").unrealized_pl == at(short, "10").unrealized_intraday_pl == 5


@pytest.mark.parametrize(
    ("broker", "asset_class", "tape"),
    [
        ("BTCUSD", "crypto", "BTC/USD"),
        ("USDTUSD", "crypto", "USDT/USD"),
        ("ETHUSDT", "crypto", "ETH/USDT"),
        ("ETHBTC", "crypto", "ETH/BTC"),
        ("BTC/USD", "crypto", "BTC/USD"),
        ("USD", "crypto", "USD"),
        ("BTCUSD", "us_equity", "BTCUSD"),
    ],
)
def test_a_pair_is_spelt_as_market_data_spells_it(broker: str, asset_class: str, tape: str) -> None:
    assert tape_symbol(broker, asset_class) == tape
