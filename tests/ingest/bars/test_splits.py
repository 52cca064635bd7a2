"""The day of a split: bars of earlier days have another scale, those of the day go on."""

import pytest

from ingest.bars.bar_changes import BarChange, FillNeed, Reload
from ingest.bars.day_snapshot import DaySnapshot
from ingest.bars.stored_histories import StoredHistories
from ingest.bars.symbol_bars import Filled, Stored
from ingest.bars.timeframes import Timeframe
from ingest.market.market_hours import MarketHours
from ingest.market.trading_day import start_of
from tests.ingest.bars.streamed import MINUTE, SECOND, Streamed, bar
from tests.ingest.trades import NOON, ns

TODAY = ns("2026-11-16T00:00:00-05:00")
FRIDAY = ns("2026-11-13T00:00:00-05:00")


def test_a_split_makes_the_stored_bars_invalid_and_reloads_each_chart_in_one_scale() -> None:
    evening = ns("2026-11-13T19:00:00-05:00")
    both: tuple[Timeframe, ...] = ("1Min", "1Hour", "1Day")
    stream = Streamed(*both, now=evening, trades=False)
    stream.at(60.7, evening).bar(evening, 1000)
    stream.now = ns("2026-11-16T04:00:01-05:00")
    stream.needs.clear()
    stream.table.on_split("SPY", TODAY)
    stream.take()

    assert [(each.timeframe, each.reason, each.at_ns) for each in stream.reloads] == [
        (timeframe, "split", TODAY) for timeframe in sorted(both)
    ]
    assert set(stream.taken(FillNeed)) == {FillNeed("SPY", each) for each in both}
    filled = stream.fill("1Min", [bar(evening, 100)])
    assert [(row.bar.close, row.revision) for row in filled.rows] == [(100, 0)]

    opening = stream.now - stream.now % MINUTE
    stream.at(60.7, opening).bar(opening, 101)
    assert [(each.bar.close, each.late) for each in stream.events("1Min")] == [(101, False)]


def test_restored_bars_in_another_scale_than_rest_s_are_replaced() -> None:
    friday = ns("2026-11-13T00:00:00-05:00")
    stream = Streamed("1Day", now=NOON)
    stream.restore("1Day", [Stored(bar(friday, 1000), 0, True)])
    filled = stream.fill("1Day", [bar(friday, 100)])
    stream.take()

    assert filled.replaces
    assert [row.bar.close for row in filled.rows] == [100]
    assert stream.reloads == [Reload("SPY", "1Day", "split", TODAY)]


def test_on_the_day_of_a_split_the_day_s_bar_goes_on_and_is_final_after_the_close() -> None:
    opening = ns("2026-11-16T09:30:00-05:00")
    stream = Streamed("1Min", "1Day", now=ns("2026-11-16T08:00:00-05:00"))
    stream.restore("1Day", [Stored(bar(FRIDAY, 1000), 0, True)])
    stream.table.on_rest_day_bar("SPY", DaySnapshot(None, -1, stream.now))
    stream.trade(stream.now, 100, "@", number=1)
    stream.now = opening
    stream.bar(opening - MINUTE, 101)
    stream.table.on_split("SPY", TODAY)
    stream.take()
    stream.fill("1Day", [bar(FRIDAY, 100)])
    stream.at(10, opening).trade(opening + 10 * SECOND, 102, "@", number=2)
    assert stream.newest("1Day").running
    assert stream.newest("1Day").bar.volume == 200

    stream.now = ns("2026-11-16T20:01:00-05:00")
    stream.take()
    newest = stream.newest("1Day")
    assert (newest.bar.at_ns, newest.bar.close, newest.final) == (TODAY, 102, True)


def test_a_day_that_has_not_ended_at_midnight_is_not_shown_in_its_old_scale() -> None:
    evening = ns("2026-11-15T23:59:30-05:00")
    stream = Streamed("1Hour", "1Day", now=evening, hours=MarketHours(trades_in=None))
    sunday = start_of(FRIDAY // (24 * 60 * MINUTE) + 2)
    stream.table.on_rest_day_bar("SPY", DaySnapshot(None, -1, sunday))
    stream.trade(evening, 1000, number=1)
    stream.now = TODAY + SECOND
    stream.table.on_split("SPY", TODAY)
    stream.take()
    stream.table.on_rest_day_bar("SPY", DaySnapshot(None, -1, TODAY))
    stream.at(2, TODAY).trade(TODAY + 2 * SECOND, 100, number=2)
    stream.at(120, TODAY)

    for timeframe in ("1Hour", "1Day"):
        since = stream.events(timeframe)
        assert {each.bar.close for each in since} == {100}, timeframe


@pytest.mark.parametrize(
    ("stored", "now", "is_split"),
    [
        ([100, 101, 102], [95.24, 96.19, 97.14], True),  # a stock dividend of 5 %
        ([100, 101, 102], [100, 50, 102], False),  # a bar that was corrected
        ([100, 101, 102], [100, 101, 102], False),
        ([], [100], False),
    ],
)
def test_stored_bars_are_of_another_scale_if_all_of_them_differ_from_rest_s(
    stored: list[float], now: list[float], is_split: bool
) -> None:
    evening = ns("2026-11-13T15:00:00-05:00")
    stream = Streamed(now=NOON)
    at = [evening + number * MINUTE for number in range(3)]
    stream.restore("1Min", [Stored(bar(*each), 0, True) for each in zip(at, stored, strict=False)])
    filled = stream.fill("1Min", [bar(*each) for each in zip(at, now, strict=False)])

    assert filled.replaces == is_split


def test_a_history_that_is_stored_again_has_the_versions_that_events_have_brought() -> None:
    histories = StoredHistories()
    reload = Reload("SPY", "1Min", "split", TODAY)
    histories.on_reload("bar.1Min:SPY", reload)
    revised = BarChange("1Min", bar(NOON, 105), revision=2, final=True)
    rows = [bar(FRIDAY, 99), bar(NOON, 104), bar(NOON + MINUTE, 106)]
    filled = Filled([], replaces=False)
    now_ns = NOON + MINUTE + 10 * SECOND
    found = histories.to_store("1Min", "bar.1Min:SPY", rows, filled, [revised], [], now_ns)

    assert [(each.close, each.revision) for each in found.bars] == [(99, 0), (105, 2)]
    assert (found.reload, found.every) == (reload, True)
    assert histories.to_store("1Min", "bar.1Min:SPY", rows, filled, [], [], now_ns).bars == []


def test_running_bars_are_shown_again_for_a_redis_that_has_lost_them() -> None:
    stream = Streamed("1Min", "5Min", trades=True)
    stream.trade(NOON + SECOND, 100)
    before = {frame: stream.newest(frame) for frame in ("1Min", "5Min")}
    assert stream.take() == []
    stream.table.repeat_running()

    assert stream.take() == list(before.values())
