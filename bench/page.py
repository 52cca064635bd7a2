"""The page in a real Chromium: frames a second, and its heap, while every symbol ticks.

Valkey, gateway and browser are processes; the publisher is this one. All share the machine. An
empty page in the same browser gives the maximum number of frames.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from bench.fanout.publisher import RedisPublisher, publish_evenly
from bench.fanout.workload import Tape, symbols
from bench.percentiles import percentile
from shared.bus.valkey_server import ValkeyServer
from shared.cancellation import cancel
from tests.ingest_report import reporting
from tests.ports import free_port
from tests.programs import program, ready

DRIVER = Path(__file__).parent / "page_frames.mjs"
LIMIT_SECONDS = 60.0
DRIVER_END_SECONDS = 10.0
FRAMES = 55.0
"""The required minimum per second in the median window."""

GROWTH = 0.05
"""The largest growth of the page's memory from the first third of the run to the last."""


@dataclass
class Measured:
    """``frames`` are of windows of a second. ``held`` and ``code`` are bytes after a collection.

    The engine compiles frequently used functions for minutes: that code is counted separately.
    """

    empty: float = 0.0
    frames: list[float] = field(default_factory=list)
    longest: list[float] = field(default_factory=list)
    longs: int = 0
    held: list[int] = field(default_factory=list)
    code: list[int] = field(default_factory=list)
    elements: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Symbols for which the page does not show the newest price in the end."""

    @property
    def growth(self) -> float:
        """The relative growth of the median memory from the first third of the run to the last."""
        first, _, last = thirds(self.held)
        return last / first - 1

    def take(self, told: Mapping[str, Any]) -> None:
        """Record a line of the driver."""
        match told["kind"]:
            case "empty":
                self.empty = told["frames"]
            case "window":
                self.frames.append(told["frames"])
                self.longest.append(told["longest"])
                self.longs += told["longs"]
            case "heap":
                self.held.append(told["held"])
                self.code.append(told["code"])
                self.elements.append(told["elements"])


def thirds(values: Sequence[int]) -> tuple[float, float, float]:
    """Return the median in each third of a run."""
    third = max(1, len(values) // 3)
    parts = values[:third], values[third:-third] or values, values[-third:]
    first, middle, last = (float(statistics.median(part)) for part in parts)
    return first, middle, last


async def measure(count: int, rate: float, seconds: float, *, chromium: str) -> Measured:
    """Show ``count`` symbols that tick ``rate`` times a second each, for ``seconds``."""
    measured, traded, port = Measured(), symbols(count), free_port()
    tape = Tape(traded, time.time_ns)
    async with AsyncExitStack() as parts:
        valkey = await parts.enter_async_context(ValkeyServer())
        redis = await parts.enter_async_context(Redis.from_url(valkey.url))
        await parts.enter_async_context(reporting(redis, traded))
        await parts.enter_async_context(program("gateway", REDIS_URL=valkey.url, PORT=str(port)))
        await ready(f"http://127.0.0.1:{port}")
        publisher = RedisPublisher(redis)
        await publisher.store(tape.one_of_each())
        url = f"http://127.0.0.1:{port}/?symbols={','.join(traded)}&interval=0"
        driver = await parts.enter_async_context(_driver(url, seconds, chromium))
        async with asyncio.timeout(seconds + LIMIT_SECONDS):
            ticking = asyncio.create_task(
                publish_evenly(tape, publisher, rate * count, seconds + LIMIT_SECONDS)
            )
            try:
                async for told in _told(driver):
                    measured.take(told)
                    if told["kind"] == "end":
                        break
            finally:
                await cancel(ticking)
            last = tape.one_of_each()
            await publisher.send(last)
            measured.wrong = wrong(
                {tick.symbol: json.loads(tick.body)["price"] for tick in last},
                await _shown(driver),
            )
    return measured


@asynccontextmanager
async def _driver(
    url: str, seconds: float, chromium: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the browser's driver; at the end of the block both are gone, however it ends."""
    driver = await asyncio.create_subprocess_exec(
        "node",
        str(DRIVER),
        url,
        str(seconds),
        str(max(2.0, seconds / 20)),
        env={**os.environ, "CHROMIUM": chromium},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield driver
    finally:
        if driver.returncode is None:
            driver.terminate()  # it ends its browser
            try:
                async with asyncio.timeout(DRIVER_END_SECONDS):
                    await driver.wait()
            except TimeoutError:
                driver.kill()
                await driver.wait()


async def _told(driver: asyncio.subprocess.Process) -> AsyncIterator[dict[str, Any]]:
    assert driver.stdout is not None
    async for line in driver.stdout:
        yield json.loads(line)
    raise RuntimeError("the browser's driver has failed: see above")


async def _shown(driver: asyncio.subprocess.Process) -> dict[str, str]:
    """Return the prices on the page, by symbol, and end the browser."""
    assert driver.stdin is not None
    driver.stdin.write(b"\n")
    prices: dict[str, str] = (await anext(_told(driver)))["prices"]
    await driver.wait()
    return prices


def wrong(newest: Mapping[str, float], shown: Mapping[str, str]) -> list[str]:
    """Return the symbols for which the page does not show the newest price."""
    return [
        symbol
        for symbol, price in newest.items()
        if re.sub(r"[^0-9.]", "", shown.get(symbol, "")) != f"{price:.2f}"
    ]


def report(measured: Measured, count: int, rate: float) -> str:
    """Return the figures as a table, and whether they meet the requirements."""
    frames, elements = measured.frames, measured.elements
    median, low, least = statistics.median(frames), percentile(frames, 0.05), min(frames)
    long = percentile(measured.longest, 0.99)
    share = median / measured.empty
    held, code = (
        ", ".join(f"{size / 1e6:.2f}" for size in thirds(sizes))
        for sizes in (measured.held, measured.code)
    )
    return f"""\
{count} symbols, {rate:g} updates a second each, {len(frames)} windows of a second

| | frames/s, median | p5 | least | longest frame, p99, ms | frames over 50 ms |
|---|---|---|---|---|---|
| an empty page | {measured.empty:.1f} | | | | |
| the page | {median:.1f} | {low:.1f} | {least:.1f} | {long:.0f} | {measured.longs} |

of the empty page's frames: {share:.3f}; required: {FRAMES:g} frames/s
MB that the page holds, median of each third of the time: {held}
from the first to the last: {measured.growth:+.1%}, at most {GROWTH:.0%}
MB of compiled code beside it: {code}; elements: {elements[0]}, then {elements[-1]}
wrong prices in the end: {", ".join(measured.wrong) or "none"}"""


def main(arguments: Sequence[str]) -> int:
    """``python -m bench page --seconds 600``."""
    parser = argparse.ArgumentParser(prog="python -m bench page", description=__doc__)
    parser.add_argument("--symbols", type=int, default=200)
    parser.add_argument("--rate", type=float, default=20.0, help="updates a second of each symbol")
    parser.add_argument("--seconds", type=float, default=60.0, help="600 for a heap of ten minutes")
    given = parser.parse_args(arguments)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or shutil.which("node") is None:
        print("bench page needs node, chromium, and npm ci in tests/foreign/js: not measured")
        return 0
    measured = asyncio.run(measure(given.symbols, given.rate, given.seconds, chromium=chromium))
    print(report(measured, given.symbols, given.rate))
    met = statistics.median(measured.frames) >= FRAMES and measured.growth <= GROWTH
    return 0 if met and not measured.wrong else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
