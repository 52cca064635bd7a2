"""The encoder of Server-Sent Events: LF only, an ``id:`` only where a cursor belongs.

Rules: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import msgspec

from gateway.wire.event import Event
from gateway.wire.events import Bye, Heartbeat, Hello, Ready
from shared.event_id import EventId

_encode = msgspec.json.Encoder().encode


def event(
    kind: str, data: bytes, *, cursor: EventId | None = None, retry_ms: int | None = None
) -> bytes:
    """Return one whole event. ``data`` is JSON on one line; ``cursor`` becomes its ``id:``."""
    lines = [b"event: %b\n" % kind.encode()]
    if cursor is not None:
        lines.append(b"id: %d-%d\n" % cursor)
    if retry_ms is not None:
        lines.append(b"retry: %d\n" % retry_ms)
    lines.append(b"data: %b\n\n" % data)
    return b"".join(lines)


class SseEncoder:
    """Writes events as Server-Sent Events."""

    def event(self, event: Event) -> bytes:
        """Return an event of a topic; an id that is a position becomes the client's cursor."""
        # An id on a merge event would move the cursor back: a delayed one carries an old id, and
        # the client would then receive ordered events again.
        if not event.is_position:
            return b"event: %b\ndata: %b\n\n" % (event.name.encode(), event.payload)
        return b"event: %b\nid: %d-%d\ndata: %b\n\n" % (
            event.name.encode(),
            *event.event_id,
            event.payload,
        )

    def hello(self, hello: Hello, retry_ms: int) -> bytes:
        """Return a ``hello``; ``retry_ms`` is the client's wait if the gateway crashes."""
        return event("hello", _encode(hello), retry_ms=retry_ms)

    def ready(self, cursor: EventId, ready: Ready) -> bytes:
        """Return a ``ready``."""
        return event("ready", _encode(ready), cursor=cursor)

    def heartbeat(self, cursor: EventId, heartbeat: Heartbeat) -> bytes:
        """Return a ``heartbeat``."""
        return event("heartbeat", _encode(heartbeat), cursor=cursor)

    def bye(self, bye: Bye) -> bytes:
        """Return a ``bye``; a native EventSource obeys its ``retry:`` line."""
        return event("bye", _encode(bye), retry_ms=bye.retry_ms)

    def packet(self, data: bytes) -> bytes:
        """Return data as one chunk of HTTP/1.1's chunked coding; an empty one ends the response."""
        return b"%x\r\n%b\r\n" % (len(data), data)


class PaddedSseEncoder(SseEncoder):
    """Lets a comment follow each event that ends a silence.

    Virus scanners and some proxies pass on blocks only, or keep back the beginning. The comment
    fills the block, so that a quiet symbol's events arrive, at the latest with a heartbeat.
    """

    def __init__(self, size: int) -> None:
        self._comment = b":%b\n" % (b" " * size)

    def hello(self, hello: Hello, retry_ms: int) -> bytes:
        """Return a ``hello``."""
        return super().hello(hello, retry_ms) + self._comment

    def ready(self, cursor: EventId, ready: Ready) -> bytes:
        """Return a ``ready``, with which the snapshot is complete."""
        return super().ready(cursor, ready) + self._comment

    def heartbeat(self, cursor: EventId, heartbeat: Heartbeat) -> bytes:
        """Return a ``heartbeat``."""
        return super().heartbeat(cursor, heartbeat) + self._comment

    def bye(self, bye: Bye) -> bytes:
        """Return a ``bye``."""
        return super().bye(bye) + self._comment


SSE = SseEncoder()

_PADDED = {size: PaddedSseEncoder(size) for size in (2048, 4096)}
"""Two sizes: clients of one encoder share their bytes, so any number would cost as many copies."""


def encoder_of(padding: float) -> SseEncoder:
    """Return the encoder that pads with at least so many bytes, up to 4096; 0: none."""
    if not padding:
        return SSE
    return min((size, encoder) for size, encoder in _PADDED.items() if size >= padding)[1]
