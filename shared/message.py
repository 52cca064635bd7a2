"""One published event on its way through Redis: ``<epoch>-<seq>``, a newline, the JSON.

The id stands outside the JSON too, so that a gateway orders and forwards without decoding.
"""

from shared.event_id import EventId


def stamp(event_id: EventId, body: bytes) -> bytes:
    """Put the id into an encoded JSON object as its first member, ``event_id``."""
    return b'{"event_id":"%d-%d",%b' % (*event_id, body[1:])


def pack(event_id: EventId, stamped: bytes) -> bytes:
    """Return the message for a stamped JSON object."""
    return b"%d-%d\n%b" % (*event_id, stamped)


def unpack(message: bytes) -> tuple[EventId, bytes]:
    """Return the id and the JSON of a message.

    Raises:
        ValueError: the message does not begin with an event id on a line of its own.
    """
    head, newline, stamped = message.partition(b"\n")
    if not newline:
        raise ValueError(f"{message[:40]!r} is not a Tapecast message: no event id line")
    return EventId.parse(head), stamped
