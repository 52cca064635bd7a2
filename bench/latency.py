"""From the simulator's send to a client's read, beside alpaca-py's own stream on the same tape.

The simulator stamps each trade when it sends it, so a reader's clock minus the trade's
``timestamp`` is the latency. In one run, on the same trades:

- the peer: alpaca-py's ``StockDataStream`` connected directly to the simulator's ``/v2/sip``;
- Tapecast: ``/v2/iex`` → ingest → Valkey → gateway → a stream with ``interval=0``, each a process.
"""

import argparse
import asyncio
import json
import platform
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from alpaca.data.enums import DataFeed
from alpaca.data.live import StockDataStream

from bench.percentiles import percentile
from bench.tape_ingest import tape_ingest
from shared import rfc3339
from shared.bus.valkey_server import ValkeyServer
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from tests.ports import free_port
from tests.programs import program, ready

SYMBOLS = ("SPY", "IBM", "BAC", "AIG")


@dataclass
class Measured:
    """Latencies in ms."""

    peer: list[float] = field(default_factory=list)
    to_ingest: list[float] = field(default_factory=list)
    to_client: list[float] = field(default_factory=list)


def peer(url: str, measured: Measured) -> StockDataStream:
    """Return alpaca-py's stream, which records the latency of each trade."""

    async def on_trade(trade: Any) -> None:
        measured.peer.append((time.time_ns() - trade["t"].to_unix_nano()) / 1e6)

    stream = StockDataStream(
        DEFAULT_KEY, DEFAULT_SECRET, raw_data=True, feed=DataFeed.SIP, url_override=url
    )
    stream.subscribe_trades(on_trade, *SYMBOLS)
    return stream


async def read_stream(port: int, measured: Measured) -> None:
    """Read the gateway's stream from a bare socket until cancelled."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    path = f"/api/stream/prices?symbols={','.join(SYMBOLS)}&interval=0"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    live = False
    try:
        async for line in reader:
            read_at = time.time_ns()
            if line.startswith(b"event: ready"):
                live = True
            elif live and line.startswith(b'data: {"event_id"') and b'"timestamp":"' in line:
                price = json.loads(line.removeprefix(b"data: "))
                sent_at = rfc3339.to_nanoseconds(price["timestamp"])
                measured.to_client.append((read_at - sent_at) / 1e6)
                measured.to_ingest.append((price["received"] * 1000 - sent_at) / 1e6)
    finally:
        writer.close()


async def measure(seconds: float, speed: float) -> Measured:
    """Start everything, read for a while, and end it again."""
    measured = Measured()
    gateway = free_port()
    async with AsyncExitStack() as parts:
        enter = parts.enter_async_context
        valkey = await enter(ValkeyServer())
        market = await enter(tape_ingest(valkey.url, speed))
        await enter(program("gateway", REDIS_URL=valkey.url, PORT=str(gateway)))
        await ready(f"http://127.0.0.1:{gateway}")
        direct = peer(f"ws://127.0.0.1:{market.port}/v2/sip", measured)
        readers = [
            # run() would start its own event loop
            asyncio.create_task(direct._run_forever()),  # noqa: SLF001
            asyncio.create_task(read_stream(gateway, measured)),
        ]
        await asyncio.sleep(5)  # everything connects and warms up
        for values in (measured.peer, measured.to_ingest, measured.to_client):
            values.clear()
        await asyncio.sleep(seconds)
        readers[1].cancel()
        await direct.stop_ws()  # it swallows a cancellation, and checks this every five seconds
        await asyncio.wait(readers, timeout=10)
    return measured


def report(measured: Measured, seconds: float, speed: float) -> str:
    """Return the figures as a table."""

    def row(name: str, values: Sequence[float]) -> str:
        p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
        return f"  {name:<44}{p50:>8.2f}{p99:>8.2f}{len(values):>8}"

    ratios = [
        percentile(measured.to_client, share) / percentile(measured.peer, share)
        for share in (0.5, 0.99)
    ]
    machine = f"Python {platform.python_version()}, {platform.machine()}"
    return "\n".join(
        (
            f"ms from the simulator's send ({seconds:g} s, tape at {speed:g}x, {machine})",
            f"  {'':<44}{'p50':>8}{'p99':>8}{'trades':>8}",
            row("peer: alpaca-py's StockDataStream, direct", measured.peer),
            row("to the ingest", measured.to_ingest),
            row("to a client of the gateway", measured.to_client),
            f"  {'client / peer':<44}{ratios[0]:>8.2f}{ratios[1]:>8.2f}",
        )
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench latency", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--speed", type=float, default=1)
    given = parser.parse_args(arguments)
    print(report(asyncio.run(measure(given.seconds, given.speed)), given.seconds, given.speed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
