"""One published event on its way through Redis: ``<epoch>-<seq>``, a newline, the JSON.

The id stands outside the JSON too, so that a gateway orders and forwards without decoding. An
event whose name is not the kind of its topic has its name after the id: ``7-12 gap``.
Whoever may publish must not be able to write lines of their own into a stream: a message whose JSON
or name would break a line is refused.
"""

from collections.abc import Mapping
from typing import NamedTuple

from shared.event_id import EventId

_LF, _CR = b"\n\r"


class Message(NamedTuple):
    """A message taken apart. ``event`` is None where the kind of the topic names the event."""

    event_id: EventId
    body: bytes
    event: str | None = None


def stamp(event_id: EventId, body: bytes) -> bytes:
    """Put the id into an encoded JSON object as its first member, ``event_id``."""
    return b'{"event_id":"%d-%d",%b' % (*event_id, body[1:])


def pack(event_id: EventId, stamped: bytes, event: str | None = None) -> bytes:
    """Return the message for a stamped JSON object."""
    if event is None:
        return b"%d-%d\n%b" % (*event_id, stamped)
    return b"%d-%d %b\n%b" % (*event_id, event.encode(), stamped)


def unpack(message: bytes) -> Message:
    """Take a message apart.

    Raises:
        ValueError: the message does not begin with an event id on a line of its own, its name is no
            word, or its JSON is not on one line.
    """
    head, newline, stamped = message.partition(b"\n")
    if not newline:
        raise ValueError(f"{message[:40]!r} is not a Tapecast message: no event id line")
    if _LF in stamped or _CR in stamped:  # by number: ten times faster than by bytes
        raise ValueError(f"{message[:40]!r} is not a Tapecast message: its JSON is not on one line")
    number, space, event = head.partition(b" ")
    return Message(EventId.parse(number), stamped, _name(event) if space else None)


def of_entry(event_id: bytes, fields: Mapping[bytes, bytes]) -> Message:
    """Take an entry of a history apart; it holds what a message does.

    Raises:
        ValueError: it would not be a message.
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
