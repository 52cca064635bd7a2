"""The servers under comparison: each started with its best settings, in separate processes."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import psutil
from redis.asyncio import Redis

from bench.fanout.nginx import SUBSCRIBE_PATH, running_nginx
from bench.fanout.publisher import NchanPublisher, Publisher, RedisPublisher
from bench.fanout.workload import Audience
from tests.ports import free_port
from tests.programs import program, ready

OURS, NCHAN, QUEUES = "tapecast", "nginx + nchan", "sse-starlette + queues"

QUIET_SECONDS = "300"
"""The time between heartbeats: long, because only prices count, and the peers send none."""


@dataclass(frozen=True)
class Server:
    """A running server. ``path`` makes the URL of a stream from symbols and interval.

    ``live_after`` is the text that ends the snapshot of a new stream, in addition to its events.
    """

    name: str
    processes: tuple[psutil.Process, ...]
    ports: tuple[int, ...]
    path: Callable[[Sequence[str], float], str]
    live_after: str
    publisher: Publisher

    def requests(self, audience: Audience, interval: float = 0) -> list[tuple[str, int, str]]:
        """Return the host, port and path of each client's stream."""
        return [
            ("127.0.0.1", self.ports[number % len(self.ports)], self.path(watched, interval))
            for number, watched in enumerate(audience.watched)
        ]

    @property
    def cpu(self) -> float:
        """User and system seconds since the start."""
        times = [process.cpu_times() for process in self.processes]
        return sum(each.user + each.system for each in times)

    @property
    def rss(self) -> int:
        """Resident bytes."""
        return sum(process.memory_info().rss for process in self.processes)


@asynccontextmanager
async def gateways(redis: Redis, url: str, count: int = 1) -> AsyncIterator[Server]:
    """Run ``count`` of our gateways."""
    async with AsyncExitStack() as parts:
        ports = tuple(free_port() for _ in range(count))
        running = [
            await parts.enter_async_context(
                program(
                    "gateway",
                    REDIS_URL=url,
                    PORT=str(port),
                    HEARTBEAT_SECONDS=QUIET_SECONDS,
                    DRAIN_SECONDS="0",
                    MAX_CLIENTS="20000",
                    LOG_LEVEL="warning",
                )
            )
            for port in ports
        ]
        for port in ports:
            await ready(f"http://127.0.0.1:{port}")
        yield Server(
            OURS,
            tuple(psutil.Process(each.process.pid) for each in running),
            ports,
            lambda symbols, interval: (
                f"/api/stream/prices?symbols={','.join(symbols)}&interval={interval:g}"
            ),
            "event: ready\n",
            RedisPublisher(redis),
        )


@asynccontextmanager
async def nchan() -> AsyncIterator[Server]:
    """Run nginx with nchan, the only server that gets the ticks by HTTP instead of Redis."""
    port = free_port()
    async with running_nginx(port) as worker, NchanPublisher(port) as publisher:
        yield Server(
            NCHAN,
            (worker,),
            (port,),
            lambda symbols, _: f"{SUBSCRIBE_PATH}?symbols={','.join(symbols)}",
            "",
            publisher,
        )


@asynccontextmanager
async def queue_per_client(redis: Redis, url: str) -> AsyncIterator[Server]:
    """Run the application of ``queue_app`` as is usual, with uvicorn's fastest components."""
    port = free_port()
    uvicorn = (
        "uvicorn bench.fanout.queue_app:app --loop uvloop --http httptools --no-access-log "
        f"--log-level critical --timeout-graceful-shutdown 1 --port {port}"
    )
    async with program(*uvicorn.split(), REDIS_URL=url) as running:
        await ready(f"http://127.0.0.1:{port}")
        yield Server(
            QUEUES,
            (psutil.Process(running.process.pid),),
            (port,),
            lambda symbols, _: f"/stream?symbols={','.join(symbols)}",
            "event: ready\n",
            RedisPublisher(redis),
        )


Start = Callable[[], AbstractAsyncContextManager[Server]]
