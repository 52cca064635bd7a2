"""The bar of the day: the vendor's so far, the trades since, and its end."""

import pytest

from ingest.bars.bar_changes import DayNeed
from ingest.market.bars import Bar
from ingest.market.market_hours import MarketHours
from ingest.market.trading_day import day_of, start_of
from ingest.upstream.hours_translation import trading_day
from tests.ingest.bars.streamed import MINUTE, SECOND, Streamed, bar
from tests.ingest.trades import MONDAY, NOON, TUESDAY, cancel_of, ns, two_days

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
    stream.table.on_rest_day_bar("SPY", so_far, stream.now)
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

    stream.table.on_rest_day_bar("SPY", day(), NOON)
    stream.take()
    newest = stream.newest("1Day")
    assert newest.running
    assert (newest.bar.at_ns, newest.bar.close, newest.bar.volume) == (TODAY, 105, 1050)


def test_trades_move_it_and_the_vendor_s_next_bar_replaces_those_before_its_minute_mark() -> None:
    stream = charted()
    stream.at(10).trade(NOON + 10 * SECOND, 120, number=1, size=50)
    stream.at(60.4).trade(NOON + 60 * SECOND, 101, number=2, size=7)
    newest = stream.newest("1Day").bar
    assert (newest.high, newest.close, newest.volume, newest.trade_count) == (120, 101, 1057, 12)

    stream.at(60.7)
    streamed_day(stream, day(104, 1100))
    newest = stream.newest("1Day").bar
    assert (newest.high, newest.close, newest.volume, newest.trade_count) == (110, 101, 1107, 11)


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

    stream.table.on_rest_day_bar("SPY", day(109, 1957), NOON + 30 * SECOND + 1)
    stream.take()
    assert (stream.newest("1Day").bar.close, stream.newest("1Day").bar.volume) == (109, 1957)


def test_after_a_loss_the_same_bar_of_the_vendor_says_that_nothing_was_lost() -> None:
    stream = charted()
    stream.at(20).lose()
    stream.at(30).subscribe()
    stream.trade(NOON + 30 * SECOND, 102, size=7)
    stream.table.on_rest_day_bar("SPY", day(), NOON + 1)
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
