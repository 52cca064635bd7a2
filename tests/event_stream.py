"""Reading a stream as a third-party client does: httpx-sse parses, the test inspects."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from httpx_sse import aconnect_sse

from tests.limits import LIMIT_SECONDS


@dataclass(frozen=True)
class Event:
    """One event as the client saw it."""

    kind: str
    data: dict[str, Any]
    id: str
    retry: int | None


@dataclass
class EventStream:
    """Everything that a stream has sent so far; ``ended`` once the server has ended it."""

    events: list[Event] = field(default_factory=list)
    ended: bool = False
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the data of all events of a kind."""
        return [event.data for event in self.events if event.kind == kind]

    async def until(
        self, true: Callable[["EventStream"], object], seconds: float = LIMIT_SECONDS
    ) -> None:
        """Wait until the events so far satisfy a condition; fail after a limit."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: bool(true(self)))

    async def until_kind(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for so many events of a kind and return the data of all of them."""
        await self.until(lambda stream: len(stream.of(kind)) >= count)
        return self.of(kind)

    async def add(self, event: Event | None) -> None:
        """Take an event, or None for the end."""
        async with self._changed:
            if event is None:
                self.ended = True
            else:
                self.events.append(event)
            self._changed.notify_all()


@asynccontextmanager
async def open_stream(
    url: str, path: str = "/api/stream/prices", *, body: object = None, **query: Any
) -> AsyncIterator[EventStream]:
    """Open a stream and read it in the background until the block is left; a body is posted."""
    headers = dict(query.pop("headers", {}))  # httpx-sse adds to it
    method = "GET" if body is None else "POST"
    stream = EventStream()

    async def read(source: Any) -> None:
        try:
            async for sse in source.aiter_sse():
                await stream.add(Event(sse.event, json.loads(sse.data), sse.id, sse.retry))
        except httpx.TransportError:
            pass
        await stream.add(None)

    async with (
        httpx.AsyncClient(timeout=httpx.Timeout(LIMIT_SECONDS, read=None)) as client,
        aconnect_sse(
            client, method, url + path, params=query, headers=headers, json=body
        ) as source,
    ):
        source.response.raise_for_status()
        stream.headers = source.response.headers
        reading = asyncio.create_task(read(source))
        try:
            yield stream
        finally:
            reading.cancel()
            await asyncio.wait([reading])
