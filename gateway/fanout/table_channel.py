"""One topic that is a table: the newest row of each symbol, such as all open positions."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

from gateway.fanout.channel import Channel
from gateway.wire import events
from gateway.wire.event import Event
from shared.event_id import NEVER, EventId


class Row(NamedTuple):
    """The newest event of a symbol; ``change`` is the number of the change that brought it."""

    change: EventId
    event: Event
    removed: bool


class _Named(msgspec.Struct):
    symbol: str
    removed: bool = False


_decode = msgspec.json.Decoder(_Named).decode


class TableChannel(Channel):
    """A topic in which the newest row of each symbol matters; a removal is a row too.

    The rows are in the order in which they arrived, which need not be that of their ids: stored
    rows are read while newer ones arrive already. ``event_id`` therefore counts the changes.
    """

    __slots__ = ("rows",)

    def __init__(self, topic: str) -> None:
        super().__init__(topic)
        self.rows: dict[str, Row] = {}

    def apply(self, event_id: EventId, payload: bytes, name: str | None = None) -> bool:
        """Apply a row, unless the symbol has a newer one, or this very one.

        Raises:
            ValueError: the event has a name, so it is not a row.
            msgspec.DecodeError: the payload is not a row.
        """
        if name is not None:
            raise ValueError(f"{self.topic} has no {name!r} events, only rows")
        named = _decode(payload)
        known = self.rows.get(named.symbol)
        if known is not None:
            if event_id <= known.event.event_id:
                return False
            # A dictionary keeps the place of a key that is replaced, and ``since`` reads from the
            # end: the row must move there.
            del self.rows[named.symbol]
        self.event_id = EventId(0, self.event_id.seq + 1)
        event = Event(event_id, payload, self.kind)
        self.rows[named.symbol] = Row(self.event_id, event, named.removed)
        for lane in self.lanes:
            lane.offer()
        return True

    def keep(self, symbols: Collection[str], event_id: EventId) -> None:
        """Remove the rows of other symbols, except those newer than the list of symbols.

        ``event_id`` is the list's. A position that was closed while Redis was unreachable is on no
        list and had no event that was received here.
        """
        for symbol, row in list(self.rows.items()):
            if symbol not in symbols and not row.removed:
                self.apply(event_id, events.closed_position(symbol, event_id))

    def start_over(self) -> None:
        """Let any row replace those shown, and announce that: the ids to come are lower."""
        # The rows stay: ``keep`` tells the clients which of them are no longer listed.
        rows, changes = self.rows, self.event_id
        super().start_over()
        self.event_id = changes
        self.rows = {
            symbol: Row(row.change, Event(NEVER, row.event.payload, self.kind), row.removed)
            for symbol, row in rows.items()
        }

    def snapshot(self) -> Sequence[Event]:
        """Return the rows that were not removed, in the order of symbols."""
        return [row.event for _, row in sorted(self.rows.items()) if not row.removed]

    def since(self, position: EventId) -> list[Event]:
        """Return the rows, also removed ones, that came after a change, in the order of ids."""
        found = []
        for row in reversed(self.rows.values()):
            if row.change <= position:
                break
            found.append(row.event)
        # The rows that ``keep`` removes share an id; their payloads put them in a fixed order.
        return sorted(found, key=lambda event: (event.event_id, event.payload))
