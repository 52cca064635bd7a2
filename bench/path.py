"""How many files a reader opens to follow a request through the gateway, and how often again.

A profile hook lists the calls of the gateway's functions, in order, from the request's first byte
to the stream's ``ready``. A *move* is a call into another file than the call before it. A *move
back* leads to a file that was visited before. The client, libraries and comprehensions do not
count. Another task, such as a heartbeat, may run meanwhile, so the fewest moves of several runs
count. ``--list`` prints the calls.
"""

import argparse
import asyncio
import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from gateway.service import GatewayService
from gateway.settings import GatewaySettings
from shared import logs, message
from shared.bus.keys import Keyspace
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.event_id import EventId
from shared.price import Price
from shared.price import encode as encode_price
from shared.topics import price_topic

KEYSPACE = Keyspace()

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = tuple(f"{ROOT / folder}/" for folder in ("gateway", "shared"))
ANSWER_SECONDS = 10.0
QUIET_SECONDS = 0.27
"""How long each request waits. No multiple of 0.1 s, which would meet the housekeeping."""


class Call(NamedTuple):
    """A call of a function: its file, from the root of the repository, and its name."""

    file: str
    function: str


class Figures(NamedTuple):
    """The way of one request. ``lines`` is the length of all its files."""

    files: int
    lines: int
    functions: int
    calls: int
    moves: int
    back: int

    @classmethod
    def of(cls, calls: Sequence[Call]) -> "Figures":
        """Count calls in the order in which they were made."""
        files = {call.file for call in calls}
        moves = sum(one.file != other.file for one, other in pairwise(calls))
        return cls(
            files=len(files),
            lines=sum(len((ROOT / file).read_text().splitlines()) for file in files),
            functions=len(set(calls)),
            calls=len(calls),
            moves=moves,
            # Every file but the first is entered once by a move that is not a move back.
            back=moves - max(len(files) - 1, 0),
        )


@contextmanager
def recorded() -> Iterator[list[Call]]:
    """Yield the list of calls, which grows until the end of the context."""
    calls: list[Call] = []
    frames: dict[int, FrameType] = {}

    def on_event(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(FOLDERS):
            return
        # A coroutine that is resumed after an await is the same call. Frames are kept, so that no
        # two have the same id.
        if id(frame) in frames or code.co_name.startswith("<"):
            return
        frames[id(frame)] = frame
        calls.append(Call(code.co_filename.removeprefix(f"{ROOT}/"), code.co_name))

    sys.setprofile(on_event)
    try:
        yield calls
    finally:
        sys.setprofile(None)


async def open_stream(port: int, symbol: str) -> asyncio.StreamWriter:
    """Open a stream of prices and read it until ``ready``."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    path = f"/api/stream/prices?symbols={symbol}"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    async with asyncio.timeout(ANSWER_SECONDS):
        await reader.readuntil(b"event: ready")
    return writer


async def follow(port: int, symbol: str) -> list[Call]:
    """Return the calls that one request leads to."""
    gc.collect()
    await asyncio.sleep(QUIET_SECONDS)
    with recorded() as calls:
        writer = await open_stream(port, symbol)
    writer.close()
    return calls


async def store_price(source: RedisSource, symbol: str) -> None:
    """Store a price as an ingest does, so that a stream's snapshot holds one."""
    event_id = EventId(1, 1)
    stamped = message.stamp(event_id, encode_price(Price(symbol=symbol, price=167.43)))
    async with source.client("bench") as client:
        await client.set(KEYSPACE.last(price_topic(symbol)), message.pack(event_id, stamped))


async def measure(rounds: int) -> dict[str, list[Call]]:
    """Return the calls for topics that are in memory, and for topics that are new."""
    async with ValkeyServer() as valkey:
        settings = GatewaySettings(_env_file=None, host="127.0.0.1", port=0)  # type: ignore[call-arg]
        source = RedisSource(valkey.url)
        await store_price(source, "SPY")
        service = GatewayService.bind(settings, source)
        port = service.port
        stop = asyncio.Event()
        running = asyncio.create_task(service.run(stop))
        try:
            watching = await open_stream(port, "SPY")
            warm = [await follow(port, "SPY") for _ in range(rounds)]
            new = [await follow(port, f"N{number}") for number in range(rounds)]
            watching.close()
        finally:
            stop.set()
            with suppress(asyncio.CancelledError):
                await running

    def moves_back(calls: list[Call]) -> int:
        return Figures.of(calls).back

    return {
        "topics in memory": min(warm, key=moves_back),
        "a topic that is new": min(new, key=moves_back),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench path", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args(arguments)
    logs.configure("error", "console", "bench")
    measured = asyncio.run(measure(given.rounds))
    print(f"{'GET /api/stream/prices':<24}" + "".join(f"{each:>11}" for each in Figures._fields))
    for name, calls in measured.items():
        print(f"{name:<24}" + "".join(f"{each:>11}" for each in Figures.of(calls)))
    if given.list:
        for name, calls in measured.items():
            print(f"\n{name}:")
            print("\n".join(f"  {call.file} {call.function}" for call in calls))
    return 0


if __name__ == "__main__":
    sys.exit(main())
