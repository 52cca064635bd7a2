"""Minute bars: from prints while they run, then the vendor's, and REST's where that is missing."""

from typing import Any

import pytest

from ingest.bars.bar_changes import BarChange, MinutesNeed, TradesNeed
from ingest.bars.bar_events import bar_event
from tests.ingest.bars.streamed import MINUTE, SECOND, Streamed, bar, closes
from tests.ingest.trades import NOON, cancel_of, correction_of, trade


def marks(change: BarChange) -> tuple[int, bool, bool, bool]:
    """Return revision, final, running and late of a version."""
    return change.revision, change.final, change.running, change.late


def test_prints_make_a_running_bar_that_the_vendor_s_replaces() -> None:
    stream = Streamed()
    stream.trade(NOON + SECOND, 100, number=1, size=10)
    stream.at(2).trade(NOON + 2 * SECOND, 102, number=2, size=30)

    running = stream.newest()
    assert marks(running) == (0, False, True, False)
    assert running.bar == bar(NOON, 102, 40, open=100, high=102, low=100, trade_count=2, vwap=101.5)

    vendor = stream.at(60.7).bar(NOON, 102.5)

    assert stream.newest().bar == vendor
    assert [marks(each) for each in stream.ended()] == [(0, True, False, False)]


def test_minutes_that_a_living_stream_may_have_lost_are_asked_for_and_marked() -> None:
    stream = Streamed()
    stream.at(70).bar(NOON, 100)
    stream.trade(NOON + 70 * SECOND, 101, number=1)
    stream.at(130).trade(NOON + 130 * SECOND, 102, number=2)
    stream.taken(MinutesNeed)
    stream.table.on_missed("SPY", NOON + 65 * SECOND, stream.now)
    stream.take()

    [need] = stream.taken(MinutesNeed)
    assert (need.begin_ns, need.end_ns) == (NOON, NOON + 2 * MINUTE), "its revision may be lost"
    stream.trade(NOON + 131 * SECOND, 103, number=3)
    assert stream.newest().partial
    stream.table.repair(need, [bar(NOON + MINUTE, 105)], stream.now)
    stream.at(180.7).bar(NOON + 2 * MINUTE, 104)
    assert not stream.newest().partial
    assert stream.final()[NOON + MINUTE].bar.close == 105


def test_what_a_stream_had_lost_before_its_end_is_asked_for_with_the_rest() -> None:
    stream = Streamed()
    stream.at(300)
    stream.lose()
    stream.table.on_missed("SPY", NOON + 61 * SECOND, stream.now)
    stream.at(310).subscribe()

    spans = [(need.begin_ns, need.end_ns) for need in stream.taken(MinutesNeed)]
    assert spans == [(NOON, NOON + 5 * MINUTE)]


def test_an_unchanged_running_bar_is_not_shown_again() -> None:
    stream = Streamed()
    stream.trade()
    shown = len(stream.events())
    stream.at(30)

    assert len(stream.events()) == shown


def test_each_revision_of_the_vendor_s_has_the_next_number() -> None:
    stream = Streamed()
    stream.at(60.7).bar(NOON, 100)
    stream.at(90).bar(NOON, 101)
    stream.at(120).bar(NOON, 99)

    assert closes(stream.ended()) == [100, 101, 99]
    assert [marks(each)[:2] for each in stream.ended()] == [(0, True), (1, True), (2, True)]


def test_the_same_bar_twice_is_one_event() -> None:
    stream = Streamed()
    stream.at(60.7).bar(NOON)
    stream.at(90).bar(NOON)

    assert len(stream.events()) == 1


def test_a_print_of_a_minute_that_has_the_vendor_s_bar_does_not_touch_it() -> None:
    stream = Streamed()
    stream.trade(NOON + SECOND, 100)
    vendor = stream.at(60.7).bar(NOON, 100)
    stream.at(61).trade(NOON + 59 * SECOND, 150, number=2)

    assert stream.newest().bar == vendor


def test_a_late_print_of_the_running_minute_moves_open_and_close_by_its_time() -> None:
    stream = Streamed()
    stream.at(9).trade(NOON + 5 * SECOND, 100, number=1)
    stream.trade(NOON + 9 * SECOND, 101, number=2)
    stream.trade(NOON + 2 * SECOND, 90, number=3)
    stream.trade(NOON + 7 * SECOND, 120, number=4)

    newest = stream.newest().bar
    assert (newest.open, newest.high, newest.low, newest.close) == (90, 120, 90, 101)


def test_among_prints_of_one_time_the_first_opens_and_the_last_closes() -> None:
    stream = Streamed()
    for number, price in enumerate([101.0, 99.0, 100.0]):
        stream.trade(NOON + SECOND, price, number=number)

    newest = stream.newest().bar
    assert (newest.open, newest.close) == (101, 100)


def test_a_minute_of_odd_lots_has_no_bar_and_nothing_is_asked_about_it() -> None:
    stream = Streamed()
    stream.trade(conditions=("@", "I"))
    stream.at(70)

    assert stream.events() == []
    assert stream.taken(MinutesNeed) == []


def test_a_minute_that_has_prints_and_no_bar_is_shown_after_three_seconds_and_asked_for_once() -> (
    None
):
    stream = Streamed()
    stream.trade(NOON + SECOND, 100)
    stream.at(62.9)
    assert stream.ended() == []

    stream.at(63)
    assert [marks(each) for each in stream.ended()] == [(0, False, False, False)]
    [need] = stream.taken(MinutesNeed)
    assert (need.begin_ns, need.end_ns) == (NOON, NOON + MINUTE)

    stream.at(100)
    assert stream.taken(MinutesNeed) == []
    stream.table.repair(need, [bar(NOON, 101)], stream.now)
    stream.take()
    assert [(each.bar.close, *marks(each)) for each in stream.ended()] == [
        (100, 0, False, False, False),
        (101, 1, True, False, False),
    ]


@pytest.mark.parametrize("answered", [True, False])
def test_if_rest_has_no_bar_either_the_own_one_is_final(answered: bool) -> None:
    stream = Streamed()
    stream.trade(NOON + SECOND, 100)
    stream.at(64)
    [need] = stream.taken(MinutesNeed)
    if answered:
        stream.table.repair(need, [], stream.now)
    else:
        stream.table.give_up(need)
    stream.take()

    assert marks(stream.newest()) == (1, True, False, False)
    assert stream.table.counts.unexpected == answered


def test_a_bar_of_the_stream_that_came_after_the_question_outlives_rest_s_answer() -> None:
    stream = Streamed()
    stream.trade(NOON + SECOND, 100)
    stream.at(64)
    [need] = stream.taken(MinutesNeed)
    stream.at(90).bar(NOON, 103)
    stream.table.repair(need, [bar(NOON, 102)], stream.now)
    stream.take()

    assert stream.newest().bar.close == 103


def test_before_a_newer_bar_runs_the_one_before_it_has_ended() -> None:
    stream = Streamed()
    stream.trade(NOON + SECOND, 100)
    stream.at(60.1).trade(NOON + 60 * SECOND, 101, number=2)

    assert [(each.bar.at_ns, *marks(each)) for each in stream.events()] == [
        (NOON, 0, False, True, False),
        (NOON, 0, False, False, False),
        (NOON + MINUTE, 0, False, True, False),
    ]
    stream.at(60.7).bar(NOON, 102)
    assert (stream.newest().bar.close, *marks(stream.newest())) == (102, 1, True, False, False)


def test_the_first_version_of_a_bar_older_than_the_newest_is_marked_late() -> None:
    stream = Streamed()
    stream.at(60.1).trade(NOON + 60 * SECOND, 101, number=2)
    stream.at(60.7).bar(NOON, 102)
    stream.at(90).bar(NOON, 103)

    assert [marks(each)[3] for each in stream.ended()] == [True, False]


def test_cancelled_and_corrected_prints_change_the_running_bar() -> None:
    stream = Streamed()
    first = stream.trade(NOON + SECOND, 100, number=1, size=10)
    high = stream.at(2).trade(NOON + 2 * SECOND, 150, number=2, size=10)
    last = stream.trade(NOON + 2 * SECOND, 101, number=3, size=10)
    stream.table.on_cancel(cancel_of(high, stream.now))
    stream.take()
    assert stream.newest().bar == bar(
        NOON, 101, 20, open=100, high=101, low=100, trade_count=2, vwap=100.5
    )

    stream.table.on_correction(correction_of(first, 99.0, number=9, size=30, at=stream.now))
    stream.table.on_correction(
        correction_of(last, 101.0, number=10, conditions=("@", "I"), at=stream.now)
    )
    stream.take()
    assert stream.newest().bar == bar(NOON, 99, 40, trade_count=2, vwap=99)


def test_reports_that_overtake_their_prints_count_when_those_come() -> None:
    stream = Streamed()
    stream.at(5)
    void, wrong = trade(NOON + SECOND, 200, number=1), trade(NOON + 2 * SECOND, 1, number=2)
    stream.table.on_cancel(cancel_of(void, stream.now))
    stream.table.on_correction(correction_of(wrong, 100.0, number=3, at=stream.now))
    for each in (void, wrong):
        stream.table.on_trade(each, each.at_ns, stream.now)
    stream.take()

    assert stream.newest().bar == bar(NOON, 100, 100, trade_count=1, vwap=100)


def test_a_minute_whose_first_print_was_cancelled_before_it_came_ends_as_any_other() -> None:
    stream = Streamed()
    void = trade(NOON, 200, number=1)
    stream.table.on_cancel(cancel_of(void, NOON))
    stream.table.on_trade(void, void.at_ns, stream.now)
    stream.trade(NOON + SECOND, 100, number=2)
    stream.at(63)

    assert [marks(each) for each in stream.ended()] == [(0, False, False, False)]


def test_if_all_prints_of_the_running_bar_are_withdrawn_its_first_bar_is_late() -> None:
    stream = Streamed()
    only = stream.trade(NOON + SECOND, 100)
    stream.table.on_cancel(cancel_of(only, stream.now))
    stream.take()
    stream.at(60.1).trade(NOON + 60 * SECOND, 101, number=2)
    stream.at(60.7).bar(NOON, 102)

    assert marks(stream.newest()) == (0, True, False, True)


def test_a_minute_that_began_before_the_stream_is_partial_until_rest_has_completed_it() -> None:
    stream = Streamed(now=NOON + 20 * SECOND)
    [need] = stream.taken(TradesNeed)
    assert (need.begin_ns, need.end_ns) == (NOON, NOON + 20 * SECOND)
    both = stream.at(30).trade(NOON + 21 * SECOND, 100, number=3, size=10)
    assert bar_event(stream.newest()).partial

    missed = [trade(NOON + SECOND, 90, number=1, size=10), both]
    stream.table.complete(need, missed, stream.now)
    stream.take()

    assert not bar_event(stream.newest()).partial
    assert stream.newest().bar == bar(
        NOON, 100, 20, open=90, high=100, low=90, trade_count=2, vwap=95
    )


def test_a_cancelled_print_that_rest_still_shows_does_not_come_back() -> None:
    stream = Streamed(now=NOON + 20 * SECOND)
    [need] = stream.taken(TradesNeed)
    stays = stream.at(30).trade(NOON + 25 * SECOND, 100, number=1)
    void = stream.trade(NOON + 26 * SECOND, 150, number=2)
    stream.table.on_cancel(cancel_of(void, stream.now))
    stream.table.complete(need, [stays, void], stream.now)
    stream.take()

    assert (stream.newest().bar.high, stream.newest().bar.trade_count) == (100, 1)


def test_after_a_disconnection_rest_is_asked_for_all_minutes_that_may_lack_a_revision() -> None:
    stream = Streamed()
    stream.at(60.7).bar(NOON)
    stream.at(120.7).bar(NOON + MINUTE)
    stream.at(130).trade(NOON + 130 * SECOND, 100)
    stream.lose()
    # The minute from 60 s on got its bar 10 s ago, a revision might have come 20 s later.
    stream.at(250).subscribe()

    [need] = stream.taken(MinutesNeed)
    assert (need.begin_ns, need.end_ns) == (NOON + MINUTE, NOON + 4 * MINUTE)
    [missed] = [each for each in stream.taken(TradesNeed) if each.begin_ns > NOON]
    assert (missed.begin_ns, missed.end_ns) == (NOON + 4 * MINUTE, NOON + 250 * SECOND)

    rows = [bar(NOON + MINUTE, 107), bar(NOON + 2 * MINUTE, 108)]
    stream.table.repair(need, rows, stream.now)
    stream.take()
    assert [(each.bar.close, each.revision, each.final) for each in stream.ended()[-2:]] == [
        (107, 1, True),
        (108, 0, True),
    ]


def test_while_the_stream_is_lost_no_own_bar_ends() -> None:
    stream = Streamed()
    stream.trade(NOON + SECOND, 100)
    stream.at(30)
    stream.lose()
    stream.at(200)

    assert stream.ended() == []
    assert stream.taken(MinutesNeed) == []


def test_differences_from_the_vendor_s_bars_are_counted() -> None:
    stream = Streamed()
    counts = stream.table.counts
    stream.trade(NOON + SECOND, 100, size=100, number=1)
    stream.at(60.7).bar(NOON, 100, 100, trade_count=1)
    assert (counts.compared, counts.volume_differs, counts.close_differs) == (1, 0, 0)

    stream.trade(NOON + 60 * SECOND, 100, size=100, number=2)
    stream.at(120.7).bar(NOON + MINUTE, 101, 250, trade_count=3)
    # No print of this minute came at all.
    stream.at(180.7).bar(NOON + 2 * MINUTE, 101, 40, trade_count=1)

    assert (counts.compared, counts.volume_differs, counts.close_differs) == (3, 2, 2)
    assert (counts.missing_shares, counts.missing_trades) == (190, 3)


def test_a_partial_minute_is_not_compared() -> None:
    stream = Streamed(now=NOON + 20 * SECOND)
    stream.trade(NOON + 20 * SECOND, 100, size=100)
    stream.at(60.7).bar(NOON, 101, 1000)
    stream.at(120.7)
    stream.lose()
    stream.at(130).subscribe()
    stream.at(180.7).bar(NOON + 2 * MINUTE, 101, 1000)

    assert stream.table.counts.compared == 0


@pytest.mark.parametrize("at", [NOON + SECOND, NOON + 10 * MINUTE])
def test_a_bar_at_an_impossible_time_is_an_error_that_names_it(at: int) -> None:
    stream = Streamed()

    with pytest.raises(ValueError, match=str(at)):
        stream.bar(at)


@pytest.mark.parametrize(
    "values",
    [
        {"price": 0.0},
        {"price": -1.0},
        {"price": float("nan")},
        {"price": float("inf")},
        {"size": 0},
        {"size": -5},
        {"size": float("nan")},
        {"at": NOON + 60 * SECOND},
    ],
)
def test_a_print_with_impossible_values_moves_nothing(values: dict[str, Any]) -> None:
    stream = Streamed()
    stream.trade(**values)

    assert stream.events() == []


def test_a_print_whose_size_cannot_be_read_moves_the_price() -> None:
    stream = Streamed()
    stream.trade(NOON + SECOND, 100, number=1)
    unreadable: Any = None
    stream.at(2).trade(NOON + 2 * SECOND, 101, number=2, size=unreadable)

    assert (stream.newest().bar.close, stream.newest().bar.volume) == (101, 100)


def test_symbols_that_are_not_charted_concern_no_bar() -> None:
    stream = Streamed()
    stream.trade(symbol="IBM")
    assert stream.table.symbols == {"SPY"}
    stream.table.forget_others(frozenset())
    stream.trade()

    assert stream.events() == []
    assert not stream.table.symbols


def test_a_revision_of_a_bar_that_is_forgotten_replaces_it_on_every_chart() -> None:
    stream = Streamed(trades=False)
    for number in range(60):
        stream.at(60 * (number + 1) + 0.7).bar(NOON + number * MINUTE)
    stream.bar(NOON, 107)

    assert marks(stream.newest()) == (1, True, False, True)
