"""The bytes of Server-Sent Events: LF only, an ``id:`` only where a cursor belongs.

Rules: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from shared.event_id import EventId


def head_of(kind: str) -> bytes:
    """Return what precedes the JSON of every merge event of a kind."""
    return b"event: %b\ndata: " % kind.encode()


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


def data_of(frame: bytes) -> bytes:
    """Return the JSON in an event that was made here."""
    return frame.partition(b"data: ")[2].removesuffix(b"\n\n")
