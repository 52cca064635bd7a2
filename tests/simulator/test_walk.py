"""The walk of an invented symbol: the same in every run, plausible, and valid as a tape is."""

from collections.abc import Iterator
from statistics import mean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.crypto.book import Book
from simulator.crypto.pair_walk import PairWalk
from simulator.protocol import rfc3339
from simulator.tape.bar_conditions import effects_of
from simulator.tape.walk import StockWalk, Walk, spread_around, start_price

NOW = rfc3339.parse("2026-11-23T15:31:00Z")
STOCKS = ["AAPL", "F", "BRK.B", "ZZZZ"]
PAIRS = ["BTC/USD", "DOGE/USD", "SHIB/BTC", "NEW/USDT"]


def walk_of(symbol: str) -> Walk:
    return PairWalk(symbol) if "/" in symbol else StockWalk(symbol)


def steps(walk: Walk, count: int) -> list[dict[str, Any]]:
    """Return the messages of the next trades, which come in pairs: an offer and a trade."""
    return [dict(message) for _ in range(count) for message in walk.take_step(NOW)]


def batched(messages: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each offer with its trade."""
    return zip(messages[::2], messages[1::2], strict=True)


@pytest.mark.parametrize("symbol", [*STOCKS, *PAIRS])
def test_a_symbol_walks_in_the_same_way_each_time_and_another_in_another(symbol: str) -> None:
    one, again, other = walk_of(symbol), walk_of(symbol), walk_of(f"X{symbol}")

    assert steps(one, 200) == steps(again, 200)
    assert [one.next_pause() for _ in range(9)] == [again.next_pause() for _ in range(9)]
    prices = [[step["p"] for step in steps(each, 200)[1::2]] for each in (again, other)]
    assert prices[0] != prices[1]


def test_well_known_names_have_a_price_that_looks_right() -> None:
    assert start_price("AAPL") == 190
    assert start_price("BTC/USD") == start_price("BTC/USDC") == 64_000
    assert start_price("USDC/USD") == 1
    assert start_price("ETH/BTC") == 0.0469
    assert all(0.5 < start_price(symbol) < 5_000 for symbol in STOCKS)


@pytest.mark.parametrize("symbol", [*STOCKS, *PAIRS])
def test_prices_are_positive_and_stay_near_the_first(symbol: str) -> None:
    usual = start_price(symbol)
    prices = [step["p"] for step in steps(walk_of(symbol), 10_000)[1::2]]

    assert len(set(prices)) > 3
    assert 0 < 0.85 * usual < min(prices)
    assert max(prices) < 1.15 * usual


@pytest.mark.parametrize("symbol", STOCKS)
def test_a_stock_trades_at_the_bid_or_the_offer_of_a_quote_with_valid_fields(symbol: str) -> None:
    messages = steps(StockWalk(symbol), 300)

    for quote, trade in batched(messages):
        assert (quote["T"], trade["T"]) == ("q", "t")
        assert 0 < quote["bp"] < quote["ap"]
        assert trade["p"] in (quote["bp"], quote["ap"])
        assert quote["t"] == trade["t"] == NOW
        assert quote["S"] == trade["S"] == symbol
        sizes = (quote["bs"], quote["as"], trade["s"])
        assert all(size > 0 and size % 100 == 0 for size in sizes)
        # As a regular sale of the recorded tape does, it moves everything.
        assert effects_of(trade["z"], trade["c"]) == effects_of("B", [" "])
    assert [each["i"] for each in messages[1::2]] == list(range(1, 301))
    bought = {trade["p"] == quote["ap"] for quote, trade in batched(messages)}
    assert bought == {True, False}


@pytest.mark.parametrize("symbol", PAIRS)
def test_a_pair_trades_at_the_best_level_of_a_whole_book(symbol: str) -> None:
    messages = steps(PairWalk(symbol), 300)

    for whole, trade in batched(messages):
        book = Book()
        assert (whole["T"], whole["r"], trade["T"]) == ("o", True, "t")
        assert book.apply(whole, NOW)
        assert 0 < book.best.bid < book.best.ask
        assert trade["p"] == (book.best.ask if trade["tks"] == "B" else book.best.bid)
        assert min(trade["s"], book.best.bid_size, book.best.ask_size) > 0
        assert book.depth("b") > 5
        assert book.depth("a") > 5
    ids = [each["i"] for each in messages[1::2]]
    assert ids == list(range(ids[0], ids[0] + 300))


@given(st.floats(1e-9, 1e6))
def test_a_bid_is_above_zero_and_below_its_offer_at_any_price(value: float) -> None:
    bid, ask = spread_around(value)

    assert 0 < bid < ask
    assert bid == pytest.approx(value, rel=0.02)
    assert ask == pytest.approx(value, rel=0.02)


@pytest.mark.parametrize("symbol", [*STOCKS, *PAIRS])
def test_it_trades_one_to_three_times_a_second_at_irregular_times(symbol: str) -> None:
    walk = walk_of(symbol)
    pauses = [walk.next_pause() for _ in range(5_000)]

    assert 0.9 / 3 < mean(pauses) < 1.1
    assert len(set(pauses)) > 4_000
    assert max(pauses) <= 5
