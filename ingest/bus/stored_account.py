"""The account and its orders as an earlier leader published them."""

from typing import Any

import msgspec
from redis.asyncio import Redis

from ingest.bus.newest_entries import newest_entries
from shared import message
from shared.account import Account
from shared.bus import keys
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace
from shared.bus.malformed_stored import MalformedStored
from shared.bus.rejections import Rejections
from shared.order import OrderUpdate
from shared.topics import ACCOUNT, ORDERS

_decode_account = msgspec.json.Decoder(Account).decode
_decode_order = msgspec.json.Decoder(OrderUpdate).decode


class StoredAccount:
    """Reads Redis. Every method raises ``BusError`` if Redis is unreachable or rejects it."""

    def __init__(
        self,
        client: Redis,
        keyspace: Keyspace,
        rejections: Rejections,
        malformed: MalformedStored,
    ) -> None:
        self._malformed = malformed
        self._client = client
        self._keyspace = keyspace
        self._rejections = rejections

    async def account(self) -> Account | None:
        """Return the account; None if none, or one of another version, is stored."""
        # MGET finds no value under a key of another type, which the first announcement replaces.
        with self._rejections.watch("the reading of the stored account"), bus_errors():
            answer: list[Any] = await self._client.mget([self._keyspace.last(ACCOUNT)])
        if answer[0] is not None:
            with self._malformed.skipping(self._keyspace.last(ACCOUNT), is_private=True):
                return _decode_account(message.unpack(answer[0]).body)
        return None

    async def orders(self) -> list[OrderUpdate]:
        """Return the newest order events, oldest first, leaving out those of other versions."""
        history = self._keyspace.history(ORDERS)
        entries: Any = []
        watching = self._rejections.watch("the reading of the stored orders")
        with watching, self._malformed.skipping(history):
            count = keys.HISTORY_LENGTHS[ORDERS]
            entries = await newest_entries(self._client, self._keyspace, ORDERS, count)
        found = []
        for event_id, fields in reversed(entries):
            with self._malformed.skipping(history, is_private=True):
                event = message.of_entry(event_id, fields)
                if event.event is None:  # a named one is a gap, not an order
                    found.append(_decode_order(event.body))
        return found
