"""The bar of the day: the vendor's so far, the trades since, and its end."""

import pytest

from ingest.bars.bar_changes import DayNeed, MinutesNeed
from ingest.bars.day_prints import PRINTS_KEPT
from ingest.bars.day_snapshot import DaySnapshot
from ingest.market.bars import Bar
from ingest.market.market_hours import MarketHours
from ingest.market.trading_day import day_of, start_of
from ingest.upstream.hours_translation import trading_day
from tests.ingest.bars.streamed import MINUTE, SECOND, Streamed, bar
from tests.ingest.trades import MONDAY, NOON, TUESDAY, cancel_of, ns, trade, two_days

TODAY = ns("2026-11-16T00:00:00-05:00")
TOMORROW = ns("2026-11-17T00:00:00-05:00")


def day(close: float = 100, volume: float = 1000, start: int = TODAY) -> Bar:
    return bar(start, close, volume, open=100, high=max(close, 110), low=90, trade_count=10)


def charted(now: int = NOON, hours: MarketHours | None = None) -> Streamed:
    """Return a stream whose day's bar REST has given: 1,000 shares before now."""
    stream = Streamed("1Day", now=now, hours=hours)
    known(stream, day())
    return stream


def known(stream: Streamed, so_far: Bar | None) -> None:
    stream.table.on_rest_day_bar("SPY", DaySnapshot(so_far, stream.now - 1, stream.now))
    stream.needs.clear()
    stream.take()


def streamed_day(stream: Streamed, so_far: Bar) -> None:
    stream.table.on_day_bar(so_far, stream.now)
    stream.take()


def test_the_day_s_bar_is_shown_when_rest_has_given_it() -> None:
    stream = Streamed("1Day")
    stream.trade(NOON, 105, size=50)
    assert stream.events("1Day") == []
    assert stream.taken(DayNeed)

    stream.table.on_rest_day_bar("SPY", DaySnapshot(day(), NOON - 1, NOON))
    stream.take()
    newest = stream.newest("1Day")
    assert newest.running
    assert (newest.bar.at_ns, newest.bar.close, newest.bar.volume) == (TODAY, 105, 1050)


def test_trades_move_it_and_the_vendor_s_next_bar_has_all_that_came_before_it() -> None:
    stream = charted()
    stream.at(10).trade(NOON + 10 * SECOND, 120, number=1, size=50)
    stream.at(60.4).trade(NOON + 60 * SECOND, 101, number=2, size=7)
    newest = stream.newest("1Day").bar
    assert (newest.high, newest.close, newest.volume, newest.trade_count) == (120, 101, 1057, 12)

    stream.at(60.7)
    streamed_day(stream, day(104, 1100))
    newest = stream.newest("1Day").bar
    assert (newest.high, newest.close, newest.volume, newest.trade_count) == (110, 104, 1100, 10)
    stream.trade(NOON + 60 * SECOND + 1, 105, number=3, size=5)
    assert (stream.newest("1Day").bar.close, stream.newest("1Day").bar.volume) == (105, 1105)


def test_a_bar_that_repeats_the_one_before_proves_nothing() -> None:
    stream = charted()
    stream.at(10).trade(NOON + 10 * SECOND, 120, size=50)
    shown = len(stream.events("1Day"))
    for number in range(1, 5):
        stream.at(60 * number + 0.7)
        streamed_day(stream, day())

    assert len(stream.events("1Day")) == shown
    assert stream.newest("1Day").bar.volume == 1050


def test_after_a_loss_the_bar_stands_until_the_vendor_s_has_the_lost_trades() -> None:
    stream = charted()
    stream.at(10).trade(NOON + 10 * SECOND, 101, number=1, size=50)
    stream.at(20).lose()
    stream.at(30).subscribe()
    assert stream.taken(DayNeed)
    stream.trade(NOON + 30 * SECOND, 102, number=2, size=7)
    assert stream.newest("1Day").bar.volume == 1050

    stream.table.on_rest_day_bar("SPY", DaySnapshot(day(109, 1957), NOON + 30 * SECOND, stream.now))
    stream.take()
    assert (stream.newest("1Day").bar.close, stream.newest("1Day").bar.volume) == (109, 1957)


def test_after_a_loss_on_a_living_stream_the_bar_stands_too() -> None:
    stream = charted()
    stream.at(20)
    stream.table.on_missed("SPY", NOON + 10 * SECOND, stream.now)
    stream.take()
    assert stream.taken(DayNeed)
    stream.trade(NOON + 20 * SECOND, 102, number=1, size=7)
    assert stream.newest("1Day").bar.volume == 1000

    stream.table.on_rest_day_bar("SPY", DaySnapshot(day(109, 1957), stream.now, stream.now))
    stream.take()
    assert (stream.newest("1Day").bar.close, stream.newest("1Day").bar.volume) == (109, 1957)


def test_of_a_chart_of_days_alone_no_minutes_are_asked_for() -> None:
    stream = Streamed("1Day", bars=False)
    stream.at(130)
    stream.table.on_missed("SPY", NOON + 65 * SECOND, stream.now)
    stream.take()
    assert not stream.taken(MinutesNeed)

    stream.table.watch("SPY", ("1Day", "5Min"), stream.now)
    stream.subscribe()
    [need] = stream.taken(MinutesNeed)
    assert (need.begin_ns, need.end_ns) == (NOON, NOON + 2 * MINUTE)


def test_after_a_loss_the_same_bar_of_the_vendor_says_that_nothing_was_lost() -> None:
    stream = charted()
    stream.at(20).lose()
    stream.at(30).subscribe()
    stream.trade(NOON + 30 * SECOND, 102, size=7)
    stream.table.on_rest_day_bar("SPY", DaySnapshot(day(), NOON, stream.now))
    stream.take()

    assert (stream.newest("1Day").bar.close, stream.newest("1Day").bar.volume) == (102, 1007)


@pytest.mark.parametrize(
    ("codes", "size", "open_", "high", "close", "volume"),
    [
        ("@", 10, 100, 200, 200, 1010),
        ("@T", 10, 100, 110, 100, 1010),
        ("@I", 10, 100, 110, 100, 1010),
        ("@4", 10, 100, 200, 100, 1010),
        ("@M", 10, 100, 110, 100, 1000),
        ("@9", 0, 100, 200, 200, 1000),
    ],
)
def test_the_day_has_rules_of_its_own(
    codes: str, size: int, open_: float, high: float, close: float, volume: float
) -> None:
    stream = charted()
    stream.at(1).trade(NOON + SECOND, 200, codes, tape="C", size=size)

    newest = stream.newest("1Day").bar
    assert (newest.open, newest.high, newest.close, newest.volume) == (open_, high, close, volume)


def test_a_trade_that_counts_as_the_first_only_opens_and_closes_a_day_that_has_no_other() -> None:
    stream = Streamed("1Day")
    known(stream, None)
    stream.at(1).trade(NOON + SECOND, 50, "@4", tape="C", number=1)
    stream.at(2).trade(NOON + 2 * SECOND, 60, "@4", tape="C", number=2)
    assert (stream.newest("1Day").bar.open, stream.newest("1Day").bar.close) == (50, 50)

    stream.at(3).trade(NOON + 3 * SECOND, 55, "@", tape="C", number=3)
    assert (stream.newest("1Day").bar.open, stream.newest("1Day").bar.close) == (50, 55)


def test_a_corrected_close_moves_neither_the_volume_nor_the_average() -> None:
    stream = charted()
    stream.at(1).trade(NOON + SECOND, 200, "@9", tape="C", size=500)

    newest = stream.newest("1Day").bar
    assert (newest.close, newest.volume, newest.vwap) == (200, 1000, 100)


def test_before_the_day_s_first_trade_an_earlier_day_s_bar_is_none() -> None:
    stream = Streamed("1Day")
    known(stream, day(start=ns("2026-11-13T00:00:00-05:00")))
    assert stream.events("1Day") == []

    stream.at(1).trade(NOON + SECOND, 101, size=5)
    assert stream.newest("1Day").bar == bar(TODAY, 101, 5, trade_count=1)


HALF = {"date": "2026-11-16", "open": "09:30", "close": "13:00", "session_close": "1700"}


@pytest.mark.parametrize(
    ("hours", "end"),
    [
        (two_days(), "2026-11-16T20:00:00-05:00"),
        (MarketHours([trading_day(HALF)]), "2026-11-16T17:00:00-05:00"),
        # If the hours are unknown, the day ends at midnight.
        (MarketHours(), "2026-11-17T00:00:00-05:00"),
        (MarketHours([], trades_in=None), "2026-11-17T00:00:00-05:00"),
    ],
)
def test_it_is_final_35_s_after_the_day_s_last_session(hours: MarketHours, end: str) -> None:
    stream = charted(ns(end) - 5 * MINUTE, hours)
    stream.at(34.9, ns(end))
    assert stream.newest("1Day").running

    stream.at(35, ns(end))
    newest = stream.newest("1Day")
    assert (newest.running, newest.final, newest.revision) == (False, True, 0)
    assert newest.bar == day()


def test_after_its_end_the_vendor_s_changed_bar_alone_revises_it() -> None:
    end = ns("2026-11-16T20:00:00-05:00")
    stream = charted(end - 5 * MINUTE)
    stream.at(60, end)
    stream.trade(end - SECOND, 200, size=50)
    streamed_day(stream, day())
    assert [each.revision for each in stream.ended("1Day")] == [0]

    streamed_day(stream, day(100, 1050))
    assert [(each.revision, each.final) for each in stream.ended("1Day")] == [(0, True), (1, True)]
    assert stream.newest("1Day").bar.volume == 1050


def test_the_next_day_begins_with_its_first_trade() -> None:
    stream = charted()
    stream.at(60, ns("2026-11-16T20:00:00-05:00"))
    stream.needs.clear()
    opening = ns("2026-11-17T09:30:00-05:00")
    stream.now = opening
    stream.trade(opening, 103, size=20)

    assert [(each.bar.at_ns, each.final) for each in stream.ended("1Day")] == [(TODAY, True)]
    assert stream.newest("1Day").bar == bar(TOMORROW, 103, 20, trade_count=1)
    assert stream.taken(DayNeed)


def test_the_next_day_begins_with_the_vendor_s_bar_if_no_trade_is_streamed() -> None:
    stream = Streamed("1Day", trades=False)
    known(stream, day())
    stream.now = ns("2026-11-17T09:31:00.7-05:00")
    streamed_day(stream, day(103, 20, TOMORROW))

    assert [(each.bar.at_ns, each.final) for each in stream.events("1Day")] == [
        (TODAY, False),
        (TODAY, True),
        (TOMORROW, False),
    ]


def test_a_cancelled_trade_since_the_vendor_s_bar_leaves_the_day() -> None:
    stream = charted()
    void = stream.at(1).trade(NOON + SECOND, 500, number=1)
    stream.table.on_cancel(cancel_of(void, stream.now))
    stream.take()

    assert stream.newest("1Day").bar == day()


def test_trades_count_for_hours_although_no_bar_of_the_day_comes() -> None:
    stream = charted()
    for number in range(100):
        stream.at(60 * number, NOON).trade(stream.now, 101, number=number, size=10)

    assert stream.newest("1Day").bar.volume == 2000


def test_a_cancelled_print_that_came_after_its_minute_s_bar_leaves_the_day() -> None:
    stream = charted()
    stream.at(60.7).bar(NOON, 100)
    streamed_day(stream, day())
    void = stream.trade(NOON + SECOND, 500, number=1, size=50)
    assert stream.newest("1Day").bar.high == 500
    stream.table.on_cancel(cancel_of(void, stream.now))
    stream.take()

    assert stream.newest("1Day").bar == day()
    assert not stream.taken(DayNeed)


def test_of_many_prints_with_no_bar_of_the_vendor_s_the_older_ones_count_as_a_sum() -> None:
    stream = charted()
    table, count = stream.table, PRINTS_KEPT + 1
    made = [trade(NOON + number, 101, number=number, size=2) for number in range(count)]
    for each in made:
        table.on_trade(each, each.at_ns, stream.now)
    stream.take()
    assert stream.newest("1Day").bar.volume == 1000 + 2 * count

    table.on_cancel(cancel_of(made[-1], stream.now))
    stream.take()
    assert stream.newest("1Day").bar.volume == 1000 + 2 * (count - 1)
    assert not stream.taken(DayNeed)
    table.on_cancel(cancel_of(made[0], stream.now))
    stream.take()
    assert stream.taken(DayNeed), "its part of the sum is unknown"


@pytest.mark.parametrize(
    "moment",
    ["2026-03-08T12:00:00-04:00", "2026-11-01T12:00:00-05:00", "2026-07-01T00:00:00-04:00"],
)
def test_the_day_starts_at_new_york_s_midnight(moment: str) -> None:
    assert start_of(day_of(ns(moment))) == ns(moment[:10] + "T00:00:00" + _offset(moment))


def _offset(moment: str) -> str:
    # On the days on which the clocks change, midnight has the other offset.
    changes = {"2026-03-08": "-05:00", "2026-11-01": "-04:00"}
    return changes.get(moment[:10], moment[-6:])


def test_the_last_close_of_a_day_is_that_of_its_last_session() -> None:
    hours = MarketHours([trading_day(MONDAY), trading_day(TUESDAY)])

    assert hours.last_close(TODAY, TOMORROW) == ns("2026-11-16T20:00:00-05:00")
    assert hours.last_close(TODAY - 2 * MINUTE, TODAY) is None


def test_a_print_that_is_reported_after_the_vendor_s_bar_counts_and_is_not_the_close() -> None:
    stream = charted()
    stream.at(60.4).trade(NOON + 60 * SECOND, 101, number=1, size=7)
    stream.at(60.7)
    streamed_day(stream, day(101, 1107))
    stream.at(62).trade(NOON + 59 * SECOND, 120, number=2, size=50)
    newest = stream.newest("1Day").bar
    assert (newest.high, newest.close, newest.volume, newest.trade_count) == (120, 101, 1157, 11)

    stream.bar(NOON, 100)
    stream.at(63).trade(NOON + 58 * SECOND, 121, number=3, size=50)
    newest = stream.newest("1Day").bar
    assert (newest.high, newest.close, newest.volume) == (121, 101, 1207), "its minute is final"


def test_a_snapshot_contains_its_latest_trade_and_the_odd_lots_from_before_the_request() -> None:
    stream = Streamed("1Day")
    for second, codes in ((1, "@"), (2, "@I"), (3, "@"), (4, "@I")):
        stream.at(second).trade(NOON + second * SECOND, 100, codes, tape="C", number=second, size=1)
    latest, asked = NOON + SECOND, NOON + 3 * SECOND
    stream.table.on_rest_day_bar("SPY", DaySnapshot(day(), latest, asked))
    stream.take()
    assert stream.newest("1Day").bar.volume == 1002, "neither the first trade nor the first odd lot"

    stream.trade(latest, 100, number=5, size=1)
    assert stream.newest("1Day").bar.volume == 1002, "it was on its way"
    stream.trade(latest - SECOND, 100, number=6, size=1)
    assert stream.newest("1Day").bar.volume == 1003, "it was reported late"


def test_a_snapshot_does_not_contain_a_late_print_beyond_its_high_or_low() -> None:
    stream = Streamed("1Day")
    asked = stream.at(2).now
    stream.trade(NOON + SECOND, 120, number=1, size=5)
    stream.table.on_rest_day_bar("SPY", DaySnapshot(day(), asked - 1, asked))
    stream.take()
    newest = stream.newest("1Day").bar
    assert (newest.high, newest.volume) == (120, 1005), "it came while the answer was on its way"

    stream.trade(stream.now - 1, 80, number=2, size=5)
    newest = stream.newest("1Day").bar
    assert (newest.low, newest.volume) == (80, 1010)


def test_a_snapshot_contains_a_print_from_before_the_request_in_its_corrected_form() -> None:
    stream = Streamed("1Day")
    stream.at(1).trade(NOON + SECOND, 120, number=1, size=5)
    stream.at(2).table.on_rest_day_bar("SPY", DaySnapshot(day(), NOON + SECOND, stream.now))
    stream.take()
    newest = stream.newest("1Day").bar

    assert (newest.high, newest.volume) == (110, 1000), "REST knows that it was wrong"


def test_after_the_cancel_of_a_print_in_the_vendor_s_bar_it_stands_until_the_next_one() -> None:
    stream = charted()
    void = stream.at(10).trade(NOON + 10 * SECOND, 500, number=1, size=50)
    stream.at(60.7)
    streamed_day(stream, day(500, 1050))
    stream.at(61)
    stream.table.on_cancel(cancel_of(void, stream.now))
    stream.trade(NOON + 61 * SECOND, 101, number=2, size=7)
    assert stream.newest("1Day").bar.volume == 1050
    assert stream.taken(DayNeed), "before the opening the stream sends none"

    stream.at(120.7)
    streamed_day(stream, day(101, 1007))
    assert (stream.newest("1Day").bar.close, stream.newest("1Day").bar.volume) == (101, 1007)


def test_a_late_print_of_the_day_before_is_none_of_today() -> None:
    stream = Streamed("1Day", now=TOMORROW + 61 * SECOND)
    stream.table.on_day_bar(day(103, 20, TOMORROW), stream.now)
    stream.take()
    stream.trade(TOMORROW - SECOND, 101, number=1, size=7)
    stream.trade(TOMORROW + 61 * SECOND, 103, number=2, size=5)

    assert stream.newest("1Day").bar.volume == 25


def test_prints_count_once_rest_has_those_from_before_the_stream_brought_them() -> None:
    stream = Streamed("1Day", trades=False)
    known(stream, day())
    stream.at(10).subscribe()
    assert stream.taken(DayNeed)
    stream.trade(NOON + 10 * SECOND, 101, number=1, size=7)
    assert stream.newest("1Day").bar == day(), "some may be missing between the two"

    early, later = day(102, 1500), day(102, 1600)
    stream.table.on_rest_day_bar("SPY", DaySnapshot(early, NOON + 8 * SECOND, NOON + 9 * SECOND))
    stream.take()
    assert stream.newest("1Day").bar == early, "it was asked for before the subscription"
    stream.table.on_rest_day_bar("SPY", DaySnapshot(later, NOON + 9 * SECOND, stream.now))
    stream.take()
    assert (stream.newest("1Day").bar.close, stream.newest("1Day").bar.volume) == (101, 1607)


def test_a_day_that_ends_in_a_loss_ends_as_it_was_shown() -> None:
    stream = charted()
    stream.at(10).trade(NOON + 10 * SECOND, 101, number=1, size=50)
    stream.at(20).lose()
    stream.now = TOMORROW + 60 * SECOND
    stream.subscribe()
    stream.trade(TOMORROW + 60 * SECOND, 103, number=2, size=5)

    ended = stream.final("1Day")[TODAY]
    assert (ended.bar.volume, ended.final) == (1050, True)
