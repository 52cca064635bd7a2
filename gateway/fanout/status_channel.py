"""The topic of a symbol's state: the ingest's, or the gateway's own while it cannot ask for it."""

import msgspec

from gateway.fanout.channel import Channel
from gateway.wire.event import Event
from shared import message, symbol_status
from shared.event_id import EventId
from shared.symbol_status import SymbolStatus
from shared.topics import STATUS

_decode = msgspec.json.Decoder(SymbolStatus).decode


class StatusChannel(Channel):
    """A symbol's state. ``published`` is the newest that the ingest has published.

    A symbol that this gateway cannot claim may get no values, and no ingest can know it. Then the
    gateway itself calls it ``stale``, until the ingest publishes another state or it is claimed.
    """

    __slots__ = ("is_marked", "published")

    def __init__(self, topic: str) -> None:
        super().__init__(topic)
        self.published: Event | None = None
        self.is_marked = False
        """Whether the symbol could not be claimed the last time."""

    def replace(self, event: Event) -> None:
        """Replace the newest event by a published one."""
        self.published = event
        super().replace(event)

    def start_over(self) -> None:
        """Forget all states and announce that: those to come have lower ids."""
        super().start_over()
        self.published, self.is_marked = None, False

    def packed(self) -> bytes | None:
        """Return the newest published value as it was published; None before the first."""
        event = self.published  # a gateway's own state never goes to Redis
        return None if event is None else message.pack(event.event_id, event.payload)

    def mark(self, newest: EventId, reason: str, now: str) -> None:
        """Call the symbol ``stale``, once for each time that it could not be claimed.

        ``newest`` is the id of the newest published event, ``now`` RFC 3339.
        """
        # The stored state, which may be a week old, must not replace the mark. And a client takes
        # only newer ids: the next attempt to claim the symbol marks it.
        if self.is_marked or not self.loaded.is_set() or not self._precedes(newest):
            return
        self.is_marked = True
        self._show(newest, SymbolStatus(symbol=self.key, state="stale", reason=reason, since=now))

    def unmark(self, newest: EventId) -> None:
        """Show the published state again, unless there is a later one already."""
        if not self.is_marked:
            return
        self.is_marked = False
        # If no state was published, the symbol stays stale: the ingest is about to publish one.
        if self.published is not None and self.event is not self.published:
            try:
                published = _decode(self.published.payload)
            except msgspec.DecodeError:  # a state of another version
                return
            self._show(newest, published)

    def _precedes(self, newest: EventId) -> bool:
        return self.event is None or self.event_id < newest

    def _show(self, event_id: EventId, status: SymbolStatus) -> None:
        body = message.stamp(event_id, symbol_status.encode(status))
        super().replace(Event(event_id, body, STATUS))
