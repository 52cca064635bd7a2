"""One topic that is a table: the newest row of each symbol, such as all open positions."""

from collections.abc import Collection
from typing import ClassVar, NamedTuple

import msgspec

from gateway.fanout.channel import Channel
from gateway.fanout.lane import Lane, TableLane
from gateway.wire import events
from shared.event_id import EventId


class Row(NamedTuple):
    """What is known of a symbol; ``change`` is which change of the table has brought it."""

    change: EventId
    event_id: EventId
    frame: bytes
    removed: bool


class _Named(msgspec.Struct):
    symbol: str
    removed: bool = False


_decode = msgspec.json.Decoder(_Named).decode


class TableChannel(Channel):
    """A topic of which the newest row of each symbol matters; that one was removed is a row too.

    The rows are in the order in which they came, which need not be that of their ids: what is
    stored is read while newer ones come already. ``event_id`` therefore counts the changes.
    """

    __slots__ = ("rows",)

    lane_type: ClassVar[type[Lane]] = TableLane

    def __init__(self, topic: str) -> None:
        super().__init__(topic)
        self.rows: dict[str, Row] = {}

    def take(self, event_id: EventId, payload: bytes, name: str | None = None) -> bool:
        """Take a row, unless the symbol has a newer one, or this very one.

        Raises:
            ValueError: it has a name of its own.
            msgspec.DecodeError: it is no row.
        """
        if name is not None:
            raise ValueError(f"{self.topic} has no {name!r} events, only rows")
        named = _decode(payload)
        known = self.rows.get(named.symbol)
        if known is not None:
            if event_id <= known.event_id:
                return False
            del self.rows[named.symbol]
        self.event_id = EventId(0, self.event_id.seq + 1)
        frame = b"%b%b\n\n" % (self.head, payload)
        self.rows[named.symbol] = Row(self.event_id, event_id, frame, named.removed)
        for lane in self.lanes.values():
            lane.offer()
        return True

    def keep(self, symbols: Collection[str], event_id: EventId) -> None:
        """Remove the rows of other symbols; those that are newer than the list of them stay."""
        for symbol, row in list(self.rows.items()):
            if symbol not in symbols and not row.removed:
                self.take(event_id, events.closed_position(symbol, event_id))

    def open_rows(self) -> list[bytes]:
        """Return the rows that were not removed, in the order of symbols."""
        return [row.frame for _, row in sorted(self.rows.items()) if not row.removed]

    def snapshot(self) -> bytes | None:
        """Return all rows; of those that were removed a newcomer knows nothing."""
        return b"".join(self.open_rows()) or None

    def since(self, position: EventId) -> list[tuple[EventId, bytes]]:
        """Return the rows, also removed ones, that came after a change, in the order of ids."""
        found = []
        for row in reversed(self.rows.values()):
            if row.change <= position:
                break
            found.append((row.event_id, row.frame))
        return sorted(found)
