"""The programs that a bar passes through, each a process, and the sizes of these."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import psutil
from redis.asyncio import Redis

from bench.bars.vendor_bars import BarPages
from bench.fanout.load import Load, load_client
from bench.feeder import Feeder
from shared.bus.keys import Keyspace
from shared.bus.valkey_server import ValkeyServer
from shared.topics import MINUTE_BAR, topic
from tests.ports import free_port
from tests.programs import Program, program, ready

KEYSPACE = Keyspace()

INGEST, VALKEY, GATEWAY, CLIENTS = "ingest", "valkey", "gateway", "clients"

READY_SECONDS = 400.0
"""The limit for the histories of all symbols: a hundred requests a minute, of 100 symbols each."""

POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Sizes:
    """CPU seconds since their start, and resident bytes, of each process by name."""

    cpu: Mapping[str, float]
    resident: Mapping[str, int]

    def since(self, before: Self) -> Mapping[str, float]:
        """Return the CPU seconds of each process since an earlier moment."""
        return {name: cpu - before.cpu[name] for name, cpu in self.cpu.items()}


class Pipeline:
    """A feeder, ingest, Valkey, gateway and clients; ``port`` is the gateway's."""

    def __init__(
        self, feeder: Feeder, pages: BarPages, redis: Redis, load: Load, port: int
    ) -> None:
        self.feeder = feeder
        self.pages = pages
        self.redis = redis
        self.load = load
        self.port = port
        self.programs: dict[str, Program] = {}
        self._processes: dict[str, psutil.Process] = {}

    def add(self, name: str, pid: int | None) -> None:
        """Measure a process from now on."""
        self._processes[name] = psutil.Process(pid)

    def sizes(self) -> Sizes:
        """Return the sizes of all processes."""
        times = {name: each.cpu_times() for name, each in self._processes.items()}
        return Sizes(
            {name: float(each.user + each.system) for name, each in times.items()},
            {name: each.memory_info().rss for name, each in self._processes.items()},
        )

    async def chart(self, symbols: Sequence[str], clients: int) -> None:
        """Open the streams of clients that share the symbols' minute bars among them."""
        size = -(-len(symbols) // clients)
        path = "/api/stream/bars?timeframe=1Min&interval=0&symbols="
        requests = [
            ("127.0.0.1", self.port, path + ",".join(symbols[at : at + size]))
            for at in range(0, len(symbols), size)
        ]
        await self.load.connect(requests, live_after="event: ready\n", events=0)

    async def subscribed(self, symbols: Collection[str]) -> None:
        """Wait until the ingest has subscribed to the symbols' bars and revisions, and filled them.

        Raises:
            AssertionError: it has not; the message contains its output.
        """
        try:
            for channel in ("bars", "updatedBars"):
                await self.feeder.subscribed(symbols, channel, seconds=READY_SECONDS)
            async with asyncio.timeout(READY_SECONDS):
                while await self._filled() < len(symbols):  # noqa: ASYNC110 - it is a process
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            said = self.programs[INGEST].output
            raise AssertionError(f"not all is subscribed and filled; it said:\n{said}") from None

    async def used_memory(self) -> int:
        """Return the bytes that Redis has allocated."""
        found: Any = await self.redis.info("memory")
        return int(found["used_memory"])

    async def usage(self, symbol: str) -> tuple[int, int]:
        """Return the bytes of a symbol's minute bars: of the set, and of the events' history."""
        where = topic(MINUTE_BAR, symbol)
        bars: Any = await self.redis.memory_usage(KEYSPACE.bars(where), samples=0)
        history: Any = await self.redis.memory_usage(KEYSPACE.history(where), samples=0)
        return int(bars or 0), int(history or 0)

    async def stored(self, symbols: Sequence[str]) -> int:
        """Return how many minute bars of the symbols Redis has."""
        batch: Any = self.redis.pipeline(transaction=False)
        for symbol in symbols:
            batch.zcard(KEYSPACE.bars(topic(MINUTE_BAR, symbol)))
        return sum(await batch.execute())

    async def _filled(self) -> int:
        found: Any = await self.redis.hlen(KEYSPACE.whole_bars)
        return int(found)


@asynccontextmanager
async def pipeline(pages: BarPages, **settings: str) -> AsyncIterator[Pipeline]:
    """Run everything; ``settings`` are more of the ingest's."""
    async with AsyncExitStack() as parts:
        enter = parts.enter_async_context
        valkey = await enter(ValkeyServer())
        redis = await enter(Redis.from_url(valkey.url))
        feeder = await enter(Feeder(pages))
        port = free_port()
        run = Pipeline(feeder, pages, redis, await enter(load_client(_CLIENTS)), port)
        environment = {**feeder.environment(valkey.url), **_BASIC, **settings}
        run.programs[INGEST] = await enter(program("ingest", **environment))
        run.programs[GATEWAY] = await enter(
            program(
                "gateway",
                REDIS_URL=valkey.url,
                PORT=str(port),
                HEARTBEAT_SECONDS="300",
                DRAIN_SECONDS="0",
                LOG_LEVEL="warning",
            )
        )
        await ready(f"http://127.0.0.1:{port}")
        run.add(VALKEY, valkey.pid)
        run.add(CLIENTS, run.load.pid)
        for name, each in run.programs.items():
            run.add(name, each.process.pid)
        yield run


_CLIENTS = "bench.bars.chart_clients"

_BASIC = {"ALPACA_FEED": "iex", "LOG_LEVEL": "warning"}
"""The plan of 30 symbols, of which bars take none: hardly any trades and prices beside the bars."""
