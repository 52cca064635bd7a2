"""The readers of ``bench/ingest.py``: each a process that reads the same ticks at full speed.

- the peers: alpaca-py's ``StockDataStream``, with ``raw_data=True`` and by default (parsed);
- Tapecast: ``python -m ingest``, from the frame to its scripts' responses from a real Valkey.

A process' CPU time is user plus system between the first tick and the last one.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import psutil
from redis.asyncio import Redis

from bench.feeder import Feeder
from bench.ingest_figures import SPANS, Span
from bench.tape_frames import Block, TapeFrames, spread, tape_trades
from shared import ingest_status, message
from shared.bus.keys import Keyspace
from shared.bus.valkey_server import ValkeyServer
from shared.ingest_status import IngestStatus
from shared.topics import price_topic
from tests.programs import Program, program

KEYSPACE = Keyspace()

VOLLEY_BLOCKS = 10
"""The ticks sent before the reader must catch up: fewer than the outbox's limit, since prices would
otherwise be conflated instead of published."""

POLL_SECONDS = 0.002
LIMIT_SECONDS = 900.0
"""The limit of one span: if it takes longer, ticks have been lost."""

CLAIM_SECONDS = 110.0
"""The ingest removes a claim that is to last more than two minutes."""

LAST = "AA"
"""The symbol of the last tick of each span; the tape has no trades of it."""


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

    @property
    def resident(self) -> int:
        """The process' memory in bytes."""
        return int(psutil.Process(self.program.process.pid).memory_info().rss)


class Bench:
    """The frames of some sizes, and the last price sent for each symbol.

    ``symbols``: the number of symbols that the tape's trades are spread over, ``LAST`` included;
    None: those of the tape.
    """

    def __init__(
        self,
        valkey: ValkeyServer,
        symbols: int | None = None,
        sizes: Collection[int] = tuple(SPANS),
    ) -> None:
        trades = tape_trades()
        if symbols is not None:
            trades = spread(trades, symbols - 1)
        self.frames = {size: TapeFrames(trades, size) for size in sizes}
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
            await self._send_last(reader, [LAST])
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

    async def check(self, ours: Reader) -> str:
        """Send a last trade of each symbol, and return the ingest's counts as a sentence.

        Raises:
            AssertionError: it has lost ticks, or Redis has a wrong last price.
        """
        await self._send_last(ours, [*(s for s in self.symbols if s != LAST), LAST])
        sent = ours.feeder.sent
        async with asyncio.timeout(10):
            while (status := await self._status()).tape.ticks < sent:  # noqa: ASYNC110 - it is a process
                await asyncio.sleep(0.1)
        ticks = status.tape.ticks
        assert ticks == sent, f"{ticks} ticks were read, {sent} were sent"
        for symbol in self.symbols:
            stored, sent_price = await self._stored(symbol), self.last[symbol]["p"]
            assert stored == sent_price, f"{symbol}: {stored} is stored, {sent_price} was sent"
        share = status.published / sent
        return (
            f"{sent:,} ticks sent, all read; {share:.1%} of them published; "
            f"the last price of each of {len(self.symbols):,} symbols is right"
        )

    async def stored_last(self, price: float) -> bool:
        """Return whether Redis has this price of ``LAST``."""
        return await self._stored(LAST) == price

    async def _send_last(self, reader: Reader, symbols: Sequence[str]) -> None:
        """Send a regular trade of symbols, a cent above the last one; wait until all are read."""
        for symbol in symbols:
            trade = self.last[symbol]
            trade["p"] = round(trade["p"] + 0.01, 2)
        await reader.feeder.send(Block([self.last[symbol] for symbol in symbols], len(symbols)))
        async with asyncio.timeout(LIMIT_SECONDS):
            while not await reader.read(self.last[LAST]["p"]):  # noqa: ASYNC110 - it is a process
                await asyncio.sleep(POLL_SECONDS)

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
        url = f"ws://{feeder.address}/v2/sip"
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
    async with (
        Feeder() as feeder,
        program("ingest", **feeder.environment(bench.valkey.url)) as running,
    ):
        yield Reader("tapecast's ingest", feeder, running, bench.stored_last)


def _batched(blocks: Iterator[Block], size: int) -> Iterator[list[Block]]:
    while batch := list(islice(blocks, size)):
        yield batch


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
