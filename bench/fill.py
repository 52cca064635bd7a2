"""From the fill of an order at the broker to the position on a client's stream.

Gateway and ingest are processes; broker and client are this one. The peer is alpaca-py's
``TradingStream`` for the same fills, connected directly to the broker and computing no positions.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

from alpaca.trading.stream import TradingStream

from bench.percentiles import percentile
from shared.bus.valkey_server import ValkeyServer
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.account.ledger import Holding
from simulator.service import Simulator, SimulatorSettings
from tests.ports import free_port
from tests.programs import ingest_environment, program, ready

Wait = Callable[[int], Awaitable[None]]
"""Waits until the client has received a position of this many shares."""

HELD = Holding("BAC", Decimal(1), Decimal("13.7"))
SETTINGS = SimulatorSettings(tape=None, positions=[HELD])
PAUSE_SECONDS = 0.05


@asynccontextmanager
async def alpaca_py(simulator: Simulator) -> AsyncIterator[Wait]:
    """Listen with alpaca-py."""
    updates: asyncio.Queue[Any] = asyncio.Queue()
    stream = TradingStream(
        DEFAULT_KEY, DEFAULT_SECRET, raw_data=True, url_override=f"{simulator.stream_url}/stream"
    )
    stream.subscribe_trade_updates(updates.put)
    listening = asyncio.create_task(stream._run_forever())  # type: ignore[no-untyped-call]  # noqa: SLF001

    async def wait(held: int) -> None:
        while (await updates.get())["data"].get("position_qty") != str(held):
            pass

    try:
        yield wait
    finally:
        await stream.close()
        listening.cancel()
        await asyncio.wait([listening])


@asynccontextmanager
async def tapecast(simulator: Simulator) -> AsyncIterator[Wait]:
    """Listen with a client of a gateway."""
    port = free_port()
    async with AsyncExitStack() as parts:
        valkey = await parts.enter_async_context(ValkeyServer())
        ingest = ingest_environment(simulator, valkey.url)
        await parts.enter_async_context(program("ingest", **ingest))
        await parts.enter_async_context(program("gateway", REDIS_URL=valkey.url, PORT=str(port)))
        await ready(f"http://127.0.0.1:{port}")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        parts.callback(writer.close)
        writer.write(b"GET /api/stream/positions?interval=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

        async def wait(held: int) -> None:
            while f'"qty":{held}.0,'.encode() not in await reader.readline():
                pass

        yield wait


async def measure(
    listener: Callable[[Simulator], contextlib.AbstractAsyncContextManager[Wait]], rounds: int
) -> list[float]:
    """Fill ``rounds`` orders for one share; return the ms until the client received each."""
    found = []
    async with Simulator(SETTINGS) as simulator, listener(simulator) as wait:
        state: Any = simulator.state()
        while not state["endpoints"]["account"]["streams"]:
            await asyncio.sleep(PAUSE_SECONDS)
            state = simulator.state()
        await asyncio.sleep(3)  # the first report has been read
        for held in range(2, rounds + 2):
            began = time.perf_counter()
            await simulator.fill("BAC", Decimal(1), Decimal("13.9"))
            async with asyncio.timeout(10):
                await wait(held)
            found.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(PAUSE_SECONDS)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench fill", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    given = parser.parse_args(arguments)
    print(f"ms from a fill to ... {'p50':>36}{'p99':>8}{'most':>8}")
    for name, listener in (
        ("alpaca-py's handler, at the broker", alpaca_py),
        ("the position on a client's stream", tapecast),
    ):
        values = asyncio.run(measure(listener, given.rounds))
        p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
        print(f"  {name:<48}{p50:>8.1f}{p99:>8.1f}{max(values):>8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
