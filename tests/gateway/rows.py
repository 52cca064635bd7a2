"""Rows of the table of positions, as they are published and as a client got them."""

import json
from dataclasses import dataclass, field

from shared import message
from shared.event_id import EventId
from tests.gateway.fakes import FakeSink

TABLE = "position:*"


def row(seq: int, symbol: str = "SPY", *, removed: bool = False) -> bytes:
    """Return a published row."""
    event_id = EventId(1, seq)
    body = json.dumps({"symbol": symbol, "removed": removed}).encode()
    return message.pack(event_id, message.stamp(event_id, body))


def got(sink: FakeSink) -> list[str]:
    """Return the rows that a client got: ``SPY 7``, and ``-SPY 7`` for one that was removed."""
    return [
        f"{'-' if event['removed'] else ''}{event['symbol']} {event['event_id'].partition('-')[2]}"
        for event in sink.events("position")
    ]


@dataclass
class Held:
    """What a client makes of the rows that it gets: the newest of each symbol."""

    rows: dict[str, int] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)

    def take(self, told: str) -> None:
        """Take a row; it must be newer than the one before of its symbol."""
        name, _, seq = told.partition(" ")
        symbol = name.removeprefix("-")
        assert int(seq) > self.newest.get(symbol, 0), f"{told} is not newer"
        self.newest[symbol] = int(seq)
        if name == symbol:
            self.rows[symbol] = int(seq)
        else:
            self.rows.pop(symbol, None)
