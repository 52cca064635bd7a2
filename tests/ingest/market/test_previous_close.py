"""The previous close of a price's own day, splits included, and the change against it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.market.adjusted_closes import AdjustedCloses
from ingest.market.bars import Close
from ingest.market.last_price import LastPrices
from ingest.market.previous_close import PreviousCloses, UnconfirmedSplit, change
from ingest.market.snapshot import NewestCloses
from shared.price import Price
from tests.ingest.trades import closed_before, ns, rest_snapshot, trade, two_days

US = 1000
THURSDAY, FRIDAY, SATURDAY, MONDAY, TUESDAY = 20769, 20770, 20771, 20773, 20774


def close(day: int, price: float) -> Close:
    """Return the close of a daily bar, which starts at New York's midnight."""
    return Close((day * 24 + 5) * 3_600_000_000_000, price)


def newest(day: tuple[int, float] | None, previous: tuple[int, float] | None) -> NewestCloses:
    return NewestCloses(None, day and close(*day), previous and close(*previous))


def learnt(
    today: int,
    day: tuple[int, float] | None,
    previous: tuple[int, float] | None,
    adjusted: dict[int, float] | None = None,
) -> PreviousCloses:
    closes = PreviousCloses()
    closes.learn(
        newest(day, previous), today, None if adjusted is None else AdjustedCloses(adjusted, today)
    )
    return closes


@pytest.mark.parametrize(
    ("day", "previous", "adjusted", "closes"),
    [
        ((MONDAY, 105), (FRIDAY, 100), None, {MONDAY: 100}),
        ((FRIDAY, 100), (THURSDAY, 98), None, {MONDAY: 100, FRIDAY: 98}),
        ((FRIDAY, 100), None, None, {MONDAY: 100}),
        (None, (FRIDAY, 100), None, {MONDAY: 100}),
        ((MONDAY, 105), (FRIDAY, 100), {FRIDAY: 100.02}, {MONDAY: 100.02}),
        ((FRIDAY, 100), (THURSDAY, 98), {FRIDAY: 100.02}, {MONDAY: 100.02, FRIDAY: 98}),
        (None, None, {FRIDAY: 100}, {MONDAY: 100}),
        ((MONDAY, 105), None, None, {}),
        ((MONDAY, 105), None, {}, {}),
        (None, None, None, {}),
    ],
)
def test_bars_and_adjusted_closes_give_the_closes_of_the_days_they_mean(
    day: tuple[int, float] | None,
    previous: tuple[int, float] | None,
    adjusted: dict[int, float] | None,
    closes: dict[int, float],
) -> None:
    assert learnt(MONDAY, day, previous, adjusted).by_day == closes


def test_on_a_split_day_the_adjusted_close_counts_once_a_print_confirms_it() -> None:
    closes = learnt(MONDAY, (MONDAY, 102), (FRIDAY, 1000), {FRIDAY: 100})

    assert closes.by_day == {MONDAY: 100}
    assert closes.take_unconfirmed_split() is None


def test_after_a_split_day_its_price_keeps_the_adjusted_close() -> None:
    # Split 2:1 on Friday; an ingest that starts on Saturday has only REST.
    adjusted = {THURSDAY: 26.0, FRIDAY: 26.5}
    closes = learnt(SATURDAY, (FRIDAY, 26.5), (THURSDAY, 52.0), adjusted)

    assert closes.by_day == {FRIDAY: 26.0, SATURDAY: 26.5}
    assert closes.take_unconfirmed_split() is None


def test_before_the_first_print_after_a_split_the_last_price_keeps_the_close_in_its_shares() -> (
    None
):
    # Split 10:1 on Monday. Friday's price counts Friday's shares, and so does its close.
    adjusted = {THURSDAY: 98.5, FRIDAY: 100.0}
    closes = learnt(MONDAY, (FRIDAY, 1000.0), (THURSDAY, 985.0), adjusted)

    assert closes.by_day == {FRIDAY: 985.0}
    assert closes.take_unconfirmed_split() is None, "nothing contradicts a split on Monday"


@pytest.mark.parametrize(
    ("first", "chosen"),
    [(101.0, 100.0), (119.0, 100.0), (60.0, 100.0), (1001.0, 1000.0), (700, 1000)],
)
def test_the_first_print_after_a_claimed_split_shows_which_close_counts_its_shares(
    first: float, chosen: float
) -> None:
    closes = learnt(MONDAY, (FRIDAY, 1000.0), (THURSDAY, 985.0), {THURSDAY: 98.5, FRIDAY: 100.0})

    assert closes.choose(MONDAY, first) == chosen


def test_a_split_that_the_days_prices_do_not_show_is_reported_once_a_day_and_not_believed() -> None:
    # A spin-off that stands as a 2:1 split in Alpaca's adjusted bars.
    closes = learnt(MONDAY, (MONDAY, 100.5), (FRIDAY, 100.0), {FRIDAY: 50.0})

    assert closes.by_day == {MONDAY: 100.0}
    assert closes.take_unconfirmed_split() == UnconfirmedSplit(MONDAY, 100.0, 50.0, 100.5)
    closes.learn(
        newest((MONDAY, 101.0), (FRIDAY, 100.0)), MONDAY, AdjustedCloses({FRIDAY: 50.0}, MONDAY)
    )
    assert closes.take_unconfirmed_split() is None


def test_a_false_split_of_friday_is_not_believed_on_saturday() -> None:
    adjusted = {THURSDAY: 50.0, FRIDAY: 101.0}
    closes = learnt(SATURDAY, (FRIDAY, 101.0), (THURSDAY, 100.0), adjusted)

    assert closes.by_day == {FRIDAY: 100.0, SATURDAY: 101.0}
    assert closes.take_unconfirmed_split() == UnconfirmedSplit(FRIDAY, 100.0, 50.0, 101.0)


@pytest.mark.parametrize("last", [98.0, 55.0, 51.0])
def test_a_fall_by_half_during_the_day_is_no_split(last: float) -> None:
    closes = PreviousCloses()
    adjusted = AdjustedCloses({FRIDAY: 50.0}, MONDAY)
    closes.learn(newest((MONDAY, last), (FRIDAY, 100.0)), MONDAY, adjusted, opened=99.0)

    assert closes.by_day == {MONDAY: 100.0}


def test_a_fall_by_half_overnight_is_no_split_if_no_source_claims_one() -> None:
    closes = learnt(MONDAY, (MONDAY, 49.0), (FRIDAY, 100.0), {FRIDAY: 100.0})

    assert closes.by_day == {MONDAY: 100.0}


def test_an_adjusted_close_that_arrives_in_the_morning_replaces_the_raw_one() -> None:
    closes = learnt(MONDAY, (MONDAY, 50.5), (FRIDAY, 100.0), {FRIDAY: 100.0})
    closes.learn(
        newest((MONDAY, 50.6), (FRIDAY, 100.0)), MONDAY, AdjustedCloses({FRIDAY: 50.0}, MONDAY)
    )

    assert closes.by_day == {MONDAY: 50.0}


def test_no_raw_close_replaces_an_adjusted_or_a_restored_one() -> None:
    closes = learnt(MONDAY, None, (FRIDAY, 1000), None)
    closes.learn(
        newest((MONDAY, 105), (FRIDAY, 1000)), MONDAY, AdjustedCloses({FRIDAY: 100}, MONDAY)
    )
    closes.learn(newest((MONDAY, 105), (FRIDAY, 1000)), MONDAY)
    closes.learn(newest((MONDAY, 105), (FRIDAY, 1000)), TUESDAY)
    assert closes.by_day == {MONDAY: 100, TUESDAY: 105}

    restored = PreviousCloses()
    restored.restore(FRIDAY, 26.0)
    restored.learn(newest((FRIDAY, 26.5), (THURSDAY, 52.0)), SATURDAY)
    assert restored.by_day == {FRIDAY: 26.0, SATURDAY: 26.5}


def test_closes_of_an_earlier_request_say_nothing_about_a_later_day() -> None:
    closes = PreviousCloses()
    friday = AdjustedCloses({THURSDAY: 98}, FRIDAY)
    closes.learn(newest((FRIDAY, 100), (THURSDAY, 98)), MONDAY, friday)

    assert closes.by_day == {MONDAY: 100, FRIDAY: 98}


def test_old_days_are_forgotten() -> None:
    closes = PreviousCloses()
    for day in range(MONDAY, MONDAY + 1000):
        split = AdjustedCloses({day - 1: 9.8}, day)
        closes.learn(newest((day, 100), (day - 1, 99)), day, split)
        closes.learn(newest(None, (day - 1, 99)), day + 1, AdjustedCloses({day - 1: 9.8}, day + 1))

    assert len(closes.by_day) < 10


def test_a_day_that_changes_while_running_does_not_keep_the_old_previous_close() -> None:
    prices = LastPrices(two_days())
    evening = ns("2026-11-16T19:59:00-05:00")
    morning = ns("2026-11-17T04:00:01-05:00")
    prices.on_snapshot("SPY", rest_snapshot({}), evening // US, closed_before(evening, 100))

    monday = prices.on_trade(trade(evening, 110, ["T"]), evening, evening // US)
    assert monday is not None
    assert monday.change == 10
    tuesday = prices.on_trade(trade(morning, 111, ["T"]), morning, morning // US)
    assert tuesday is not None
    assert (tuesday.previous_close, tuesday.change, tuesday.change_percent) == (None, None, None)

    adjusted = closed_before(morning, 110)
    again = prices.on_snapshot("SPY", rest_snapshot({}), morning // US, adjusted)
    assert again is not None
    assert (again.price, again.timestamp) == (tuesday.price, tuesday.timestamp)
    assert (again.previous_close, again.change) == (110, 1)


def on_monday(prices: LastPrices, yesterday: float, adjusted: float, **row: object) -> None:
    """Apply REST's answer on a Monday morning: Friday's close, unadjusted and adjusted."""
    morning = ns("2026-11-16T09:30:02-05:00")
    friday = {"t": "2026-11-13T05:00:00Z", "c": yesterday}
    bars = {"dailyBar": friday} if "dailyBar" not in row else {"prevDailyBar": friday}
    closes = AdjustedCloses({FRIDAY: adjusted}, MONDAY)
    prices.on_snapshot("SPY", rest_snapshot({**bars, **row}), morning // US, closes)


@pytest.mark.parametrize(
    ("print_price", "previous_close"), [(101.0, 100.0), (50.5, 50.0), (49.0, 50.0)]
)
def test_the_first_print_of_a_claimed_split_is_shown_against_the_close_in_its_shares(
    print_price: float, previous_close: float
) -> None:
    prices = LastPrices(two_days())
    on_monday(prices, yesterday=100.0, adjusted=50.0)

    at = ns("2026-11-16T09:30:05-05:00")
    first = prices.on_trade(trade(at, print_price), at, at // US)
    assert first is not None, "it is near one of the two closes, so it is not quarantined"
    assert first.previous_close == previous_close
    assert prices.take_doubtful() == ["SPY"], "REST's daily bar is to settle it"


def test_a_share_with_a_false_split_has_its_true_change_and_the_split_is_reported() -> None:
    prices = LastPrices(two_days())
    newest_trade = {"t": "2026-11-16T14:30:01Z", "p": 100.5, "s": 100, "x": "V", "i": 1, "z": "A"}
    today = {"t": "2026-11-16T05:00:00Z", "c": 100.5}
    on_monday(prices, 100.0, 50.0, latestTrade=newest_trade, dailyBar=today)

    at = ns("2026-11-16T09:31:00-05:00")
    last = prices.on_trade(trade(at, 101.04, number=2), at, at // US)
    assert last is not None
    assert (last.previous_close, last.change_percent) == (100.0, 0.0104)
    split = prices.take_unconfirmed_split("SPY")
    assert split == UnconfirmedSplit(MONDAY, 100.0, 50.0, 100.5)
    assert prices.take_unconfirmed_split("SPY") is None


def test_a_restart_after_a_split_day_shows_the_split_days_change() -> None:
    prices = LastPrices(two_days())
    published = "2026-11-16T19:59:00-05:00"
    prices.restore(
        Price(symbol="SPY", price=26.5, timestamp=published, previous_close=26.0, session="post")
    )
    night = ns("2026-11-17T00:10:00-05:00")
    bars = {
        "dailyBar": {"t": "2026-11-16T05:00:00Z", "c": 26.5},
        "prevDailyBar": {"t": "2026-11-13T05:00:00Z", "c": 52.0},
    }
    last = prices.on_snapshot("SPY", rest_snapshot(bars), night // US) or prices.last_price("SPY")
    assert last is not None
    assert (last.price, last.previous_close) == (26.5, 26.0)

    adjusted = AdjustedCloses({FRIDAY: 26.0, MONDAY: 26.5}, TUESDAY)
    fresh = LastPrices(two_days())
    row = bars | {
        "latestTrade": {"t": published, "p": 26.5, "s": 1, "x": "V", "z": "B", "c": ["T"]}
    }
    found = fresh.on_snapshot("SPY", rest_snapshot(row), night // US, adjusted)
    assert found is not None
    assert (found.price, found.previous_close, found.change) == (26.5, 26.0, 0.5)


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
