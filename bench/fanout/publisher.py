"""The publisher: ticks at an even rate, to Redis as the ingest does, or to nchan by HTTP."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from redis.asyncio import Redis

from bench.fanout.nginx import PUBLISH_PATH
from bench.fanout.workload import Tape, Tick
from shared.bus.keys import Keyspace
from shared.cancellation import cancel
from shared.topics import price_topic

KEYSPACE = Keyspace()

BATCH_SECONDS = 0.005
"""The time for which ticks are collected for one batch, as in the ingest."""

STORE_SECONDS = 10.0
POSTERS = 32
"""Keep-alive connections to nchan. All ticks of a symbol use the same one, to keep their order."""


class Publisher(Protocol):
    """A destination of ticks."""

    async def send(self, ticks: Sequence[Tick]) -> None:
        """Publish ticks in order, not waiting for their delivery."""

    async def store(self, ticks: Sequence[Tick]) -> None:
        """Store the values that new clients receive first; return when they are stored."""


class RedisPublisher:
    """Messages on the channels of their topics, a batch in one round trip."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def send(self, ticks: Sequence[Tick]) -> None:
        """Publish ticks."""
        batch = self._redis.pipeline(transaction=False)
        for tick in ticks:
            batch.publish(price_topic(tick.symbol), tick.packed)
        await batch.execute()

    async def store(self, ticks: Sequence[Tick]) -> None:
        """Store the last value of topics."""
        batch = self._redis.pipeline(transaction=False)
        for tick in ticks:
            batch.set(KEYSPACE.last(price_topic(tick.symbol)), tick.packed)
        await batch.execute()


class NchanPublisher:
    """``async with``: POST requests over keep-alive connections, each answered before the next.

    Ticks that nchan does not accept at once wait here; this time counts as latency.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._waiting: list[asyncio.Queue[Tick]] = [asyncio.Queue() for _ in range(POSTERS)]
        self._posting: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "NchanPublisher":
        self._posting = [asyncio.create_task(self._post(queue)) for queue in self._waiting]
        return self

    async def __aexit__(self, *_: object) -> None:
        await cancel(*self._posting)
        for task in self._posting:
            if not task.cancelled():
                task.result()

    async def send(self, ticks: Sequence[Tick]) -> None:
        """Queue ticks for their connections."""
        for tick in ticks:
            self._waiting[hash(tick.symbol) % POSTERS].put_nowait(tick)

    async def store(self, ticks: Sequence[Tick]) -> None:
        """Publish ticks and wait until nchan has accepted them: it keeps the last per channel."""
        await self.send(ticks)
        async with asyncio.timeout(STORE_SECONDS):
            await asyncio.gather(*(queue.join() for queue in self._waiting))

    async def _post(self, waiting: asyncio.Queue[Tick]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while True:
                tick = await waiting.get()
                head = (
                    f"POST {PUBLISH_PATH}?symbol={tick.symbol} HTTP/1.1\r\n"
                    f"Host: 127.0.0.1\r\nContent-Length: {len(tick.body)}\r\n\r\n"
                )
                writer.write(head.encode() + tick.body)
                answer = await reader.readuntil(b"\r\n\r\n")
                assert answer.startswith((b"HTTP/1.1 201", b"HTTP/1.1 202")), answer
                _, _, rest = answer.lower().partition(b"content-length:")
                await reader.readexactly(int(rest.partition(b"\r\n")[0]))
                waiting.task_done()
        finally:
            writer.close()


async def publish_evenly(tape: Tape, publisher: Publisher, rate: float, seconds: float) -> None:
    """Publish ``rate`` ticks a second for ``seconds``, in batches of a few ms.

    A late batch is larger. The pace does not depend on whether ``publisher`` keeps up.
    """
    loop = asyncio.get_running_loop()
    total, sent, began = round(rate * seconds), 0, loop.time()
    while sent < total:
        due = min(total, int((loop.time() - began) * rate) + 1)
        if due > sent:
            await publisher.send(tape.ticks(due - sent))
            sent = due
        await asyncio.sleep(max(BATCH_SECONDS, began + sent / rate - loop.time()))
