"""The recorded morning and evening of 7 October 2013 make the bars that the rules demand."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ingest.bars.bar_changes import BarChange, MinutesNeed
from ingest.bars.bar_table import BarTable
from ingest.bars.timeframes import FOLDED, Timeframe
from ingest.market.bars import Bar
from ingest.market.market_hours import MarketHours
from ingest.market.prints import Trade
from shared import rfc3339

SECOND = 1_000_000_000
TAPES = Path(__file__).parent / "tapes"
SHIPPED = Path(__file__).parents[3] / "simulator/tape/tapes/us_consolidated_20131007_open.jsonl.gz"
TRADES = {"open": SHIPPED, "close": TAPES / "trades_20131007_close.jsonl.gz"}
SYMBOLS = frozenset({"AIG", "BAC", "IBM", "SPY"})


@cache
def expected(part: str) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return the rows by timeframe and symbol."""
    rows: dict[str, Any] = json.loads(
        gzip.decompress((TAPES / "expected_bars_20131007.json.gz").read_bytes())
    )[part]
    return rows


def bar_of(symbol: str, row: dict[str, Any]) -> Bar:
    at_ns = rfc3339.to_nanoseconds(row["t"])
    return Bar(symbol, at_ns, *(row[name] for name in ("o", "h", "l", "c", "v", "n", "vw")))


def bars(part: str, timeframe: Timeframe, begin: int, end: int) -> set[tuple[Any, ...]]:
    """Return the expected bars whose whole span is in ``[begin, end)``."""
    span = FOLDED.get(timeframe, 60 * SECOND)
    found = (
        bar_of(symbol, row) for symbol, rows in expected(part)[timeframe].items() for row in rows
    )
    return {_values(bar) for bar in found if begin <= bar.at_ns and bar.at_ns + span <= end}


def _values(bar: Bar) -> tuple[Any, ...]:
    return tuple(getattr(bar, name) for name in bar.__struct_fields__)


class Client:
    """Keeps the newest version of each bar, as a chart does."""

    def __init__(self, start: int) -> None:
        self.bars: dict[tuple[str, str, int], BarChange] = {}
        self.table = BarTable(MarketHours)
        for symbol in sorted(SYMBOLS):
            self.table.watch(symbol, ("1Min", "5Min", "15Min", "1Hour"), start)
        self.table.on_subscribed(SYMBOLS, SYMBOLS, start)
        self.now = start
        self.take()

    def pass_time(self, until: int) -> None:
        while self.now + SECOND < until:
            self.now += SECOND
            self.take()

    def take(self) -> None:
        for change in self.table.changes(self.now):
            assert isinstance(change, BarChange)
            self.bars[change.timeframe, change.bar.symbol, change.bar.at_ns] = change
        for need in self.table.needs(self.now):
            if isinstance(need, MinutesNeed):
                self.table.repair(need, (), self.now)

    def final(self, timeframe: Timeframe, begin: int, end: int) -> set[tuple[Any, ...]]:
        span = FOLDED.get(timeframe, 60 * SECOND)
        found = [
            change
            for (each, _, start), change in self.bars.items()
            if each == timeframe and begin <= start and start + span <= end
        ]
        assert all(change.final for change in found)
        return {_values(change.bar) for change in found}


@pytest.mark.parametrize(
    ("part", "begin", "end"),
    [
        ("open", "2013-10-07T13:30:00Z", "2013-10-07T13:45:00Z"),
        ("close", "2013-10-07T19:59:00Z", "2013-10-07T20:05:00Z"),
    ],
)
def test_a_tape_s_trades_alone_make_its_minutes_and_their_folds(
    part: str, begin: str, end: str
) -> None:
    first, last = rfc3339.to_nanoseconds(begin), rfc3339.to_nanoseconds(end)
    client = Client(first)
    with gzip.open(TRADES[part], "rt") as lines:
        for line in lines:
            row = json.loads(line)
            if row["T"] != "t":
                continue
            at_ns = rfc3339.to_nanoseconds(row["t"])
            client.pass_time(at_ns)
            conditions = tuple(row["c"]) if "c" in row else None
            tape = "B" if row["S"] == "SPY" else "A"
            print_ = Trade(row["S"], row["p"], row["s"], at_ns, None, row["x"], conditions, tape)
            client.table.on_trade(print_, at_ns, at_ns)
    client.pass_time(last + 40 * SECOND)

    for timeframe in ("1Min", "5Min", "15Min"):
        wanted = bars(part, timeframe, first, last)
        assert client.final(timeframe, first, last) == wanted
    assert len(bars(part, "1Min", first, last)) >= 17


@pytest.mark.parametrize(("part", "minutes"), [("open", 254), ("close", 53)])
def test_the_vendor_s_minutes_make_the_expected_folds(part: str, minutes: int) -> None:
    rows = sorted(
        (bar_of(symbol, row) for symbol, rows in expected(part)["1Min"].items() for row in rows),
        key=lambda bar: bar.at_ns,
    )
    begin = rows[0].at_ns // (3600 * SECOND) * 3600 * SECOND
    end = begin + 2 * 3600 * SECOND
    client = Client(begin)
    for bar in rows:
        client.pass_time(bar.at_ns + 60 * SECOND)
        client.table.on_bar(bar, client.now)
    client.pass_time(end + 40 * SECOND)

    assert len(rows) == minutes
    for timeframe in ("5Min", "15Min", "1Hour"):
        wanted = bars(part, timeframe, begin, end)
        assert client.final(timeframe, begin, end) == wanted
        assert wanted
