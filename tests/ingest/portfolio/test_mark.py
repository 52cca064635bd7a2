"""Whose price a position has: the tape's, unless the broker's shows that shares differ."""

from decimal import Decimal

import pytest

from ingest.portfolio.mark import BrokerPrice, Mark, mark_of
from shared.price import Price

YESTERDAY, TODAY = "2026-11-24T20:59:59Z", "2026-11-25T14:30:05Z"
AS_OF = "2026-11-25T14:30:01Z"
NONE = BrokerPrice(None, None, AS_OF)


def broker(price: str | None, previous_close: str | None = None) -> BrokerPrice:
    """Return the broker's price and previous close, reported today."""
    close = None if previous_close is None else Decimal(previous_close)
    return BrokerPrice(None if price is None else Decimal(price), close, AS_OF)


def traded(price: float, previous_close: float | None = None, at: str = TODAY) -> Price:
    """Return a last price of the tape."""
    return Price(symbol="IBM", price=price, timestamp=at, previous_close=previous_close)


def test_the_tapes_price_precedes_the_brokers_in_every_session() -> None:
    last = traded(13.9, 13.8)
    assert mark_of("us_equity", last, broker("13", "13.7"), is_priced=True) == Mark(
        Decimal("13.9"), "trade", TODAY, close=Decimal("13.8")
    )


def test_if_the_tape_has_no_price_the_brokers_is_used_with_the_reason() -> None:
    nothing = Price(symbol="IBM", reason="no_trade_seen")
    for last in (None, nothing):
        mark = mark_of("us_equity", last, broker("13"), is_priced=True)
        assert mark == Mark(Decimal(13), "broker", None, "the tape has no price for it yet")
        assert mark_of("us_equity", None, NONE, is_priced=True) == Mark(
            None, reason="the tape has no price for it yet, and the broker reports none"
        )


@pytest.mark.parametrize(("ours", "used"), [(18.2, "broker"), (181.0, "trade"), (None, "trade")])
def test_a_split_that_only_one_side_has_carried_out_is_left_to_the_broker(
    ours: float | None, used: str
) -> None:
    mark = mark_of("us_equity", traded(18.0, ours), broker("180", "182.0"), is_priced=True)
    assert mark.source == used
    assert ("split" in (mark.reason or "")) == (used == "broker")


def test_if_tape_and_broker_agree_on_the_price_it_counts_although_their_closes_differ() -> None:
    # A split 10:1 that the broker's previous close does not have, or a false one on the tape.
    for ours, theirs in ((100.0, "1000"), (50.0, "100")):
        mark = mark_of("us_equity", traded(101.0, ours), broker("100.5", theirs), is_priced=True)
        assert mark == Mark(Decimal("101.0"), "trade", TODAY, close=Decimal(str(ours)))


@pytest.mark.parametrize(
    ("price", "theirs", "used"),
    [
        (1000.0, "100", "broker"),  # a forward split that the broker's previous close lacks
        (10.0, "100", "broker"),  # a reverse split
        (1000.0, "820", "broker"),
        (1000.0, "840", "trade"),  # the price after hours
        (1000.0, None, "trade"),
        (1000.0, "0", "trade"),
    ],
)
def test_a_last_trade_of_an_earlier_day_that_is_far_off_the_brokers_price_is_left_to_the_broker(
    price: float, theirs: str | None, used: str
) -> None:
    yesterdays = traded(price, price * 0.985, YESTERDAY)
    mark = mark_of("us_equity", yesterdays, broker(theirs, str(price)), is_priced=True)

    assert mark.source == used
    assert ("hours old" in (mark.reason or "")) == (used == "broker")


def test_within_a_day_the_tape_may_be_far_ahead_of_the_brokers_price() -> None:
    assert (
        mark_of("us_equity", traded(60.0, 100.0), broker("100", "100"), is_priced=True).source
        == "trade"
    )


@pytest.mark.parametrize("theirs", ["2.5", "0"])
def test_a_contract_that_has_not_traded_for_hours_has_the_brokers_price(theirs: str) -> None:
    old, new = traded(3.5, at=YESTERDAY), traded(3.5)

    mark = mark_of("us_option", old, broker(theirs), is_priced=True)
    assert mark == Mark(Decimal(theirs), "broker", None, "the last trade is hours old")
    assert mark_of("us_option", new, broker(theirs), is_priced=True).source == "trade"
    assert mark_of("us_option", old, NONE, is_priced=True).source == "trade"


def test_a_contract_of_a_delayed_feed_has_the_brokers_price() -> None:
    mark = mark_of("us_option", traded(3.5), broker("2.5"), is_priced=False)

    assert (mark.price, mark.source) == (Decimal("2.5"), "broker")
    assert "fifteen minutes late" in (mark.reason or "")
