"""``python -m bench bars``: from the vendor's frames to the charts, and the filling of a history.

A feeder sends 10,000 symbols' bars of each minute within half a second. Ingest, Valkey, gateway
and 100 clients, which chart all of the symbols among them, are a process each.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

from bench.bars import report
from bench.bars.burst import Burst, burst, check, until_bars
from bench.bars.fill import Fill, fill
from bench.bars.pipeline import pipeline
from bench.bars.vendor_bars import MINUTE_SECONDS, BarPages, VendorMinutes, symbols_of
from bench.fanout.report import requirements


async def bursts(
    symbols: int, clients: int, minutes: int, feed: str = "iex"
) -> tuple[list[Burst], str]:
    """Send some minutes when they are due; return them, and a sentence about what came through."""
    names = symbols_of(symbols)
    vendor = VendorMinutes(names)
    async with pipeline(BarPages(names, 0), ALPACA_FEED=feed) as run:
        began = time.perf_counter()
        await run.chart(names, clients)
        await run.subscribed(names)
        print(f"subscribed and filled after {time.perf_counter() - began:.0f} s", flush=True)
        found: list[Burst] = []
        now = int(time.time())
        first = now - now % MINUTE_SECONDS
        for number in range(minutes):
            minute = first + number * MINUTE_SECONDS
            frames = vendor.frames(minute)
            await until_bars(minute)
            found.append(await burst(run, frames, symbols))
        bars, history = await run.usage(names[0])
        checked = await check(run, vendor, first + (minutes - 1) * MINUTE_SECONDS)
        return found, (
            f"{checked}; a symbol with {minutes} bars takes {bars:,} bytes of Redis for these, "
            f"and {history:,} for their events"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench bars", description=__doc__)
    parser.add_argument("--symbols", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--minutes", type=int, default=3, help="how many are sent")
    parser.add_argument("--filled", type=int, default=200, help="symbols of a history")
    parser.add_argument("--history", type=int, default=390, help="minutes of a history")
    parser.add_argument(
        "--feed", choices=("iex", "sip"), default="iex", help="sip: all trades are subscribed too"
    )
    given = parser.parse_args(arguments)
    filled: Fill = asyncio.run(fill(given.filled, given.history))
    print(report.fill_table(filled), flush=True)
    sent, checked = asyncio.run(bursts(given.symbols, given.clients, given.minutes, given.feed))
    print(f"{report.burst_table(sent)}\n  {checked}\n")
    print(requirements(report.verdicts(sent, filled)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
