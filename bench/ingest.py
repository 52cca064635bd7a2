"""CPU per tick of the whole ingest, beside alpaca-py with a handler that does nothing.

Each reads the same frames of real trades, with 1, 10 and 100 to a frame, in turns, at full speed:

- the peers: alpaca-py's ``StockDataStream``, with ``raw_data=True`` and by default (parsed);
- Tapecast: ``python -m ingest``, from the frame to its scripts' responses from a real Valkey.

Each is a process; its CPU time is user plus system between the first tick and the last one.
``--flat`` sends ten million ticks to the ingest alone and fails if its memory grows.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import psutil
from redis.asyncio import Redis

from bench.feeder import Feeder
from bench.ingest_figures import SPANS, Span, table
from bench.tape_frames import BLOCK_TRADES, Block, TapeFrames, tape_trades
from shared import ingest_status, message
from shared.bus.keys import Keyspace
from shared.bus.valkey_server import ValkeyServer
from shared.ingest_status import IngestStatus
from shared.topics import price_topic
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from tests.programs import Program, program

KEYSPACE = Keyspace()

VOLLEY_BLOCKS = 10
"""The ticks sent before the reader must catch up: fewer than the outbox's limit, since prices would
otherwise be conflated instead of published."""

WARM_UP_TICKS = 20 * BLOCK_TRADES
SETTLE_SECONDS = 2.0
POLL_SECONDS = 0.002
LIMIT_SECONDS = 900.0
"""The limit of one span: if it takes longer, ticks have been lost."""

CLAIM_SECONDS = 110.0
"""The ingest removes a claim that is to last more than two minutes."""

LAST = "AA"
"""The symbol of the last tick of each span; the tape has no trades of it."""

FLAT_TICKS, FLAT_FROM, FLAT_GROWTH = 10_000_000, 1_000_000, 0.1


@dataclass
class Reader:
    """A process that reads from its own feeder.

    ``read`` returns whether the tick of ``LAST`` at a price has come through.
    """

    name: str
    feeder: Feeder
    program: Program
    read: Callable[[float], Awaitable[bool]]
    spans: dict[int, list[Span]] = field(default_factory=dict)


class Bench:
    """The readers, the frames, and the last price sent for each symbol."""

    def __init__(self, valkey: ValkeyServer) -> None:
        trades = tape_trades()
        self.frames = {size: TapeFrames(trades, size) for size in SPANS}
        self.last = {trade["S"]: dict(trade, c=[" "]) for trade in trades}
        self.last[LAST] = dict(trades[0], S=LAST, z="A", p=8.0, c=[" "])
        self.symbols = sorted(self.last)
        self.valkey = valkey
        self.redis = Redis.from_url(valkey.url)

    async def span(
        self, reader: Reader, per_frame: int, ticks: int, volley_blocks: int = VOLLEY_BLOCKS
    ) -> Span:
        """Send ticks to a reader until it has read them all; return their cost."""
        await self.subscribed(reader)
        processes = [psutil.Process(pid) for pid in (reader.program.process.pid, self.valkey.pid)]
        before, started = [_cpu(process) for process in processes], time.perf_counter()
        sent = reader.feeder.sent
        for blocks in _batched(self.frames[per_frame].blocks(ticks), volley_blocks):
            for block in blocks:
                await reader.feeder.send(block)
            await reader.feeder.send(self._last_of_all())
            async with asyncio.timeout(LIMIT_SECONDS):
                while not await reader.read(self.last[LAST]["p"]):  # noqa: ASYNC110 - it is a process
                    await asyncio.sleep(POLL_SECONDS)
        wall = time.perf_counter() - started
        cpu, valkey = (_cpu(each) - was for each, was in zip(processes, before, strict=True))
        return Span(reader.feeder.sent - sent, wall, cpu, valkey)

    async def subscribed(self, reader: Reader) -> None:
        """Wait until a reader has subscribed to everything.

        Raises:
            AssertionError: it has not; the message contains its output.
        """
        await claim(self.redis, self.symbols)
        try:
            await reader.feeder.subscribed(self.symbols)
        except TimeoutError:
            raise AssertionError(f"{reader.name} said:\n{reader.program.output}") from None

    def _last_of_all(self) -> Block:
        """Make a frame with a regular trade of each symbol, a cent above its last one."""
        for trade in self.last.values():
            trade["p"] = round(trade["p"] + 0.01, 2)
        ordered = [self.last[symbol] for symbol in self.symbols if symbol != LAST]
        return Block([*ordered, self.last[LAST]], len(self.last))

    async def check(self, ours: Reader) -> str:
        """Return the ingest's counts as a sentence.

        Raises:
            AssertionError: it has lost ticks, or Redis has a wrong last price.
        """
        sent = ours.feeder.sent
        async with asyncio.timeout(10):
            while (status := await self._status()).tape.ticks < sent:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.1)
        ticks = status.tape.ticks
        assert ticks == sent, f"{ticks} ticks were read, {sent} were sent"
        for symbol in self.symbols:
            stored, sent_price = await self._stored(symbol), self.last[symbol]["p"]
            assert stored == sent_price, f"{symbol}: {stored} is stored, {sent_price} was sent"
        share = status.published / sent
        return (
            f"{sent:,} ticks sent, all read; {share:.1%} of them published; "
            f"the last price of each of {len(self.symbols)} symbols is right"
        )

    async def stored_last(self, price: float) -> bool:
        """Return whether Redis has this price of ``LAST``."""
        return await self._stored(LAST) == price

    async def _stored(self, symbol: str) -> float | None:
        stored: Any = await self.redis.get(KEYSPACE.last(price_topic(symbol)))
        return None if stored is None else json.loads(message.unpack(stored).body)["price"]

    async def _status(self) -> IngestStatus:
        """Return the status, which exists while an ingest leads."""
        stored: Any = await self.redis.get(KEYSPACE.ingest_status)
        return ingest_status.decode(stored)


async def claim(redis: Redis, symbols: Sequence[str]) -> None:
    """Claim interest in the symbols' prices for longer than a span takes; a gateway has 15 s."""
    until = f"{int((time.time() + CLAIM_SECONDS) * 1000)} 1"
    await redis.hset(KEYSPACE.interest, mapping={f"bench {price_topic(s)}": until for s in symbols})
    await redis.publish(KEYSPACE.interest_channel, "changed")


@asynccontextmanager
async def peer(bench: Bench, form: str) -> AsyncIterator[Reader]:
    """Run alpaca-py with raw or parsed data."""
    others = [symbol for symbol in bench.symbols if symbol != LAST]
    async with Feeder() as feeder:
        url = f"ws://{feeder.address}/v2/iex"
        async with program("bench.noop", url, form, LAST, *others) as running:
            told = 0

            async def read(_: float) -> bool:
                nonlocal told
                if running.output.count("last\n") == told:
                    return False
                told += 1
                return True

            yield Reader(f"alpaca-py, {form}", feeder, running, read)


@asynccontextmanager
async def ingest(bench: Bench) -> AsyncIterator[Reader]:
    """Run our ingest with a gateway's interest in every symbol."""
    await claim(bench.redis, bench.symbols)
    async with Feeder() as feeder:
        environment = {
            "REDIS_URL": bench.valkey.url,
            "ALPACA_PAPER_API_KEY": DEFAULT_KEY,
            "ALPACA_PAPER_SECRET_KEY": DEFAULT_SECRET,
            "ALPACA_STREAM_URL": f"ws://{feeder.address}",
            "ALPACA_DATA_URL": f"http://{feeder.address}",
            "ALPACA_TRADING_URL": f"http://{feeder.address}",
            "ALPACA_TRADE_UPDATES": "false",  # the feeder has one reader
        }
        async with program("ingest", **environment) as running:
            yield Reader("tapecast's ingest", feeder, running, bench.stored_last)


async def compare(ticks: int, rounds: int) -> str:
    """Measure all readers in turns and return the figures as a table."""
    async with AsyncExitStack() as parts:
        bench = Bench(await parts.enter_async_context(ValkeyServer()))
        parts.push_async_callback(bench.redis.aclose)
        readers = [
            await parts.enter_async_context(each)
            for each in (peer(bench, "raw"), peer(bench, "parsed"), ingest(bench))
        ]
        for reader in readers:
            await bench.subscribed(reader)
        await asyncio.sleep(SETTLE_SECONDS)  # first look-ups by REST
        for reader in readers:
            await bench.span(reader, 100, WARM_UP_TICKS)
        for _ in range(rounds):
            for size, times in SPANS.items():
                for reader in readers:
                    spans = reader.spans.setdefault(size, [])
                    spans.append(await bench.span(reader, size, times * ticks))
        checked = await bench.check(readers[-1])
        return table({reader.name: reader.spans for reader in readers}, checked)


async def flat(ticks: int, start: int) -> int:
    """Send ticks, print the ingest's memory during the run, and return 1 if it grew."""
    async with AsyncExitStack() as parts:
        bench = Bench(await parts.enter_async_context(ValkeyServer()))
        parts.push_async_callback(bench.redis.aclose)
        ours = await parts.enter_async_context(ingest(bench))
        await bench.subscribed(ours)
        await asyncio.sleep(SETTLE_SECONDS)
        sizes: list[int] = []
        while ours.feeder.sent < ticks:
            await bench.span(ours, 100, start, volley_blocks=start)
            sizes.append(psutil.Process(ours.program.process.pid).memory_info().rss)
            print(f"  {ours.feeder.sent:>12,} ticks  RSS {sizes[-1] / 2**20:7.1f} MiB", flush=True)
        growth = sizes[-1] / sizes[0] - 1
        print(f"  grown by {growth:.1%}; {await bench.check(ours)}")
        return int(growth > FLAT_GROWTH)


def _batched(blocks: Iterator[Block], size: int) -> Iterator[list[Block]]:
    while batch := list(islice(blocks, size)):
        yield batch


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench ingest", description=__doc__)
    parser.add_argument("--ticks", type=int, default=100_000, help="of the shortest span")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--flat", action="store_true", help="memory over ten million ticks")
    given = parser.parse_args(arguments)
    if given.flat:
        return asyncio.run(flat(FLAT_TICKS, FLAT_FROM))
    print(asyncio.run(compare(given.ticks, given.rounds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
