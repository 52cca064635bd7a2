"""One published event on its way through Redis: ``<epoch>-<seq>``, a newline, the JSON.

The id precedes the JSON, so that a gateway can order and forward a message undecoded. An event
whose name differs from the kind of its topic has its name after the id: ``7-12 gap``.
A publisher must not be able to inject lines into a stream, so a message whose JSON or name contains
a line break is rejected.
"""

from collections.abc import Mapping
from typing import NamedTuple

from shared.event_id import EventId

_LF, _CR = b"\n\r"


class Message(NamedTuple):
    """A parsed message. ``event`` is None if the kind of the topic names the event."""

    event_id: EventId
    body: bytes
    event: str | None = None


def stamp(event_id: EventId, body: bytes) -> bytes:
    """Insert the id into an encoded JSON object as its first member, ``event_id``."""
    return b'{"event_id":"%d-%d",%b' % (*event_id, body[1:])


def pack(event_id: EventId, stamped: bytes, event: str | None = None) -> bytes:
    """Return the message for a stamped JSON object."""
    if event is None:
        return b"%d-%d\n%b" % (*event_id, stamped)
    return b"%d-%d %b\n%b" % (*event_id, event.encode(), stamped)


def unpack(message: bytes) -> Message:
    """Parse a message.

    Raises:
        ValueError: the first line of the message is not an event id and an optional name, or its
            JSON is not on one line.
    """
    head, newline, stamped = message.partition(b"\n")
    if not newline:
        raise ValueError(f"{message[:40]!r} is not a Tapecast message: no event id line")
    # A search for the number is ten times faster than one for bytes.
    if _LF in stamped or _CR in stamped:
        raise ValueError(f"{message[:40]!r} is not a Tapecast message: its JSON is not on one line")
    number, space, event = head.partition(b" ")
    return Message(EventId.parse(number), stamped, _name(event) if space else None)


def of_entry(event_id: bytes, fields: Mapping[bytes, bytes]) -> Message:
    """Parse an entry of a history, which has the contents of a message.

    Raises:
        ValueError: it is not a valid message.
    """
    data, name = fields.get(b"data"), fields.get(b"event")
    if data is None:
        raise ValueError(f"{event_id!r} is not an entry of Tapecast: it has no data")
    return unpack(b"%b\n%b" % (event_id if name is None else event_id + b" " + name, data))


def _name(event: bytes) -> str:
    name = event.decode("ascii")
    if not name.isidentifier():
        raise ValueError(f"{event[:40]!r} is not the name of an event")
    return name
