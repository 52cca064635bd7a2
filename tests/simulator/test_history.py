"""The bars from before the tape: recorded, and invented ones that lead to the first trade."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocol import rfc3339
from simulator.protocol.wire import Message
from simulator.tape.history import INVENTED_DAYS, Anchor, History
from simulator.tape.hours import AlwaysOpen, NyseHours, midnight
from simulator.tape.invention import Shape, minutes_of
from simulator.tape.market import Market
from simulator.tape.recording import SHIPPED, DailyBar, read_tape

MINUTE = 60 * rfc3339.SECOND
NOW = rfc3339.parse("2026-11-23T15:31:00Z")  # a Monday, 10:31 in New York
TODAY = rfc3339.parse("2026-11-23T05:00:00Z")
FRIDAY = rfc3339.parse("2026-11-20T05:00:00Z")
ANCHOR = Anchor(TODAY, NOW, 50.0)
RECORDED = DailyBar(48.0, 52.0, 47.0, 51.0, 400_000)


def invented(hours: Any = None, **given: Any) -> History:
    return History(hours or NyseHours(), is_invented=True, **given)


def minutes(history: History, start: int, end: int = NOW) -> list[Any]:
    return list(history.minutes("SPY", ANCHOR, start, end))


def number(bar: Message, name: str) -> float:
    value = bar[name]
    assert isinstance(value, int | float)
    return value


def assert_sound(bar: Message) -> None:
    low, high = number(bar, "l"), number(bar, "h")
    assert 0 < low <= min(number(bar, "o"), number(bar, "c"))
    assert max(number(bar, "o"), number(bar, "c")) <= high
    assert low <= number(bar, "vw") <= high
    assert number(bar, "v") > 0
    assert number(bar, "n") > 0


def test_without_invention_there_is_only_what_was_recorded() -> None:
    history = History(NyseHours())
    assert history.days("SPY", ANCHOR) == []
    history.record("SPY", [RECORDED])

    [bar] = history.days("SPY", ANCHOR)
    assert bar == {"t": FRIDAY, "o": 48.0, "h": 52.0, "l": 47.0, "c": 51.0, "v": 400_000}
    assert minutes(history, FRIDAY) == []
    assert history.newest_minute("SPY", ANCHOR) is None


def test_the_days_before_are_trading_days_that_continue_each_other() -> None:
    history = invented()
    history.record("SPY", [RECORDED])
    days = history.days("SPY", ANCHOR)

    assert len(days) == INVENTED_DAYS >= 250
    starts = [int(number(bar, "t")) for bar in days]
    assert starts[0] == FRIDAY
    assert starts == sorted(set(starts), reverse=True)
    assert all(midnight(start) == start for start in starts)
    for bar, before in pairwise(days):
        assert_sound(before)
        assert number(before, "c") == pytest.approx(number(bar, "o"), rel=0.02)


def test_the_last_day_leads_to_the_first_price() -> None:
    [day] = invented().days("SPY", ANCHOR, 1)

    assert number(day, "c") == pytest.approx(50.0, rel=0.02)


def test_on_the_day_of_a_split_the_days_before_have_the_old_scale() -> None:
    history = invented(splits={"SPY": 4.0})
    [day] = history.days("SPY", ANCHOR, 1)

    assert number(day, "c") == pytest.approx(200.0, rel=0.02)
    first, *_, last = minutes(history, TODAY)
    assert first["o"] == pytest.approx(50.0, rel=0.03)
    assert last["c"] == 50.0


def test_the_same_dates_have_the_same_bars_in_whatever_order_they_are_asked_for() -> None:
    one, other = invented(), invented()

    few = one.days("SPY", ANCHOR, 3)
    assert minutes(one, FRIDAY) == minutes(other, FRIDAY)
    assert other.days("SPY", ANCHOR)[:3] == few
    assert one.days("SPY", ANCHOR) == other.days("SPY", ANCHOR)
    assert one.days("AIG", ANCHOR) != one.days("SPY", ANCHOR)


@pytest.mark.parametrize("hours", [NyseHours(), AlwaysOpen()])
def test_the_minutes_of_a_day_are_that_day(hours: Any) -> None:
    history = invented(hours)
    day = history.days("SPY", ANCHOR, 3)[2]
    start = int(number(day, "t"))
    found = minutes(history, start, start + 24 * 60 * MINUTE)

    assert len(found) == (390 if isinstance(hours, NyseHours) else 1439)
    assert found[0]["t"] == start + (570 * MINUTE if isinstance(hours, NyseHours) else 0)
    assert (found[0]["o"], found[-1]["c"]) == (day["o"], day["c"])
    assert (max(bar["h"] for bar in found), min(bar["l"] for bar in found)) == (day["h"], day["l"])
    assert sum(bar["v"] for bar in found) == day["v"]
    for bar, following in pairwise(found):
        assert_sound(bar)
        assert following["t"] == bar["t"] + MINUTE


def test_todays_minutes_lead_from_the_opening_to_the_first_price() -> None:
    found = minutes(invented(), TODAY)

    assert [bar["t"] for bar in found] == list(range(NOW - 61 * MINUTE, NOW, MINUTE))
    assert found[-1]["c"] == 50.0


def test_a_span_has_the_minutes_that_start_in_it() -> None:
    history = invented()
    whole = minutes(history, FRIDAY)

    for start, end in ((FRIDAY, NOW - 7 * MINUTE), (NOW - 45 * MINUTE, NOW + MINUTE), (NOW, NOW)):
        assert minutes(history, start, end) == [bar for bar in whole if start <= bar["t"] < end]


def test_a_symbol_that_has_no_price_has_no_history() -> None:
    history = invented()

    assert history.days("SPY", Anchor(TODAY, NOW, None)) == []
    assert list(history.minutes("SPY", Anchor(TODAY, NOW, None), FRIDAY, NOW)) == []
    assert history.newest_minute("SPY", Anchor(TODAY, None, None)) is None


def test_the_newest_minute_is_that_before_the_first_trade() -> None:
    history = invented()
    early = Anchor(TODAY, TODAY + 9 * 60 * MINUTE, 50.0)

    assert history.newest_minute("SPY", ANCHOR) == minutes(history, FRIDAY)[-1]
    newest = history.newest_minute("SPY", early)
    assert newest is not None
    assert newest["t"] == rfc3339.parse("2026-11-20T20:59:00Z")


@pytest.mark.parametrize(
    ("now", "first"),
    [
        ("2026-11-23T15:31:00Z", "2026-11-20T09:00:00Z"),
        ("2026-11-02T15:31:00Z", "2026-10-30T08:00:00Z"),
    ],
)
def test_recorded_minutes_keep_the_time_of_new_yorks_clock(now: str, first: str) -> None:
    tape = read_tape(SHIPPED)
    history = invented()
    for symbol, bars in tape.minutes.items():
        history.record(symbol, [tape.sidecar.previous_daily_bars[symbol]], bars)
    at = rfc3339.parse(now)
    anchor = Anchor(midnight(at), at, 167.41)
    [day] = history.days("SPY", anchor, 1)
    start = int(number(day, "t"))
    found = list(history.minutes("SPY", anchor, start, start + 24 * 60 * MINUTE))

    assert history.recorded_minutes() == 2309
    assert history.recorded_days() == 4
    assert len(found) == 828
    assert rfc3339.render(int(number(found[0], "t"))) == first
    opening = start + 570 * MINUTE
    regular = [bar for bar in found if opening <= int(number(bar, "t")) < opening + 390 * MINUTE]
    assert len(regular) == 390
    assert sum(number(bar, "v") for bar in regular) == day["v"]
    assert max(number(bar, "h") for bar in regular) == day["h"]


@given(st.integers(1, 400), st.integers(1, 100_000), st.floats(0.02, 900), st.floats(-0.05, 0.05))
def test_any_day_is_divided_without_a_rest(
    count: int, volume: int, price: float, move: float
) -> None:
    first, last = round(price, 2), round(price * (1 + move), 2)
    day = Shape(first, max(first, last) + 0.02, min(first, last), last, volume)
    parts = [part for part in minutes_of("seed", day, count) if part is not None]

    assert sum(part.volume for part in parts) == max(volume, 2)
    assert (parts[0].open, parts[-1].close) == (first, last)
    assert max(part.high for part in parts) == day.high
    assert min(part.low for part in parts) == day.low


def test_a_trade_stands_for_the_invented_bar_of_its_minute() -> None:
    market = Market(NyseHours(), invented())
    trade = {"T": "t", "S": "SPY", "p": 50.0, "s": 3}
    market.observe({**trade, "i": 1, "t": NOW + 1})
    late = NOW - 10 * MINUTE
    market.observe({**trade, "i": 2, "t": late})

    found = list(market.minutes("SPY", TODAY, NOW + 5 * MINUTE, NOW + 5 * MINUTE))
    starts = [bar["t"] for bar in found]
    assert starts == list(range(NOW - 61 * MINUTE, NOW + MINUTE, MINUTE))
    assert [bar["v"] for bar in found if bar["t"] in (late, NOW)] == [3, 3]
