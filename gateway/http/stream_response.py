"""The response that is a stream: sse-starlette's headers, the hub's bytes.

Its request's own task does nothing but wait for the end; all writing is the hub's.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from sse_starlette import EventSourceResponse
from starlette.types import Receive, Scope, Send

from gateway import events
from gateway.fanout.client import Client
from gateway.fanout.hub import Hub
from gateway.fanout.sink import AsgiSink, TransportSink
from gateway.http.server import Connection, connection_of
from gateway.http.stream_request import StreamRequest

SNAPSHOT_SECONDS = 2.0
"""How long the stored values of new topics are waited for; then ``price: null`` says why."""

HEADERS = {
    "Cache-Control": "no-cache, no-store, no-transform",
    "X-Content-Type-Options": "nosniff",
}


class StreamResponse(EventSourceResponse):
    """Serves one request from the hub until the peer goes or the hub says goodbye.

    ``greeting`` gives the bytes of ``hello``; ``now`` the time for ``ready``.
    """

    def __init__(
        self,
        hub: Hub,
        request: StreamRequest,
        *,
        stream_id: str,
        greeting: bytes,
        now: Callable[[], str],
    ) -> None:
        super().__init__(iter(()), headers=HEADERS, ping=0, sep="\n")
        self._hub = hub
        self._request = request
        self._stream_id = stream_id
        self._greeting = greeting
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer HEAD with headers alone, GET with the stream."""
        if scope["method"] == "HEAD":
            await super().__call__(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        connection = connection_of(scope)
        if connection is None:
            complete = await self._serve_portably(receive, send)
        else:
            complete = await self._serve(connection)
        if complete:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _serve(self, connection: Connection) -> bool:
        client = self._hub.open(self._stream_id, TransportSink(connection.transport))
        connection.on_lost = client.finish
        try:
            if not connection.transport.is_closing():
                await self._follow(client)
        finally:
            connection.on_lost = None
            self._hub.leave(client)
        return not connection.transport.is_closing()

    async def _serve_portably(self, receive: Receive, send: Send) -> bool:
        """Do the same through ASGI alone, at the price of two tasks more."""
        sink = AsgiSink()
        client = self._hub.open(self._stream_id, sink)

        async def watch_peer() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            client.finish()

        async def deliver() -> None:
            with suppress(OSError):  # how some servers say that the peer is gone
                while data := await sink.take():
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                    sink.sent(data)
            client.finish()

        try:
            async with asyncio.TaskGroup() as tasks:
                helpers = [tasks.create_task(watch_peer()), tasks.create_task(deliver())]
                await self._follow(client)
                await sink.drained()
                for helper in helpers:
                    helper.cancel()
        finally:
            self._hub.leave(client)
        # A peer that was cut for not reading would make the last ``send`` wait for ever.
        return not sink.aborted

    async def _follow(self, client: Client) -> None:
        client.push(self._greeting)
        if self._hub.farewell is not None:
            self._hub.end(client, self._hub.farewell())
            return
        channels = self._hub.watch(self._request.topics)
        try:
            await self._loaded(client, [channel.loaded for channel in channels])
            if not client.ended.done():
                self._hub.join(client, channels, self._request.interval)
                if self._hub.feed.frame is not None:
                    client.push(self._hub.feed.frame)
                client.push(events.ready(self._hub.newest, self._now()))
            await client.ended
        finally:
            self._hub.unwatch(channels)

    @staticmethod
    async def _loaded(client: Client, loaded: list[asyncio.Event]) -> None:
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError):
            async with asyncio.timeout(SNAPSHOT_SECONDS) as limit:

                def stop_waiting(_: object) -> None:
                    with suppress(RuntimeError):  # the waiting is over already
                        limit.reschedule(loop.time())

                client.ended.add_done_callback(stop_waiting)
                try:
                    for event in loaded:
                        await event.wait()
                finally:
                    client.ended.remove_done_callback(stop_waiting)
