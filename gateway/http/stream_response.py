"""The response that is a stream: sse-starlette's headers, the hub's bytes.

The request lasts until the stream is under way. From then on the hub owns the connection, and
nothing of the request is kept: ten thousand streams are ten thousand sockets and no tasks.
"""

import asyncio
from contextlib import ExitStack, suppress
from typing import Never, Self

from sse_starlette import EventSourceResponse
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.bus.subscriptions import StreamOpening, Subscriptions
from gateway.http.server import connection_of
from gateway.http.sinks import AsgiSink, TransportSink, UnchunkedSink
from gateway.wire.events import Bye
from gateway.wire.sse import SSE

STREAM_HEADERS = {"Cache-Control": "no-cache, no-store, no-transform"}


def bye_alone(bye: Bye) -> Response:
    """Return a stream that ends at once, for a client that an error would lock out permanently.

    An EventSource gives up on any status but 200. After this stream it retries.
    """
    return Response(
        SSE.bye(bye),
        headers={**STREAM_HEADERS, "X-Accel-Buffering": "no", "Connection": "close"},
        media_type="text/event-stream",
    )


class _NoEvents:
    """No content for sse-starlette: the hub writes it.

    sse-starlette would wrap a plain iterator for a thread, and search the bases of its class.
    """

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Never:
        raise StopAsyncIteration


_NO_EVENTS = _NoEvents()


class StreamResponse(EventSourceResponse):
    """Serves an opening: finds the stream's way out, and starts it."""

    def __init__(self, subscriptions: Subscriptions, opening: StreamOpening) -> None:
        super().__init__(_NO_EVENTS, headers=STREAM_HEADERS, ping=0, sep="\n")
        # sse-starlette promises to keep the connection open, which contradicts the ``close`` that
        # the server adds for HTTP/1.0 and for a client that asks for it.
        del self.headers["Connection"]
        self._subscriptions = subscriptions
        self._opening = opening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer HEAD with headers alone, GET and POST with the stream."""
        if scope["method"] == "HEAD":
            await super().__call__(scope, receive, send)
            return
        connection = connection_of(scope)
        chunked = scope.get("http_version") != "1.0"
        if connection is not None and not chunked:
            connection.end_body_by_closing()
        with ExitStack() as undo:
            # The stream has a place in the gateway already, but there is no client that could
            # leave and give it back.
            undo.callback(self._opening.on_end, "left")
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            undo.pop_all()
        if connection is None:
            await self._serve_portably(receive, send)
            return
        # Not ``self``: the connection would keep this response and its opening, 6 KB a stream.
        subscriptions = self._subscriptions
        transport = connection.detach(on_lost=lambda: subscriptions.leave(client))
        sink = TransportSink(transport) if chunked else UnchunkedSink(transport)
        client = subscriptions.open(self._opening, sink)
        # The peer may have gone before there was a client to remove.
        if transport.is_closing():
            subscriptions.leave(client)
        else:
            await subscriptions.begin(client, self._opening)

    async def _serve_portably(self, receive: Receive, send: Send) -> None:
        """Serve the stream through ASGI alone, at the price of three tasks."""
        sink = AsgiSink()
        client = self._subscriptions.open(self._opening, sink)

        async def watch_peer() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            self._subscriptions.leave(client)

        async def deliver() -> None:
            with suppress(OSError):  # some servers raise it after the peer has left
                while data := await sink.take():
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                    sink.sent(data)
            self._subscriptions.leave(client)

        try:
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(watch_peer())
                delivering = tasks.create_task(deliver())
                await self._subscriptions.begin(client, self._opening)
                await asyncio.wait([delivering])
                watching.cancel()
        finally:
            # Some servers cancel a request whose peer has gone, and with it both tasks.
            self._subscriptions.leave(client)
        # An aborted stream stays incomplete, so that the peer sees an error and not an end.
        if not sink.aborted:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
