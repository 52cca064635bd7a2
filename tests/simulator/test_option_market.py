"""What the market of options knows of a contract."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.options.bar_conditions import effects_of_option
from simulator.options.market import OptionMarket
from simulator.tape.bar_conditions import Price
from tests.simulator.option_data import CALL, MINUTE, MONDAY, OTHER, quote, trade

SECOND = MINUTE // 60


def market(*messages: dict[str, Any]) -> OptionMarket:
    made = OptionMarket()
    for message in messages:
        made.observe({"t": MONDAY, **message})
    return made


def test_the_price_is_the_newer_one_of_the_last_trade_and_the_quotes_mid() -> None:
    known = market(quote(CALL, 1.1, 1.2))
    assert known.price(CALL) == 1.15
    known.observe(trade(CALL, 1.12, t=MONDAY))
    assert known.price(CALL) == 1.12
    known.observe(quote(CALL, 0.66, 0.67, t=MONDAY + 1))
    assert known.price(CALL) == 0.665
    known.observe(trade(CALL, 0.7, t=MONDAY - 1))
    assert known.price(CALL) == 0.665


def test_a_contract_with_no_message_has_no_price() -> None:
    known = market(trade(CALL, 1.5))

    assert known.price(OTHER) is None
    assert known.snapshot(OTHER, MONDAY) is None


@pytest.mark.parametrize(
    ("bid", "ask"),
    [
        (None, 1.2),
        (1.1, None),
        ("1.1", 1.2),
        (1.3, 1.2),
        (0, 0),
        (-1, 1),
        (float("nan"), 1),
        (1, float("inf")),
    ],
)
def test_a_quote_that_has_no_two_sides_gives_no_price(bid: Any, ask: Any) -> None:
    assert market(quote(CALL, bid, ask)).price(CALL) is None
    assert market(trade(CALL, 1.5), quote(CALL, bid, ask, t=MONDAY + 1)).price(CALL) == 1.5


def test_a_quote_with_no_bid_has_a_mid() -> None:
    assert market(quote(CALL, 0, 0.05)).price(CALL) == 0.025


@pytest.mark.parametrize(
    "message",
    [
        trade(CALL, 1.5, p=None),
        trade(CALL, 1.5, s="many"),
        trade(CALL, float("nan")),
        trade(CALL, 1.5, t=None),
        trade(CALL, 1.5, S=None),
        trade(CALL, 1.5, S=[CALL]),
        trade("SPY261131C00330000", 1.5),
        trade("SPY", 1.5),
        {"T": "b", "S": CALL, "o": 1, "h": 1, "l": 1, "c": 1, "v": 1},
    ],
)
def test_a_malformed_message_gives_no_price(message: dict[str, Any]) -> None:
    known = market(message)

    assert known.price(CALL) is None
    assert known.trades(CALL) == []


def test_an_older_quote_is_ignored() -> None:
    known = market(quote(CALL, 1.1, 1.2), quote(CALL, 2, 3, t=MONDAY - 1))

    assert known.quote(CALL) == quote(CALL, 1.1, 1.2, t=MONDAY)


def test_trades_are_kept_in_the_order_of_their_times() -> None:
    known = market(trade(CALL, 2, t=MONDAY + 1), trade(CALL, 1, t=MONDAY))

    assert [one["p"] for one in known.trades(CALL)] == [1, 2]
    assert known.latest_trade(CALL) == trade(CALL, 2, t=MONDAY + 1)


def test_the_newest_2000_trades_are_kept() -> None:
    known = market(*(trade(CALL, 1 + at, t=MONDAY + at) for at in range(2001)))

    assert [one["p"] for one in known.trades(CALL)] == list(range(2, 2002))


def test_a_minute_is_shown_once_it_is_over() -> None:
    known = market(trade(CALL, 2, 10), trade(CALL, 3, 5, t=MONDAY + SECOND))
    during, after = (known.snapshot(CALL, MONDAY + at) for at in (2 * SECOND, MINUTE))

    assert during is not None
    assert after is not None
    assert "minuteBar" not in during
    assert after["minuteBar"] == (
        {"o": 2, "h": 3, "l": 2, "c": 3, "v": 15, "n": 2}
        | {"vw": 2.333333, "t": "2026-11-23T15:00:00Z"}
    )
    assert after["dailyBar"] == during["dailyBar"]


@pytest.mark.parametrize(
    ("condition", "minute", "day"),
    [
        *((code, (0, False, False), (0, False, False)) for code in "ABCDEFG"),
        *((code, (2, True, True), (2, True, True)) for code in "HIJSabcdefghijklmnopqrs"),
        *((code, (0, False, True), (0, False, True)) for code in "tu"),
        ("v", (2, True, True), (0, False, True)),
        ("?", (0, False, True), (0, False, True)),
        (["S"], (0, False, True), (0, False, True)),
        (None, (2, True, True), (2, True, True)),
    ],
)
def test_a_condition_decides_what_a_trade_moves(
    condition: object, minute: tuple[int, bool, bool], day: tuple[int, bool, bool]
) -> None:
    found = effects_of_option({"T": "t", "c": condition})

    assert found.minute == (Price(minute[0]), *minute[1:])
    assert found.day == (Price(day[0]), *day[1:])


def test_a_cancelled_print_moves_no_bar() -> None:
    known = market(trade(CALL, 2, 10), trade(CALL, 9, 5, c="A"), trade(CALL, 8, 4, c="t"))
    shown = known.snapshot(CALL, MONDAY + MINUTE)

    assert shown is not None
    bar = shown["dailyBar"]
    assert isinstance(bar, dict)
    assert (bar["h"], bar["c"], bar["v"]) == (2, 2, 14)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["t", "q"])), max_size=20))
def test_the_newest_message_counts_in_any_order_of_arrival(
    arrivals: list[tuple[int, str]],
) -> None:
    known = OptionMarket()
    for at, kind in arrivals:
        made = trade(CALL, 1 + at) if kind == "t" else quote(CALL, 10 + at, 12 + at)
        known.observe(made | {"t": MONDAY + at})
    trades = [at for at, kind in arrivals if kind == "t"]
    quotes = [at for at, kind in arrivals if kind == "q"]

    expected = None
    if quotes and max(quotes) > max(trades, default=-1):
        expected = 11 + max(quotes)
    elif trades:
        expected = 1 + max(trades)
    assert known.price(CALL) == expected
