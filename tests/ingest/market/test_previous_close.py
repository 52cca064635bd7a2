"""The previous close of a price's own day, and the change against it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.market.bars import Close
from ingest.market.last_price import LastPrices
from ingest.market.previous_close import PreviousCloses, change
from ingest.market.snapshot import NewestCloses
from tests.ingest.trades import ns, rest_snapshot, trade, two_days

US = 1000
MONDAY, FRIDAY, TUESDAY = 20773, 20770, 20774


def close(day: int, price: float) -> Close:
    """Return the close of a daily bar, which starts at New York's midnight."""
    return Close((day * 24 + 5) * 3_600_000_000_000, price)


def learnt(
    today: int, day: tuple[int, float] | None, previous: float | None, given: float | None = None
) -> dict[int, float]:
    closes = PreviousCloses()
    closes.learn(NewestCloses(None, day and close(*day), previous), today, given)
    return closes.by_day


@pytest.mark.parametrize(
    ("day", "previous", "given", "closes"),
    [
        ((MONDAY, 105), 100, None, {MONDAY: 100}),
        ((FRIDAY, 100), 98, None, {MONDAY: 100, FRIDAY: 98}),
        ((FRIDAY, 100), None, None, {MONDAY: 100}),
        ((FRIDAY, 1000), 990, 100, {MONDAY: 100, FRIDAY: 990}),
        ((MONDAY, 105), 1000, 100, {MONDAY: 100}),
        (None, 100, None, {MONDAY: 100}),
        (None, None, 100, {MONDAY: 100}),
        ((MONDAY, 105), None, None, {}),
        (None, None, None, {}),
        (None, None, 0, {}),
        (None, None, float("nan"), {}),
    ],
)
def test_bars_and_callers_tell_the_closes_of_the_days_they_mean(
    day: tuple[int, float] | None,
    previous: float | None,
    given: float | None,
    closes: dict[int, float],
) -> None:
    assert learnt(MONDAY, day, previous, given) == closes


def test_the_adjusted_close_is_not_replaced_by_a_later_snapshots_raw_one() -> None:
    closes = PreviousCloses()
    closes.learn(NewestCloses(previous_day=1000), MONDAY, 100)
    closes.learn(NewestCloses(None, close(MONDAY, 105), 1000), MONDAY, None)
    closes.learn(NewestCloses(None, close(MONDAY, 105), 1000), TUESDAY, None)

    assert closes.by_day == {MONDAY: 100, TUESDAY: 105}


def test_old_days_are_forgotten() -> None:
    closes = PreviousCloses()
    for day in range(MONDAY, MONDAY + 1000):
        closes.learn(NewestCloses(None, close(day, 100), 99), day, 98)

    assert len(closes.by_day) < 10


def test_a_day_that_changes_while_running_does_not_keep_the_old_previous_close() -> None:
    prices = LastPrices(two_days())
    evening = ns("2026-11-16T19:59:00-05:00")
    morning = ns("2026-11-17T04:00:01-05:00")
    prices.on_snapshot("SPY", rest_snapshot({}), evening // US, previous_close=100)

    monday = prices.on_trade(trade(evening, 110, ["T"]), evening // US)
    assert monday is not None
    assert monday.change == 10
    tuesday = prices.on_trade(trade(morning, 111, ["T"]), morning // US)
    assert tuesday is not None
    assert (tuesday.previous_close, tuesday.change, tuesday.change_percent) == (None, None, None)

    again = prices.on_snapshot("SPY", rest_snapshot({}), morning // US, previous_close=110)
    assert again is tuesday
    assert (again.previous_close, again.change) == (110, 1)


cents = st.integers(1, 10_000_000_000).map(lambda number: number / 10_000)


@given(cents, cents)
def test_change_and_fraction_are_exact_and_rounded_once(price: float, previous: float) -> None:
    difference, fraction = change(price, previous)

    exact = Decimal(str(price)) - Decimal(str(previous))
    assert Decimal(str(difference)) == exact
    assert fraction is not None
    assert abs(Decimal(str(fraction)) - exact / Decimal(str(previous))) <= Decimal("0.0000005")


def test_a_fraction_beyond_all_reason_is_left_out() -> None:
    assert change(1e300, 1e-300) == (1e300, None)
