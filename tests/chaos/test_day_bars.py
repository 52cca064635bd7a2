"""The check of day bars finds bars that REST never had."""

from typing import Any

from simulator.protocol import rfc3339
from tests.chaos.day_bars import NOTICED_NS, DayBarLedger, DayBars

TODAY = "2026-11-16T05:00:00Z"
ROWS = [
    {
        "o": 1.0,
        "h": 2.0,
        "l": 1.0,
        "c": 2.0,
        "v": n * 10_000,
        "n": n * 10,
        "t": rfc3339.parse(TODAY),
    }
    for n in (1, 2, 3)
]


def event(row: dict[str, Any], event_id: str, timestamp: str = TODAY) -> dict[str, Any]:
    names = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v", "trade_count": "n"}
    return {
        "symbol": "SPY",
        "event_id": event_id,
        "timestamp": timestamp,
        **{name: row[key] for name, key in names.items()},
    }


def test_while_the_stream_withholds_prints_and_a_minute_after_nothing_is_known() -> None:
    complaints: list[str] = []
    now = [1_000_000_000]
    ledger = DayBarLedger(lambda _: ROWS[0], lambda: now[0])
    bars = DayBars("it", ("SPY", "IBM"), ledger, complaints.append)
    ledger.hide(now[0] + 1, "SPY")
    bars.event("bar.1Day", event(ROWS[1], "7-1"))
    now[0] += NOTICED_NS + 1
    bars.event("bar.1Day", event(ROWS[2], "7-2"))
    assert complaints == []

    now[0] += 1
    bars.event("bar.1Day", event(ROWS[1], "7-3"))
    assert ["never had" in each for each in complaints] == [True]


def test_a_bar_is_one_that_rest_has_had_and_in_the_end_its_newest() -> None:
    complaints: list[str] = []
    present = [ROWS[0]]
    ledger = DayBarLedger(lambda _: present[0])
    bars = DayBars("it", ("SPY",), ledger, complaints.append)
    ledger.note("SPY")
    present[0] = ROWS[1]

    bars.event("bar.1Day", event(ROWS[2], "6-9", "2026-11-13T05:00:00Z"))
    bars.event("bar.1Day", event(ROWS[2], "6-9", "2026-11-13T05:00:00Z"))
    bars.event("bar.1Day", event(ROWS[0], "7-1"))
    assert len(bars.differences()) == 1
    bars.event("bar.1Day", event(ROWS[1], "7-2"))
    assert (complaints, bars.differences()) == ([], [])
    bars.event("bar.1Day", event(ROWS[2], "7-3"))
    bars.event("bar.1Day", event(ROWS[1], "7-3"))
    assert ["never had" in complaints[0], "again, or late" in complaints[1]] == [True, True]
    assert len(complaints) == 2
    bars.opened()
    bars.event("bar.1Day", event(ROWS[1], "7-3"))
    assert len(complaints) == 2, "a stream starts with the newest value"
