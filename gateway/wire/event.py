"""One event, and the protocols in which a gateway can write it."""

from typing import Protocol

from gateway.wire.events import Bye, Heartbeat, Ready
from shared.event_id import EventId


class Event:
    """An event as it was published: its id, its name, its JSON on one line.

    ``is_position``: whether a client may resume after it, as after every event of a topic with a
    history. The bytes for each protocol are made once, when the first client needs them.
    """

    __slots__ = ("_encoder", "_frame", "_others", "event_id", "is_position", "name", "payload")

    def __init__(
        self, event_id: EventId, payload: bytes, name: str, *, is_position: bool = False
    ) -> None:
        self.event_id = event_id
        self.payload = payload
        self.name = name
        self.is_position = is_position
        # Nearly every gateway serves one protocol, and histories hold a million events. Two slots
        # take a third of the memory of a dictionary with one entry.
        self._encoder: Encoder | None = None
        self._frame = b""
        self._others: dict[Encoder, bytes] | None = None

    def frame(self, encoder: "Encoder") -> bytes:
        """Return the event's bytes in the protocol of an encoder."""
        if encoder is self._encoder:
            return self._frame
        if self._encoder is None:
            self._encoder, self._frame = encoder, encoder.event(self)
            return self._frame
        if self._others is None:
            self._others = {}
        if encoder not in self._others:
            self._others[encoder] = encoder.event(self)
        return self._others[encoder]


class Encoder(Protocol):
    """Writes events, and the hub's own messages, in one protocol.

    Each method returns whole messages, or nothing if its protocol has no such message.
    """

    def event(self, event: Event) -> bytes:
        """Return the bytes of an event of a topic: a value, a ``gap``, or the ``feed``."""

    def ready(self, cursor: EventId, ready: Ready) -> bytes:
        """Return the bytes that end a snapshot. ``cursor``: where a client may resume later."""

    def heartbeat(self, cursor: EventId, heartbeat: Heartbeat) -> bytes:
        """Return the bytes of a sign of life."""

    def bye(self, bye: Bye) -> bytes:
        """Return the last bytes of a stream, which state when its client may reconnect."""

    def packet(self, data: bytes) -> bytes:
        """Return joined messages as they go onto a connection that adds no framing itself."""
