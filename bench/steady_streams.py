"""Streams that stay open and measure how late each price arrives, and the prices."""

import asyncio
import json
import re
import time
from collections.abc import Sequence
from contextlib import suppress

from redis.asyncio import Redis

from shared import message
from shared.event_id import EventId
from shared.topics import price_topic

SYMBOLS = ("SPY", "IBM", "BAC", "AIG")
TICKS_PER_SECOND = 40.0

_SENT = re.compile(rb'"received":(\d+)')


class SteadyStreams:
    """Clients of one gateway. ``late``: how old each price was on arrival, in milliseconds."""

    def __init__(self, port: int, token: str) -> None:
        self.late: list[float] = []
        self.ended = 0
        self.gaps = 0
        self._port = port
        self._token = token
        self._ready = 0
        self._changed = asyncio.Event()

    async def run(self, count: int) -> None:
        """Read until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                tasks.create_task(self._read())

    async def until_ready(self, count: int) -> None:
        """Wait until so many streams have their first values."""
        while self._ready < count:
            self._changed.clear()
            await self._changed.wait()

    def take_late(self) -> list[float]:
        """Remove and return the ages measured so far."""
        late, self.late = self.late, []
        return late

    async def _read(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        path = f"/api/stream/prices?symbols={','.join(SYMBOLS)}&interval=0"
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._token}"
        writer.write(f"{head}\r\n\r\n".encode())
        try:
            await reader.readuntil(b"event: ready")
            self._ready += 1
            self._changed.set()
            with suppress(ConnectionError):
                while data := await reader.read(65536):
                    now = time.time() * 1000
                    self.late.extend(now - int(sent) / 1000 for sent in _SENT.findall(data))
                    self.gaps += data.count(b"event: gap")
            self.ended += 1
        finally:
            writer.transport.abort()


class Prices:
    """Publishes prices with the time of their publication in ``received``, unix µs."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._seq = 0

    async def run(self, symbols: Sequence[str] = SYMBOLS) -> None:
        """Publish a price of a symbol in turn until cancelled."""
        while True:
            await self._publish(symbols[self._seq % len(symbols)])
            await asyncio.sleep(1 / TICKS_PER_SECOND)

    async def _publish(self, symbol: str) -> None:
        self._seq += 1
        event_id = EventId(1, self._seq)
        body = {"symbol": symbol, "price": 100.0, "received": time.time_ns() // 1000}
        stamped = message.stamp(event_id, json.dumps(body, separators=(",", ":")).encode())
        await self._redis.publish(price_topic(symbol), message.pack(event_id, stamped))
