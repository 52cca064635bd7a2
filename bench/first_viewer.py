"""From a browser's request for an unwatched symbol to its subscription at Alpaca.

Gateway and ingest are processes; the simulator is this one. For comparison, the figures include
the minimum: the time until the same request is answered with ``hello``.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

from bench.percentiles import percentile
from shared.bus.valkey_server import ValkeyServer
from simulator.service import Simulator, SimulatorSettings
from tests.ports import free_port
from tests.programs import ingest_environment, program, ready

LOOK_SECONDS = 0.0005


def subscribed(simulator: Simulator) -> set[str]:
    """Return the symbols of the sip stream's sessions."""
    endpoints = simulator.state()["endpoints"]
    assert isinstance(endpoints, dict)
    return set(endpoints["sip"]["subscriptions"])


async def view(port: int, symbols: Sequence[str], simulator: Simulator) -> tuple[float, float]:
    """Request symbols; return the ms until ``hello`` arrived, and until all were subscribed."""
    asked = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    path = f"/api/stream/prices?symbols={','.join(symbols)}"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    try:
        async with asyncio.timeout(10):
            await reader.readuntil(b"event: hello")
            greeted = time.perf_counter()
            while not subscribed(simulator).issuperset(symbols):  # noqa: ASYNC110 - the simulator has no event for it
                await asyncio.sleep(LOOK_SECONDS)
    finally:
        writer.close()
    return (greeted - asked) * 1000, (time.perf_counter() - asked) * 1000


async def measure(rounds: int, at_once: int) -> list[tuple[float, float]]:
    """Start everything and request other symbols in each round."""
    port = free_port()
    async with AsyncExitStack() as parts:
        enter = parts.enter_async_context
        valkey = await enter(ValkeyServer())
        simulator = await enter(Simulator(SimulatorSettings(tape=None, plan="plus")))
        environment = ingest_environment(simulator, valkey.url)
        await enter(program("ingest", **environment, ALPACA_FEED="sip"))
        await enter(
            program("gateway", REDIS_URL=valkey.url, PORT=str(port), MAX_TOPICS_PER_CLIENT="1000")
        )
        await ready(f"http://127.0.0.1:{port}")
        await view(port, ["WARM"], simulator)
        measured = []
        for number in range(rounds):
            symbols = [f"R{number}N{each}" for each in range(at_once)]
            measured.append(await view(port, symbols, simulator))
            await asyncio.sleep(0.1)
    return measured


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench first_viewer", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    given = parser.parse_args(arguments)
    print(f"ms from a request to ... {'p50':>24}{'p99':>8}")
    for at_once, rounds in ((1, given.rounds), (1000, max(1, given.rounds // 10))):
        measured = asyncio.run(measure(rounds, at_once))
        greeted, subscribed_to = zip(*measured, strict=True)
        for name, values in (("hello", greeted), ("Alpaca's subscription", subscribed_to)):
            p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
            print(f"  {at_once:>4} new symbols: {name:<26}{p50:>8.1f}{p99:>8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
