"""The stored positions: those that the account lists as open."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis

from gateway.bus.malformed import MalformedData
from gateway.fanout.table_channel import TableChannel
from shared import message
from shared.account import BrokerState
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace
from shared.event_id import EventId
from shared.message import Message
from shared.topics import ACCOUNT, EVERYTHING, POSITION, topic


class _Listing(msgspec.Struct):
    state: BrokerState
    positions: list[str]


_decode = msgspec.json.Decoder(_Listing).decode


class StoredPositions(NamedTuple):
    """The account's newest event, the symbols that it lists as open, and their stored values.

    ``symbols`` is None while it is unknown which positions are open. ``rows`` may contain
    positions that were closed.
    """

    account: Message | None
    symbols: Sequence[str] | None
    rows: Sequence[Message]
    malformed: MalformedData

    def fill(self, table: TableChannel) -> None:
        """Put the positions into a table, and remove the rows that were closed meanwhile."""
        for row in self.rows:
            with self.malformed.skipping(table.topic.encode()):
                table.apply(*row)
        # No event says that a position is closed if it was closed while no gateway listened; it
        # is only absent from the account's list. An unknown list would empty the table.
        if self.account is not None and self.symbols is not None:
            table.keep(self.symbols, self.account.event_id)

    def open_rows(self) -> list[bytes]:
        """Return the JSON of the open positions, in the order of symbols, as a stream starts."""
        table = TableChannel(topic(POSITION, EVERYTHING))
        self.fill(table)
        return [row.payload for row in table.snapshot()]


class Positions:
    """Reads the account and its positions.

    ``accepts`` gets a topic and an event id, and returns whether the value is of this deployment.
    One from the future would stay in the table for as long as somebody watches it.
    """

    def __init__(
        self,
        client: Redis,
        keyspace: Keyspace,
        malformed: MalformedData,
        accepts: Callable[[bytes, EventId], bool],
    ) -> None:
        self._accepts = accepts
        self._client = client
        self._keyspace = keyspace
        self._malformed = malformed

    async def read(self, symbols: Sequence[str] | None = None) -> StoredPositions:
        """Read the account, then the positions in these symbols, or all that it lists.

        Raises:
            BusError: Redis is unreachable.
        """
        # The account comes first: a position that opens between the two reads is then missing
        # from the list, but its own event is newer than the list and survives it.
        with bus_errors():
            account = self._unpacked(ACCOUNT, await self._client.get(self._keyspace.last(ACCOUNT)))
        listed = None if account is None else self._listed(account)
        wanted = (listed or []) if symbols is None else symbols
        names = [self._keyspace.last(topic(POSITION, symbol)) for symbol in wanted]
        with bus_errors():
            stored: list[Any] = await self._client.mget(names) if names else []
        rows = []
        for symbol, value in zip(wanted, stored, strict=True):
            if (row := self._unpacked(topic(POSITION, symbol), value)) is not None:
                rows.append(row)
        return StoredPositions(account, listed, rows, self._malformed)

    def _unpacked(self, name: str, stored: Any) -> Message | None:
        if stored is not None:
            with self._malformed.skipping(name.encode()):
                found = message.unpack(stored)
                return found if self._accepts(name.encode(), found.event_id) else None
        return None

    def _listed(self, account: Message) -> Sequence[str] | None:
        listing = _Listing("unknown", [])
        with self._malformed.skipping(ACCOUNT.encode()):
            listing = _decode(account.body)
        # Before the broker's first answer the list is empty because it is unknown.
        return None if listing.state == "unknown" else listing.positions
