"""The day of a split, from Alpaca's bars to a chart: history and live bars have one scale."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
import pytest

from ingest.market.adjusted_closes import READ_AT, reading_at
from ingest.market.trading_day import day_of, start_of
from ingest.upstream import snapshots
from ingest.upstream.daily_closes import DailyCloses
from shared import rfc3339
from shared.bus.redis_source import RedisSource
from simulator.service import Simulator, SimulatorSettings
from tests.event_stream import EventStream, open_stream
from tests.ingest.test_charts import (
    NS,
    is_final,
    minute,
    stored,
    trades_in,
    until_channel,
    until_stored,
)
from tests.ingest.watching import Watcher, relay, trade, until_subscribed
from tests.services import running_gateway

FRAMES = ("1Min", "1Hour", "1Day")
NEAR_MIDNIGHT_SECONDS = 65.0
"""A test of two days needs a minute of today that is over, and no midnight within it."""

KINDS = [f"bar.{frame}" for frame in FRAMES]


class Readings:
    """Lets the times come at which the adjusted closes are read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._at = READ_AT[0]
        self._done = asyncio.Event()
        read = DailyCloses.read

        async def noting(closes: DailyCloses, symbols: Any, seconds: Any) -> bool:
            is_read = await read(closes, symbols, seconds)
            if is_read and symbols:
                self._done.set()
            return is_read

        monkeypatch.setattr(snapshots, "reading_at", lambda ns: (reading_at(ns)[0], self._at))
        monkeypatch.setattr(DailyCloses, "read", noting)

    async def done(self) -> None:
        """Wait until the closes have been read."""
        await self._done.wait()

    def next(self) -> None:
        """Let the next time come."""
        self._done.clear()
        self._at = READ_AT[READ_AT.index(self._at) + 1]


class Day(NamedTuple):
    """A chart on the morning of a split of four new shares for one, which REST does not show yet.

    ``yesterday`` and ``today`` are the starts of minutes (unix s) that are over.
    """

    simulator: Simulator
    watching: Watcher
    url: str
    stream: EventStream
    readings: Readings
    yesterday: int
    today: int

    async def split(self) -> None:
        """Let REST adjust its bars, and the time of the next reading come."""
        self.simulator.faults.clear()
        self.readings.next()
        # Each topic has its own history, and its own event.
        await self.stream.until(lambda s: len(self.reloads(s)) >= len(FRAMES))

    def reloads(self, stream: EventStream) -> list[dict[str, Any]]:
        return [each for each in stream.of("reload") if each["reason"] == "split"]

    async def bars(self, frame: str) -> dict[int, dict[str, Any]]:
        """Return what a chart reads, by starts (unix s)."""
        async with httpx.AsyncClient() as client:
            query = {"symbols": "SPY", "timeframe": frame}
            answer = (await client.get(f"{self.url}/api/bars", params=query)).json()
        return {rfc3339.to_nanoseconds(b["timestamp"]) // NS: b for b in answer["bars"]["SPY"]}


async def away_from_midnight(
    now: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Wait until a minute of New York's day is over, or past the midnight that is near."""
    today = day_of(int(now * NS))
    begun, left = now - start_of(today) / NS, start_of(today + 1) / NS - now
    if left < NEAR_MIDNIGHT_SECONDS:
        await sleep(left + NEAR_MIDNIGHT_SECONDS)
    elif begun < NEAR_MIDNIGHT_SECONDS:
        await sleep(NEAR_MIDNIGHT_SECONDS - begun)


@pytest.mark.parametrize(
    ("time_of_day", "waits"),
    [
        ("23:58:50", []),
        ("23:59:50", [75]),
        ("00:00:00", [65]),
        ("00:00:50", [15]),
        ("00:01:05", []),
    ],
)
async def test_near_midnight_the_tests_wait(time_of_day: str, waits: list[float]) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    at = rfc3339.to_nanoseconds(f"2026-11-16T{time_of_day}-05:00") / NS
    await away_from_midnight(at, sleep)

    assert waited == waits


@asynccontextmanager
async def morning(source: RedisSource, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Day]:
    await away_from_midnight(time.time())
    readings = Readings(monkeypatch)
    settings = SimulatorSettings(tape=None, positions=(), splits={"SPY": 4.0})
    async with (
        relay(source, settings) as (simulator, watching, _),
        running_gateway(source) as url,
    ):
        simulator.faults.adjustment("SPY", ratio=1.0, seconds=3600)
        yesterday, today = minute() - 24 * 3600, minute()
        await trades_in(simulator, yesterday, 99, 100)
        async with open_stream(
            url, "/api/stream/bars", symbols="SPY", timeframe=",".join(FRAMES), interval=0
        ) as stream:
            await until_channel(simulator, "updatedBars", "SPY")
            await until_subscribed(simulator, "SPY")
            await until_stored(watching.client, yesterday, is_final(100))
            await readings.done()
            # The pre-market has the new shares: the last minute, and the one that runs.
            await trades_in(simulator, today, 25, 26)
            await simulator.send_bars(today * NS)
            await until_stored(watching.client, today, is_final(26))
            await trade(simulator, "SPY", 24)
            await stream.until(lambda s: any(each["close"] == 24 for each in s.of("bar.1Day")))
            yield Day(simulator, watching, url, stream, readings, yesterday, today)


async def test_a_split_gives_history_and_live_bars_one_scale_and_each_chart_reads_again(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with morning(source, monkeypatch) as day:
        before = {frame: await day.bars(frame) for frame in FRAMES}
        assert before["1Min"][day.yesterday]["close"] == 100
        await day.split()
        reloads = day.reloads(day.stream)
        after = {frame: await day.bars(frame) for frame in FRAMES}
        midnight = start_of(day_of(day.today * NS))

    assert {each["timeframe"] for each in reloads} == set(FRAMES)
    assert {rfc3339.to_nanoseconds(each["timestamp"]) for each in reloads} == {midnight}
    for frame in FRAMES:
        assert {bar["symbol"] for bar in after[frame].values()} == {"SPY"}
        assert max(bar["high"] for bar in after[frame].values()) < 30, "the new shares' scale"
        assert after[frame].keys() == before[frame].keys(), "no bar of either day is lost"
    old, new = before["1Min"][day.yesterday], after["1Min"][day.yesterday]
    assert (new["open"], new["close"], new["volume"]) == (24.75, 25, 4 * old["volume"])


async def test_a_split_that_is_noticed_late_leaves_the_bars_of_the_day_as_they_were(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with morning(source, monkeypatch) as day:
        await trades_in(day.simulator, day.today, 25, 26, 27)
        await day.simulator.send_bars(day.today * NS, "u")
        await until_stored(day.watching.client, day.today, is_final(27))
        await day.stream.until(lambda s: s.of("bar.1Day")[-1]["close"] == 24)
        before = {kind: await stored(day.watching.client, kind=kind) for kind in KINDS}
        await day.split()
        after = {kind: await stored(day.watching.client, kind=kind) for kind in KINDS}
        midnight = start_of(day_of(day.today * NS)) // NS
        # The bar of the day continues from there.
        await trade(day.simulator, "SPY", 29)
        await day.stream.until(lambda s: s.of("bar.1Day")[-1]["close"] == 29)

    for kind in KINDS:
        since = {start for start in before[kind] if start >= midnight}
        assert since
        for start in since:
            assert shown(after[kind][start]) == shown(before[kind][start])
    assert after["bar.1Min"][day.today]["revision"] == 1
    assert not after["bar.1Day"][midnight]["final"]
    newest = day.stream.of("bar.1Day")[-1]
    assert (newest["open"], newest["high"], newest["final"]) == (25, 29, False)


def shown(bar: dict[str, Any]) -> dict[str, Any]:
    """Return what a chart shows of a bar, whose span may end during the test."""
    return {name: value for name, value in bar.items() if name not in ("event_id", "final")}
