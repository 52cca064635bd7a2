"""Quotes: sides that are none, and those that cross."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.market.quotes import Quote, quote_event
from shared import quote as events
from tests.ingest.trades import NOON, rest_snapshot

# alpaca-trade-api-go, marketdata/rest_test.go
SNAPSHOT = {
    "latestQuote": {
        "t": "2021-05-03T14:48:07.257820915Z",
        "ax": "Q",
        "ap": 133.43,
        "as": 7,
        "bx": "Q",
        "bp": 133.42,
        "bs": 15,
        "c": ["R"],
    }
}


def quote(
    bid: float = 100.1, bid_size: float = 3, ask: float = 100.2, ask_size: float = 4
) -> Quote:
    return Quote(
        symbol="SPY",
        bid=bid,
        bid_size=bid_size,
        bid_exchange="V",
        ask=ask,
        ask_size=ask_size,
        ask_exchange="Q",
        at_ns=NOON + 123_456_789,
        conditions=("R",),
        tape="B",
    )


def test_a_quote_becomes_an_event_with_all_its_values() -> None:
    assert quote_event(quote(), 5) == events.Quote(
        symbol="SPY",
        bid=100.1,
        bid_size=3,
        bid_exchange="V",
        ask=100.2,
        ask_size=4,
        ask_exchange="Q",
        crossed=False,
        conditions=["R"],
        tape="B",
        timestamp="2026-11-16T17:00:00.123456789Z",
        received=5,
    )


@pytest.mark.parametrize(
    "none", [{"ask": 0}, {"ask_size": 0}, {"ask": -1}, {"ask": math.nan}, {"ask_size": math.inf}]
)
def test_a_side_without_price_or_size_is_null(none: dict[str, float]) -> None:
    event = quote_event(quote(**none), 5)

    assert (event.ask, event.ask_size, event.ask_exchange) == (None, None, None)
    assert (event.bid, event.bid_size, event.bid_exchange) == (100.1, 3, "V")
    assert not event.crossed


@pytest.mark.parametrize(
    ("bid", "ask", "crossed"), [(100, 99.99, True), (100, 100, False), (100, 0, False)]
)
def test_a_bid_above_the_ask_is_crossed_and_one_at_the_ask_is_not(
    bid: float, ask: float, crossed: bool
) -> None:
    assert quote_event(quote(bid=bid, ask=ask), 5).crossed is crossed


numbers = st.one_of(st.floats(), st.integers(-2, 1 << 63), st.just(0))


@given(numbers, numbers, numbers, numbers)
def test_a_side_is_whole_or_null_and_only_whole_sides_cross(
    bid: float, bid_size: float, ask: float, ask_size: float
) -> None:
    event = quote_event(quote(bid, bid_size, ask, ask_size), 5)

    for price, size, exchange, values in (
        (event.bid, event.bid_size, event.bid_exchange, (bid, bid_size)),
        (event.ask, event.ask_size, event.ask_exchange, (ask, ask_size)),
    ):
        usable = all(math.isfinite(value) and value > 0 for value in values)
        assert (price, size) == (values if usable else (None, None))
        assert (exchange is not None) == usable
    whole = event.bid is not None and event.ask is not None
    assert event.crossed == (whole and bid > ask)
    msgspec.json.encode(event)


def test_the_quote_of_a_snapshot_is_the_same_event() -> None:
    found = rest_snapshot(SNAPSHOT, "AAPL").quote

    assert found is not None
    event = quote_event(found, 5)
    assert (event.symbol, event.bid, event.bid_size, event.ask) == ("AAPL", 133.42, 15, 133.43)
    assert (event.conditions, event.tape) == (["R"], None)
    assert event.timestamp == "2021-05-03T14:48:07.257820915Z"


@pytest.mark.parametrize("nothing", [{}, {"latestQuote": None}])
def test_a_snapshot_without_a_quote_gives_none(nothing: dict[str, Any]) -> None:
    assert rest_snapshot(nothing).quote is None


@pytest.mark.parametrize("bad", [5, {}, {**SNAPSHOT["latestQuote"], "t": "today"}])
def test_a_quote_of_another_form_is_left_out(bad: Any) -> None:
    assert rest_snapshot({"latestQuote": bad}).quote is None


@pytest.mark.parametrize("bid", ["133", None, 1e30, float("nan")])
def test_a_side_of_another_form_is_left_out(bid: Any) -> None:
    quote = rest_snapshot({"latestQuote": {**SNAPSHOT["latestQuote"], "bp": bid}}).quote

    assert quote is not None
    assert (quote.bid, quote.ask) == (0, SNAPSHOT["latestQuote"]["ap"])
