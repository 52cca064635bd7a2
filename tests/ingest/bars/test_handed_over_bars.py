"""Bars stored by an earlier leader, and REST's history."""

from collections.abc import Iterable

from ingest.bars.bar_changes import BarChange, FillNeed, MinutesNeed
from ingest.bars.symbol_bars import Stored
from ingest.bars.timeframes import Timeframe
from ingest.market.bars import Bar
from tests.ingest.bars.streamed import MINUTE, SECOND, Streamed, bar
from tests.ingest.trades import NOON, ns, trade

TODAY = ns("2026-11-16T00:00:00-05:00")


def stored(changes: Iterable[BarChange]) -> list[Stored]:
    """Return the versions that Redis has after events: the newest of each ended bar."""
    newest = {each.bar.at_ns: each for each in changes if not each.running}
    return [Stored(each.bar, each.revision, each.final) for each in newest.values()]


def restored(*timeframes: Timeframe, before: Streamed, now: int) -> Streamed:
    """Return the stream of the next leader, which has read the bars of the one before."""
    after = Streamed(*timeframes, now=now, trades=False, bars=False)
    for timeframe in timeframes:
        after.restore(timeframe, stored(before.events(timeframe)))
    after.subscribe()
    return after


def answered(stream: Streamed, rows: Iterable[Bar]) -> None:
    """Answer the questions for minutes with those of the rows that they ask for."""
    for need in stream.taken(MinutesNeed):
        found = [row for row in rows if need.begin_ns <= row.at_ns < need.end_ns]
        stream.table.repair(need, found, stream.now)
    stream.take()


def test_a_hand_over_in_the_middle_of_a_minute_leaves_the_same_bars_and_no_event_twice() -> None:
    both: tuple[Timeframe, ...] = ("1Min", "5Min", "15Min", "1Hour")
    minutes = [bar(NOON + number * MINUTE, 100 + number, 50) for number in range(20)]
    whole, first = (Streamed(*both, trades=False) for _ in range(2))
    for stream in (whole, first):
        answered(stream, [])
    killed, taken_over = 11.5 * 60, 13.2 * 60
    for number, each in enumerate(minutes):
        at = 60 * (number + 1) + 0.7
        whole.at(at).table.on_bar(each, whole.now)
        if at < killed:
            first.at(at).table.on_bar(each, first.now)
    whole.at(20 * 60 + 40)
    first.at(killed)

    second = restored(*both, before=first, now=NOON + round(taken_over * SECOND))
    answered(second, minutes)
    for number, each in enumerate(minutes):
        if (at := 60 * (number + 1) + 0.7) > taken_over:
            second.at(at).table.on_bar(each, second.now)
    second.at(20 * 60 + 40)

    for timeframe in both:
        ended = first.final(timeframe) | second.final(timeframe)
        assert {start: each.bar for start, each in ended.items()} == {
            start: each.bar for start, each in whole.final(timeframe).items()
        }
        events = [*first.ended(timeframe), *second.ended(timeframe)]
        versions = [(each.bar.at_ns, each.revision) for each in events]
        assert len(versions) == len(set(versions))
        assert len(events) == len(whole.ended(timeframe))


def test_a_minute_that_ended_between_two_leaders_is_an_event() -> None:
    first = Streamed(trades=False)
    first.at(60.7).bar(NOON, 100)
    second = restored("1Min", before=first, now=NOON + 200 * SECOND)
    answered(second, [bar(NOON, 100), bar(NOON + MINUTE, 101), bar(NOON + 2 * MINUTE, 102)])

    assert [(each.bar.close, each.revision) for each in second.events()] == [(101, 0), (102, 0)]


def test_a_revision_that_came_between_two_leaders_has_the_next_number() -> None:
    first = Streamed(trades=False)
    first.at(60.7).bar(NOON, 100)
    first.at(90).bar(NOON, 101)
    second = restored("1Min", before=first, now=NOON + 100 * SECOND)
    answered(second, [bar(NOON, 102)])

    assert [(each.bar.close, each.revision, each.final) for each in second.events()] == [
        (102, 2, True)
    ]


def test_a_bar_that_an_earlier_leader_left_unfinished_becomes_final() -> None:
    first = Streamed()
    first.trade(NOON + SECOND, 100)
    first.at(63)
    assert not first.newest().final
    second = restored("1Min", before=first, now=NOON + 70 * SECOND)
    answered(second, [])

    assert [(each.revision, each.final, each.bar) for each in second.events()] == [
        (1, True, first.newest().bar)
    ]


def test_rest_s_history_is_stored_and_no_event() -> None:
    stream = Streamed("1Min", "5Min", now=NOON + 11 * MINUTE + 20 * SECOND)
    assert set(stream.taken(FillNeed)) == {FillNeed("SPY", "1Min"), FillNeed("SPY", "5Min")}
    rows = [bar(NOON + number * MINUTE, 100 + number) for number in range(12)]
    filled = stream.fill("1Min", reversed(rows))
    assert [row.bar for row in filled.rows] == rows[:11]
    assert all(row.final and row.revision == 0 for row in filled.rows)
    assert not filled.replaces

    # The span from 12:10 on runs; the bars of those before are stored.
    spans = [bar(NOON + number * 5 * MINUTE, 100) for number in range(3)]
    filled = stream.fill("5Min", spans)
    assert [row.bar for row in filled.rows] == spans[:2]
    stream.take()
    assert stream.events("1Min") == stream.events("5Min") == []


def test_a_revision_of_a_bar_of_the_history_has_the_next_number() -> None:
    stream = Streamed(now=NOON + 70 * SECOND)
    stream.fill("1Min", [bar(NOON, 100)])
    stream.at(90).bar(NOON, 101)

    assert [(each.revision, each.final, each.late) for each in stream.events()] == [
        (1, True, False)
    ]


def test_a_bar_that_an_event_has_brought_is_no_row_to_store() -> None:
    stream = Streamed(now=NOON + 70 * SECOND)
    stream.at(90).bar(NOON, 101)
    filled = stream.fill("1Min", [bar(NOON, 100)])

    assert filled.rows == []
    assert stream.newest().bar.close == 101


def test_minutes_that_rest_repairs_are_not_filled_silently() -> None:
    first = Streamed(trades=False)
    first.at(60.7).bar(NOON, 100)
    second = restored("1Min", before=first, now=NOON + 200 * SECOND)
    rows = [bar(NOON + number * MINUTE, 100 + number) for number in range(3)]
    filled = second.fill("1Min", rows)
    second.take()
    answered(second, rows)

    assert filled.rows == []
    assert [each.bar.close for each in second.events()] == [101, 102]


def test_yesterday_s_bars_are_stored_and_today_s_is_not_while_it_runs() -> None:
    stream = Streamed("1Day")
    yesterday = bar(ns("2026-11-13T00:00:00-05:00"), 99)
    filled = stream.fill("1Day", [yesterday, bar(TODAY, 100)])
    assert [row.bar for row in filled.rows] == [yesterday]

    stream.now = ns("2026-11-16T21:00:00-05:00")
    filled = stream.fill("1Day", [yesterday, bar(TODAY, 100)])
    assert [row.bar for row in filled.rows] == [bar(TODAY, 100)]


def test_a_timeframe_that_is_watched_later_gets_its_history_and_the_minutes_of_its_open_bar() -> (
    None
):
    stream = Streamed("1Min", now=NOON + 20 * MINUTE)
    stream.needs.clear()
    stream.table.watch("SPY", ("1Min", "1Hour"), stream.now)
    stream.take()

    assert stream.taken(FillNeed) == [FillNeed("SPY", "1Hour")]
    [need] = stream.taken(MinutesNeed)
    assert (need.begin_ns, need.end_ns) == (NOON, NOON + 20 * MINUTE)
    stream.table.repair(need, [bar(NOON, 90, 50)], stream.now)
    stream.take()
    assert stream.newest("1Hour").bar.volume == 50
    # The minutes before are history to the chart of minutes, which was there.
    assert stream.events("1Min") == []


def test_a_timeframe_that_is_watched_no_longer_changes_no_more() -> None:
    stream = Streamed("1Min", "5Min")
    stream.table.watch("SPY", ("5Min",), stream.now)
    stream.table.on_trade(trade(), NOON, stream.now)
    stream.take()

    assert stream.events("1Min") == []
