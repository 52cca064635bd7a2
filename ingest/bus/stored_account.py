"""The account and its orders as an earlier leader published them."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis

from ingest.bus.newest_entries import newest_entries
from shared import message, rfc3339
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


class StoredOrders(NamedTuple):
    """The updates that earlier leaders announced, oldest first.

    ``whole_since``: since when (unix ns) they are all of them; None if that is unknown.
    """

    updates: list[OrderUpdate]
    whole_since: int | None


class StoredAccount:
    """Reads Redis. Every method raises ``BusError`` if Redis is unreachable or rejects it."""

    def __init__(
        self,
        client: Redis,
        keyspace: Keyspace,
        rejections: Rejections,
        malformed: MalformedStored,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._clock_ns = clock_ns
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

    async def orders(self) -> StoredOrders:
        """Return the newest order events, leaving out those of other versions."""
        history = self._keyspace.history(ORDERS)
        count = keys.HISTORY_LENGTHS[ORDERS]
        entries: Any = []
        with self._rejections.watch("the reading of the stored orders"):
            # Before the events: a Redis that is emptied in between has none, and no older time.
            recorded_since = await self._recorded_since()
            with self._malformed.skipping(history):
                entries = await newest_entries(self._client, self._keyspace, ORDERS, count)
        found = []
        for event_id, fields in reversed(entries):
            with self._malformed.skipping(history, is_private=True):
                event = message.of_entry(event_id, fields)
                if event.event is None:  # a named one is a gap, not an order
                    found.append(_decode_order(event.body))
        whole_since = recorded_since
        if whole_since is not None and found and len(entries) >= count:
            whole_since = max(whole_since, rfc3339.to_nanoseconds(found[0].timestamp))
        return StoredOrders(found, whole_since)

    async def _recorded_since(self) -> int | None:
        """Return since when (unix ns) the histories are whole; None if there is no such note."""
        key = self._keyspace.recorded_since
        with self._malformed.skipping(key), bus_errors():
            noted: Any = await self._client.get(key)
            if noted is not None:
                return max(int(noted), self._clock_ns() - keys.HISTORY_SECONDS * 10**9)
        return None
