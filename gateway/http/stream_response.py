"""The response that is a stream: sse-starlette's headers, the hub's bytes.

The request lasts until the stream is under way. From then on the connection is the hub's, and
nothing of the request is kept: ten thousand streams are ten thousand sockets and no tasks.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from sse_starlette import EventSourceResponse
from starlette.types import Receive, Scope, Send

from gateway.bus.history import History
from gateway.bus.loading import loaded
from gateway.fanout.channel import Channel
from gateway.fanout.client import Client
from gateway.fanout.hub import Hub
from gateway.fanout.ordered_channel import OrderedChannel
from gateway.fanout.sink import AsgiSink, Sink, TransportSink
from gateway.http.server import connection_of
from gateway.http.stream_request import StreamRequest
from shared.bus.errors import BusError

HEADERS = {
    "Cache-Control": "no-cache, no-store, no-transform",
    "X-Content-Type-Options": "nosniff",
}


class StreamResponse(EventSourceResponse):
    """Opens a stream in the hub. ``greeting`` is the bytes of its ``hello``.

    ``principal`` is who may change it; ``on_end`` is called when it is over.
    """

    def __init__(
        self,
        hub: Hub,
        history: History,
        request: StreamRequest,
        *,
        stream_id: str,
        greeting: bytes,
        principal: str,
        on_end: Callable[[], None],
    ) -> None:
        super().__init__(iter(()), headers=HEADERS, ping=0, sep="\n")
        self._hub = hub
        self._history = history
        self._request = request
        self._stream_id = stream_id
        self._greeting = greeting
        self._principal = principal
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer HEAD with headers alone, GET and POST with the stream."""
        if scope["method"] == "HEAD":
            await super().__call__(scope, receive, send)
            return
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        except BaseException:
            self._on_end()
            raise
        connection = connection_of(scope)
        if connection is None:
            await self._serve_portably(receive, send)
        else:
            transport = connection.take()
            client = self._open(TransportSink(transport))
            connection.on_lost = partial(self._hub.leave, client)
            if transport.is_closing():  # it was lost before there was somebody to tell
                self._hub.leave(client)
            else:
                await self._begin(client)

    def _open(self, sink: Sink) -> Client:
        return self._hub.open(self._stream_id, sink, self._principal, self._on_end)

    async def _serve_portably(self, receive: Receive, send: Send) -> None:
        """Do the same through ASGI alone, at the price of three tasks."""
        sink = AsgiSink()
        client = self._open(sink)

        async def watch_peer() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            self._hub.leave(client)

        async def deliver() -> None:
            with suppress(OSError):  # how some servers say that the peer is gone
                while data := await sink.take():
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                    sink.sent(data)
            self._hub.leave(client)

        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch_peer())
            delivering = tasks.create_task(deliver())
            await self._begin(client)
            await asyncio.wait([delivering])
            watching.cancel()
        if not sink.aborted:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _begin(self, client: Client) -> None:
        if self._hub.draining:
            client.write(self._greeting)
            self._hub.end(client, "shutdown")
            return
        channels = client.channels = self._hub.watch(self._request.topics)
        greeting = self._greeting
        if not all(channel.loaded.is_set() for channel in channels):
            client.write(greeting)
            greeting = b""
            await loaded(client, channels)
        resumed = await self._resumed(channels)
        if client.left:
            return
        if resumed:
            intervals = list(self._request.intervals.values())
            self._hub.join(client, intervals, greeting=greeting, cursor=self._request.cursor)
        else:
            client.write(greeting)
            self._hub.end(client, "unavailable")

    async def _resumed(self, channels: Sequence[Channel]) -> bool:
        """Have what is later than the cursor in memory, as far as Redis has it."""
        cursor = self._request.cursor
        if cursor is None:
            return True
        ordered = [channel for channel in channels if isinstance(channel, OrderedChannel)]
        if not all(channel.loaded.is_set() for channel in ordered):
            return False
        try:
            await self._history.extend(ordered, cursor)
        except BusError:
            return False
        return True
