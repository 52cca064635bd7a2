"""The bench of the bars: they still pass through all programs, and its own vendor is right."""

import time

import msgpack
import pytest

from bench.bars import report
from bench.bars.burst import SYMBOLS_READ_AT_ONCE, Burst, burst, check
from bench.bars.fill import Fill, fill
from bench.bars.pipeline import CLIENTS, GATEWAY, INGEST, VALKEY, Sizes, pipeline
from bench.bars.vendor_bars import MINUTE_SECONDS, PER_FRAME, BarPages, VendorMinutes, symbols_of
from shared.symbols import symbol_of


async def test_the_bars_of_a_minute_reach_every_chart() -> None:
    names = symbols_of(SYMBOLS_READ_AT_ONCE + 20)
    vendor = VendorMinutes(names)
    async with pipeline(BarPages(names, 0)) as run:
        await run.chart(names, 3)
        await run.subscribed(names)
        now = int(time.time())
        minute = now - now % MINUTE_SECONDS  # it need not have ended
        sent = await burst(run, vendor.frames(minute), len(names))

        assert await check(run, vendor, minute)
        assert await run.stored(names) == len(names)
        assert min(await run.usage(names[0])) > 0
        vendor.closes[names[-1]] += 0.01
        with pytest.raises(AssertionError, match=names[-1]):
            await check(run, vendor, minute)

    assert sent.delivered == sent.bars == len(names)
    assert set(sent.cpu) == {INGEST, VALKEY, GATEWAY, CLIENTS}
    assert sent.first <= min(sent.arrivals)


async def test_a_history_is_filled_for_all_charts() -> None:
    found = await fill(120, 30)

    assert found.bars in (120 * 30, 120 * 29)  # the newest minute may still run
    assert found.requests == 2  # of 100 symbols each
    assert found.memory > 0


def test_rest_pages_hold_each_bar_once_by_symbol_and_time() -> None:
    names = symbols_of(3)
    pages = BarPages(names, 5)
    query = {"timeframe": ["1Min"], "symbols": [",".join(reversed(names))], "limit": ["4"]}
    query |= {"start": ["2026-11-27T14:30:10Z"]}
    found: list[tuple[str, str]] = []
    token = None
    while True:
        page = pages(query if token is None else {**query, "page_token": [token]})
        assert isinstance(page, dict)
        rows = [(symbol, bar["t"]) for symbol, bars in page["bars"].items() for bar in bars]
        assert len(rows) <= 4
        found += rows
        if (token := page["next_page_token"]) is None:
            break

    times = [f"2026-11-27T14:{minute}:00Z" for minute in range(31, 36)]
    assert found == [(symbol, at) for symbol in names for at in times]
    assert pages.requests == 4


def test_a_minutes_frames_hold_a_bar_of_each_symbol_that_opens_at_the_last_close() -> None:
    names = symbols_of(PER_FRAME + 3)
    vendor = VendorMinutes(names)
    closes = dict(vendor.closes)
    frames = [msgpack.unpackb(frame[4:]) for frame in vendor.frames(1_795_900_200)]

    assert [len(frame) for frame in frames] == [PER_FRAME, 3]
    bars = [bar for frame in frames for bar in frame]
    assert [bar["S"] for bar in bars] == [symbol_of(name) for name in names]
    assert {bar["S"]: bar["o"] for bar in bars} == closes
    assert {bar["S"]: bar["c"] for bar in bars} == vendor.closes
    assert {bar["t"].seconds for bar in bars} == {1_795_900_200}
    assert all(bar["l"] <= min(bar["o"], bar["c"]) <= bar["h"] for bar in bars)


def test_the_slowest_minute_and_the_median_cost_are_judged() -> None:
    def sent(last: float, cpu: float) -> Burst:
        costs = {INGEST: cpu, VALKEY: 0.1, GATEWAY: 0.2, CLIENTS: 0.1}
        sizes = Sizes(costs, dict.fromkeys(costs, 2**20))
        return Burst(1_000, 0, 0.5, [0.6] * 999 + [last], costs, sizes, 300_000, 0.0)

    minutes = [sent(0.9, 0.010), sent(1.6, 0.020), sent(0.9, 0.090)]
    filled = Fill(10, 100, 1, 1.0, 0.1, 0.1, 99_000, 0.1)

    within, cost, stored = report.verdicts(minutes, filled)
    assert (within.measured, within.met) == ("1.1 s", False)
    assert (cost.measured, cost.met) == ("20 µs", True)
    assert (stored.measured, stored.met) == ("990 bytes", True)
    assert "20.0       100.0" in report.burst_table(minutes)
    assert "990 bytes" in report.fill_table(filled)
