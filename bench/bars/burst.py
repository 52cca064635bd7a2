"""One minute's bars of all symbols, sent within half a second, on their way to the charts."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

from bench.bars.pipeline import Pipeline, Sizes
from bench.bars.vendor_bars import MINUTE_SECONDS, VendorMinutes
from bench.fanout.machine import busy_seconds
from bench.percentiles import percentile

SPREAD_SECONDS = 0.5
"""The vendor sends a minute's bars within about this time."""

AFTER_MINUTE_SECONDS = 0.7
"""The first of them come this long after the minute."""

LIMIT_SECONDS = 60.0
POLL_SECONDS = 0.05

SETTLE_SECONDS = 2.0
"""What the ingest does about a minute after its bars have been published belongs to its cost."""

SYMBOLS_READ_AT_ONCE = 100


@dataclass(frozen=True)
class Burst:
    """``bars`` sent and ``delivered``, and from when to when the frames were, unix s.

    ``arrivals``: when each bar was read, unix s. ``cpu`` in seconds and ``sizes`` afterwards, by
    process. ``memory``: the bytes by which Redis has grown. ``elsewhere``: other programs' cores.
    """

    bars: int
    first: float
    last: float
    arrivals: Sequence[float]
    cpu: Mapping[str, float]
    sizes: Sizes
    memory: int
    elsewhere: float

    @property
    def delivered(self) -> int:
        """The number of bars that clients have read."""
        return len(self.arrivals)

    def seconds(self, share: float) -> float:
        """Return the seconds from the last frame within which a share of the bars was read."""
        return percentile(self.arrivals, share) - self.last


async def until_bars(minute: int) -> None:
    """Wait until the vendor sends the bars of the minute that starts at ``minute``, unix s."""
    await asyncio.sleep(max(0.0, minute + MINUTE_SECONDS + AFTER_MINUTE_SECONDS - time.time()))


async def burst(run: Pipeline, frames: Sequence[bytes], bars: int) -> Burst:
    """Send the frames evenly, each bar of one client, and wait until all are read.

    Raises:
        TimeoutError: they are not.
    """
    await run.load.measure()
    memory, before = await run.used_memory(), run.sizes()
    began, busy, own = time.perf_counter(), busy_seconds(), time.process_time()
    first = time.time()
    for number, frame in enumerate(frames):
        await asyncio.sleep(first + number * SPREAD_SECONDS / len(frames) - time.time())
        await run.feeder.write(frame)
    last = time.time()
    async with asyncio.timeout(LIMIT_SECONDS):
        while await run.load.arrived() < bars:  # noqa: ASYNC110 - it is a process
            await asyncio.sleep(POLL_SECONDS)
    await asyncio.sleep(SETTLE_SECONDS)
    sizes = run.sizes()
    cpu = sizes.since(before)
    others = busy_seconds() - busy - sum(cpu.values()) - (time.process_time() - own)
    return Burst(
        bars=bars,
        first=first,
        last=last,
        arrivals=[at / 1e6 for at in await run.load.arrivals()],
        cpu=cpu,
        sizes=sizes,
        memory=await run.used_memory() - memory,
        elsewhere=max(0.0, others) / (time.perf_counter() - began),
    )


async def check(run: Pipeline, minutes: VendorMinutes, minute: int) -> str:
    """Return a sentence: each symbol's newest bar at the gateway is that of a minute, unix s.

    Raises:
        AssertionError: one is not.
    """
    symbols = sorted(minutes.closes)
    starts = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(minute))
    # A connection each: an idle one may end just when it is used again.
    address, headers = f"http://127.0.0.1:{run.port}", {"Connection": "close"}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as http:
        for at in range(0, len(symbols), SYMBOLS_READ_AT_ONCE):
            some = ",".join(symbols[at : at + SYMBOLS_READ_AT_ONCE])
            path = f"/api/bars?symbols={some}&timeframe=1Min&limit=1"
            answer = (await http.get(path)).raise_for_status().json()
            for symbol, bars in answer["bars"].items():
                found = [(bar["timestamp"], bar["close"], bar["final"]) for bar in bars]
                sent = [(starts, minutes.closes[symbol], True)]
                assert found == sent, f"{symbol}: {found} is stored, {sent} was sent"
    return f"the newest bar of each of {len(symbols):,} symbols is right"
