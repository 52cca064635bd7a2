"""Larger bars: folded from the minutes that are known in full, and revised with them."""

import pytest

from ingest.bars.bar_changes import MinutesNeed
from ingest.bars.timeframes import FOLDED, Timeframe
from tests.ingest.bars.streamed import MINUTE, SECOND, Streamed, bar
from tests.ingest.trades import NOON, ns

HALF_DAY = ns("2026-11-27T12:50:00-05:00")


def fed(timeframe: Timeframe, start: int, minutes: dict[int, float]) -> Streamed:
    """Return a stream that charts one timeframe, with bars of these minutes after a start."""
    stream = Streamed(timeframe, now=start, trades=False)
    answer(stream)
    for number, close in sorted(minutes.items()):
        stream.at(60 * (number + 1) + 0.7, start).bar(start + number * MINUTE, close, 100)
    return stream


def answer(stream: Streamed) -> None:
    """Answer that REST has no minute of those that are asked for."""
    for need in stream.taken(MinutesNeed):
        stream.table.repair(need, [], stream.now)
    stream.take()


def test_minutes_fold_into_one_bar() -> None:
    stream = Streamed("5Min", trades=False)
    answer(stream)
    stream.at(60.7).bar(NOON, 10, 100, open=11, high=14, low=9, trade_count=2, vwap=10)
    stream.at(180.7).bar(NOON + 2 * MINUTE, 20, 300, high=21, low=8, trade_count=5, vwap=20)

    assert stream.newest("5Min").running
    assert stream.newest("5Min").bar == bar(
        NOON, 20, 400, open=11, high=21, low=8, trade_count=7, vwap=17.5
    )


def test_a_bar_ends_with_its_last_minute_and_is_final_when_no_revision_is_expected() -> None:
    stream = fed("5Min", NOON, {0: 100, 4: 104})
    assert [(each.final, each.revision) for each in stream.ended("5Min")] == [(False, 0)]

    stream.at(334.9)
    assert len(stream.ended("5Min")) == 1
    stream.at(335)
    assert [(each.final, each.revision) for each in stream.ended("5Min")] == [(False, 0), (True, 1)]


def test_a_bar_whose_last_minute_is_empty_ends_three_seconds_later() -> None:
    stream = fed("5Min", NOON, {0: 100})
    stream.at(302.9)
    assert stream.ended("5Min") == []
    stream.at(303)

    assert not stream.newest("5Min").running


def test_a_revised_minute_revises_the_bar_also_after_it_was_final() -> None:
    stream = fed("5Min", NOON, {0: 100, 2: 150, 4: 104})
    stream.at(330).bar(NOON + 4 * MINUTE, 104, 200)
    stream.at(340)
    stream.at(400).bar(NOON + 2 * MINUTE, 102, 100)

    assert [
        (each.bar.high, each.bar.volume, each.final, each.revision) for each in stream.ended("5Min")
    ] == [(150, 300, False, 0), (150, 400, False, 1), (150, 400, True, 2), (104, 400, True, 3)]


@pytest.mark.parametrize("timeframe", ["5Min", "15Min", "1Hour"])
def test_empty_minutes_and_empty_bars_make_nothing(timeframe: Timeframe) -> None:
    stream = fed(timeframe, NOON, {})
    stream.at(2 * 3600)

    assert stream.events(timeframe) == []


def test_prints_move_the_running_larger_bars_too() -> None:
    stream = Streamed("5Min", "15Min", "1Hour", now=NOON)
    answer(stream)
    stream.at(1).trade(NOON + SECOND, 100, number=1, size=10)
    stream.at(60.7).bar(NOON, 100, 10, trade_count=1)
    stream.at(61).trade(NOON + 61 * SECOND, 103, number=2, size=30)

    for timeframe in FOLDED:
        newest = stream.newest(timeframe)
        assert newest.running
        assert newest.bar == bar(
            NOON, 103, 40, open=100, high=103, low=100, trade_count=2, vwap=102.25
        )


def test_a_larger_bar_that_began_before_is_shown_when_rest_has_given_its_minutes() -> None:
    start = NOON + 32 * MINUTE
    stream = Streamed("1Hour", now=start)
    stream.at(1, start).trade(start + SECOND, 100, number=1)
    assert stream.events("1Hour") == []

    [need] = stream.taken(MinutesNeed)
    assert (need.begin_ns, need.end_ns) == (NOON, start)
    stream.table.repair(need, [bar(NOON + 5 * MINUTE, 90, 50)], stream.now)
    stream.take()

    newest = stream.newest("1Hour")
    assert (newest.bar.at_ns, newest.bar.open, newest.bar.close) == (NOON, 90, 100)
    assert newest.bar.volume == 150
    assert not newest.partial


def test_if_rest_cannot_give_them_the_bar_is_shown_as_partial() -> None:
    start = NOON + 2 * MINUTE
    stream = Streamed("5Min", now=start)
    stream.trade(start, 100)
    for need in stream.taken(MinutesNeed):
        stream.table.give_up(need)
    stream.take()

    assert stream.newest("5Min").partial


def test_a_hole_in_the_stream_holds_a_bar_back_until_rest_has_filled_it() -> None:
    stream = fed("5Min", NOON, {0: 100})
    stream.at(100)
    stream.lose()
    stream.at(290).subscribe()
    stream.at(300.7).bar(NOON + 4 * MINUTE, 104, 100)
    stream.at(310)
    assert stream.ended("5Min") == []

    [need] = stream.taken(MinutesNeed)
    stream.table.repair(need, [bar(NOON, 100, 100), bar(NOON + 2 * MINUTE, 90, 100)], stream.now)
    stream.take()
    assert (stream.newest("5Min").bar.low, stream.newest("5Min").bar.volume) == (90, 300)


@pytest.mark.parametrize(
    ("timeframe", "minute", "start"),
    [
        # The hour of the opening has the half hour of the pre-market.
        ("1Hour", "2026-11-16T09:29:00-05:00", "2026-11-16T09:00:00-05:00"),
        ("1Hour", "2026-11-16T09:30:00-05:00", "2026-11-16T09:00:00-05:00"),
        ("15Min", "2026-11-16T09:30:00-05:00", "2026-11-16T09:30:00-05:00"),
        ("1Hour", "2026-11-16T15:59:00-05:00", "2026-11-16T15:00:00-05:00"),
        ("1Hour", "2026-11-16T16:00:00-05:00", "2026-11-16T16:00:00-05:00"),
        ("5Min", "2026-11-16T19:59:00-05:00", "2026-11-16T19:55:00-05:00"),
        # Half a day: the market closes at 13:00, trading after it ends at 17:00.
        ("1Hour", "2026-11-27T12:59:00-05:00", "2026-11-27T12:00:00-05:00"),
        ("1Hour", "2026-11-27T13:00:00-05:00", "2026-11-27T13:00:00-05:00"),
        # The days on which New York's clocks change, in spring and in autumn, by both clocks.
        ("1Hour", "2026-03-09T09:45:00-04:00", "2026-03-09T13:00:00Z"),
        ("1Hour", "2026-03-06T09:45:00-05:00", "2026-03-06T14:00:00Z"),
        ("1Hour", "2026-11-01T01:30:00-04:00", "2026-11-01T05:00:00Z"),
        ("1Hour", "2026-11-01T01:30:00-05:00", "2026-11-01T06:00:00Z"),
        ("1Hour", "2026-11-02T09:45:00-05:00", "2026-11-02T09:00:00-05:00"),
    ],
)
def test_bars_are_aligned_to_the_clock_in_all_sessions(
    timeframe: Timeframe, minute: str, start: str
) -> None:
    stream = fed(timeframe, ns(minute), {0: 100})

    assert stream.newest(timeframe).bar.at_ns == ns(start)


def test_on_half_a_day_the_last_bar_of_the_session_ends_as_any_other() -> None:
    stream = fed("1Hour", HALF_DAY, {0: 100, 9: 104, 10: 105})
    stream.at(90 * 60, HALF_DAY)

    assert [each.bar.close for each in stream.ended("1Hour") if each.final] == [104, 105]


def test_a_running_bar_ends_before_a_newer_one_runs() -> None:
    stream = Streamed("5Min")
    answer(stream)
    stream.trade(NOON + SECOND, 100, number=1)
    stream.at(60.7).bar(NOON, 100, 100)
    stream.at(300.1).trade(NOON + 5 * MINUTE, 101, number=2)

    ended, running = stream.events("5Min")[-2:]
    assert (ended.bar.at_ns, ended.running, ended.final) == (NOON, False, False)
    assert (running.bar.at_ns, running.running) == (NOON + 5 * MINUTE, True)
