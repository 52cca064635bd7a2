"""The bars of pairs: from trades, or from the mid-points of quotes, every minute of every day."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest

from simulator.crypto.pair_market import AroundTheClock, PairMarket
from simulator.faults.armed import ArmedFaults
from simulator.protocol import rfc3339
from simulator.protocol.wire import Message, Outgoing
from simulator.rest.bar_pages import bars_in
from simulator.rest.historical import Window
from simulator.rest.timeframe import read_timeframe
from simulator.tape.bar_schedule import BarSchedule
from simulator.tape.history import INVENTED_DAYS

SECOND = rfc3339.SECOND
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
NOON = rfc3339.parse("2026-11-23T18:00:00Z")  # in Chicago
TODAY = rfc3339.parse("2026-11-23T06:00:00Z")
PAIR = "BTC/USD"


def market(*, is_invented: bool = False) -> PairMarket:
    return PairMarket(is_invented=is_invented)


def quote(made: PairMarket, second: float, bid: Any, ask: Any, pair: str = PAIR) -> None:
    at = NOON + round(second * SECOND)
    sides = {"bp": bid, "bs": 1, "ap": ask, "as": 1}
    made.observe({"T": "q", "S": pair, **sides, "t": at})


def trade(made: PairMarket, second: float, price: float, size: float, pair: str = PAIR) -> None:
    at = NOON + round(second * SECOND)
    made.observe({"T": "t", "S": pair, "p": price, "s": size, "i": 1, "tks": "B", "t": at})


def values(bar: Message | None) -> list[object]:
    """Return open, high, low, close, volume, number of trades and mean price."""
    assert bar is not None
    return [bar[name] for name in ("o", "h", "l", "c", "v", "n", "vw")]


def minute(made: PairMarket, number: int, pair: str = PAIR) -> list[object]:
    bar = made.minute(pair, NOON + number * MINUTE)
    assert bar is not None
    assert bar["t"] == NOON + number * MINUTE
    return values(bar)


def chart(made: PairMarket, timeframe: str, start: int, end: int, now: int) -> list[Message]:
    frame = read_timeframe(timeframe, made.zone)
    window = Window(start, end, 10_000, is_descending=False)
    return [bar for batch in bars_in(made, PAIR, frame, window, now) for bar in batch]


def test_a_minute_with_trades_is_made_of_them_alone() -> None:
    made = market()
    quote(made, 0, 90, 110)
    trade(made, 1, 101, 0.1)
    trade(made, 2, 99, 0.2)
    quote(made, 3, 200, 220)

    assert minute(made, 0) == [101, 101, 99, 99, 0.3, 2, pytest.approx(99.666667)]


def test_a_minute_with_no_trade_is_made_of_the_mid_points_that_held_in_it() -> None:
    made = market()
    quote(made, 0, 90, 110)
    quote(made, 61, 100, 104)
    quote(made, 70, 94, 98)

    assert minute(made, 0) == [100, 100, 100, 100, 0, 0, 0]
    assert minute(made, 1) == [100, 102, 96, 96, 0, 0, 0]


def test_a_quote_of_the_minutes_first_moment_leaves_nothing_of_the_one_before() -> None:
    made = market()
    quote(made, 0, 90, 110)
    quote(made, 60, 100, 104)

    assert minute(made, 1) == [102, 102, 102, 102, 0, 0, 0]


def test_no_minute_is_missing_however_long_nothing_is_quoted() -> None:
    made = market()
    quote(made, 30, 90, 110)
    quote(made, 10 * 60 + 1, 100, 104)
    now = NOON + 20 * MINUTE
    bars = list(made.minutes(PAIR, 0, now, now))

    assert [bar["t"] for bar in bars] == [NOON + at * MINUTE for at in range(20)]
    assert [bar["c"] for bar in bars] == [100] * 10 + [102] * 10
    assert made.newest_minute(PAIR, now) == bars[-1]
    assert made.minute(PAIR, NOON - MINUTE) is None
    assert made.minute("ETH/USD", NOON) is None


@pytest.mark.parametrize(
    ("bid", "ask"),
    [(None, 100), ("90", 100), (0, 100), (90, 0), (float("nan"), 100), (-1, 100), ([], {})],
)
def test_a_quote_that_lacks_a_side_moves_no_bar(bid: Any, ask: Any) -> None:
    made = market()
    quote(made, 1, bid, ask)
    assert made.newest_minute(PAIR, NOON + HOUR) is None
    quote(made, 1, 90, 110)
    quote(made, 2, bid, ask)

    assert minute(made, 0) == [100, 100, 100, 100, 0, 0, 0]


def test_a_quote_older_than_the_newest_moves_no_bar() -> None:
    made = market()
    quote(made, 61, 90, 110)
    quote(made, 1, 100, 104)

    assert made.minute(PAIR, NOON) is None
    assert minute(made, 1) == [100, 100, 100, 100, 0, 0, 0]


def test_a_late_trade_replaces_the_mid_points_of_its_minute() -> None:
    made = market()
    quote(made, 0, 90, 110)
    quote(made, 200, 90, 110)
    trade(made, 61, 99.5, 2)

    assert minute(made, 1) == [99.5, 99.5, 99.5, 99.5, 2, 1, 99.5]


def test_a_minute_published_by_hand_stands() -> None:
    made = market()
    quote(made, 0, 90, 110)
    given = {"o": 1, "h": 2, "l": 1, "c": 2, "v": 1e-12, "n": 1, "vw": 1.5}
    made.observe({"T": "b", "S": PAIR, "t": NOON, **given})

    assert made.minute(PAIR, NOON) == {"t": NOON, **given}
    assert made.is_given(PAIR, NOON)


def test_volumes_and_means_keep_the_digits_of_small_prices() -> None:
    made = market()
    for _ in range(10):
        trade(made, 1, 0.00001523, 0.1)
    trade(made, 2, 0.00001525, 1)

    assert minute(made, 0)[4:] == [2, 11, 0.00001524]


def test_a_day_starts_at_midnight_in_chicago() -> None:
    made = market()
    before, after = -12 * 3600 - 1, -12 * 3600
    trade(made, before, 90, 1)
    trade(made, after, 100, 2)
    trade(made, 0, 110, 2)

    today = made.day(PAIR, TODAY)
    assert values(today) == [100, 110, 100, 110, 4, 2, 105]
    assert [bar["t"] for bar in made.daily_bars(PAIR, NOON)] == [TODAY - 24 * HOUR, TODAY]
    assert made.previous_close(PAIR, NOON) == 90
    snapshot: Any = made.snapshot(PAIR, NOON)
    assert (snapshot["dailyBar"]["t"], snapshot["prevDailyBar"]["c"]) == (
        "2026-11-23T06:00:00Z",
        90,
    )


def test_a_day_with_no_trade_is_made_of_mid_points_even_if_nothing_is_quoted() -> None:
    made = market()
    quote(made, -60 * 3600, 90, 110)
    quote(made, 0, 100, 104)

    days = made.daily_bars(PAIR, NOON)
    assert [bar["t"] for bar in days] == [TODAY - day * 24 * HOUR for day in (2, 1, 0)]
    assert [values(bar)[3:5] for bar in days] == [[100, 0], [100, 0], [102, 0]]
    assert values(made.day(PAIR, TODAY)) == [100, 102, 100, 102, 0, 0, 0]
    assert values(made.day(PAIR, TODAY + 24 * HOUR)) == [102, 102, 102, 102, 0, 0, 0]


def test_larger_bars_are_folds_of_minutes_with_and_with_no_trades() -> None:
    made = market()
    quote(made, 0, 90, 110)
    trade(made, 61, 103, 2)
    trade(made, 125, 101, 6)
    quote(made, 190, 96, 98)
    quote(made, 330, 70, 80)

    [five] = chart(made, "5Min", NOON, NOON + MINUTE, NOON + 5 * MINUTE)
    assert values(five) == [100, 103, 97, 97, 8, 2, 101.5]
    [idle] = chart(made, "1Hour", NOON + HOUR, NOON + HOUR, NOON + 3 * HOUR)
    assert values(idle) == [75, 75, 75, 75, 0, 0, 0]


def test_a_bar_from_long_ago_is_the_newest_if_nothing_is_quoted() -> None:
    made = market()
    given = {"o": 1, "h": 2, "l": 1, "c": 2, "v": 1, "n": 1, "vw": 1.5}
    made.observe({"T": "b", "S": PAIR, "t": 0, **given})

    assert made.newest_minute(PAIR, NOON) == {"t": 0, **given}


async def sent_until(made: PairMarket, end: int, *daily: str) -> list[Message]:
    """Return the bars that are sent after NOON's minute, by a clock that moves."""
    now = NOON
    sent: list[Message] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += round(seconds * SECOND)
        if now > end:
            raise asyncio.CancelledError

    def publish(messages: Sequence[Outgoing]) -> None:
        if now >= NOON + MINUTE:  # before, there is the day, whose values are there already
            sent.extend(each.message for each in messages)

    armed = ArmedFaults(lambda: 0.0)
    schedule = BarSchedule(made, AroundTheClock(), armed, publish, lambda _: daily)
    with suppress(asyncio.CancelledError):
        await schedule.run(lambda: now, sleep)
    return sent


async def test_each_minute_mark_sends_the_bars_of_all_pairs_and_the_wanted_days() -> None:
    made = market()
    quote(made, 1, 90, 110)
    trade(made, 2, 99, 0.5, "ETH/USD")
    quote(made, 3, 9, 11, "ETH/USD")
    sent = await sent_until(made, NOON + 3 * MINUTE, "ETH/USD")

    found = [(each["T"], each["S"], each["c"], each["v"]) for each in sent]
    first = [("b", PAIR, 100, 0), ("b", "ETH/USD", 99, 0.5), ("d", "ETH/USD", 99, 0.5)]
    later = [("b", PAIR, 100, 0), ("b", "ETH/USD", 10, 0), ("d", "ETH/USD", 99, 0.5)]
    assert sorted(found[:3]) == sorted(first)
    assert sorted(found[3:]) == sorted(later)
    assert [each["t"] for each in sent if each["T"] == "d"] == [TODAY, TODAY]


async def test_the_day_that_ends_at_midnight_in_chicago_is_sent_a_last_time() -> None:
    made = market()
    quote(made, 1, 90, 110)
    midnight = TODAY + 24 * HOUR
    sent = await sent_until(made, midnight + 2 * MINUTE, PAIR)

    days = [each["t"] for each in sent if each["T"] == "d"]
    assert days == [TODAY] * 720 + [midnight]
    assert [each["t"] for each in sent if each["T"] == "b"] == [
        NOON + at * MINUTE for at in range(721)
    ]


def test_the_first_price_fills_the_minute_in_which_the_tape_begins() -> None:
    made = market()
    made.expect([PAIR], {})
    made.expect_trades({PAIR: 100.0}, NOON + 59 * SECOND)
    quote(made, 61, 100, 104)

    assert minute(made, 0) == [100, 100, 100, 100, 0, 0, 0]
    assert minute(made, 1) == [100, 102, 100, 102, 0, 0, 0]


@pytest.mark.parametrize("price", [24100.5, 58.4367, 0.6162, 0.00001523])
def test_before_the_tape_every_minute_has_an_invented_bar(price: float) -> None:
    made = market(is_invented=True)
    made.expect_trades({PAIR: price}, NOON + 5 * SECOND)
    start = NOON - 50 * HOUR
    bars = chart(made, "1Min", start, NOON, NOON + MINUTE)

    assert [bar["t"] for bar in bars] == list(range(start, NOON + 1, MINUTE))
    for before, after in pairwise(bars):
        close, opening = before["c"], after["o"]
        assert isinstance(close, float)
        assert isinstance(opening, float)
        assert opening == pytest.approx(close, rel=0.02)
    assert bars[-1]["c"] == price
    assert len({bar["c"] for bar in bars}) > 20, "the digits of a small price suffice to move"


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25)])
def test_a_day_on_which_the_clocks_change_has_all_its_minutes(day: str, hours: int) -> None:
    made = market(is_invented=True)
    made.expect_trades({PAIR: 100.0}, NOON)
    start = made.midnight(rfc3339.parse(f"{day}T12:00:00Z"))
    end = made.midnight(start + 30 * HOUR)
    bars = chart(made, "1Min", start, end - 1, NOON)

    assert end - start == hours * HOUR
    assert [bar["t"] for bar in bars] == list(range(start, end, MINUTE))
    [whole] = chart(made, "1Day", start, start, NOON)
    assert whole["t"] == start
    assert (max(bar["h"] for bar in bars), min(bar["l"] for bar in bars)) == (  # type: ignore[type-var]
        whole["h"],
        whole["l"],
    )


def test_invented_days_are_all_days_and_end_at_the_first_price() -> None:
    made = market(is_invented=True)
    made.expect_trades({PAIR: 0.0005}, NOON)
    days = made.daily_bars(PAIR, NOON)
    starts = [int(str(bar["t"])) for bar in days]

    assert len(days) == INVENTED_DAYS + 1
    assert starts[-1] == TODAY
    assert all(made.midnight(start) == start for start in starts)
    assert all(23 * HOUR <= later - one <= 25 * HOUR for one, later in pairwise(starts))
    assert days[-2]["c"] == pytest.approx(0.0005, rel=0.02)


def test_an_idle_invented_minute_has_a_bar_with_no_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.tape.invention._MEDIAN_VOLUME", 100)
    made = market(is_invented=True)
    made.expect_trades({PAIR: 100.0}, NOON)
    start = NOON - 30 * HOUR
    bars = chart(made, "1Min", start, NOON, NOON)
    hours = chart(made, "1Hour", start, NOON, NOON)

    assert [bar["t"] for bar in bars] == list(range(start, NOON, MINUTE))
    idle = [values(bar) for bar in bars if not bar["v"]]
    assert idle
    assert all(bar[4:] == [0, 0, 0] for bar in idle)
    assert [bar["t"] for bar in hours] == list(range(start, NOON, HOUR))
    assert [bar["v"] for bar in hours] == [
        sum(int(str(bar["v"])) for bar in bars[at : at + 60]) for at in range(0, len(bars), 60)
    ]
