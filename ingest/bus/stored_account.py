"""The account and its orders as an earlier leader published them."""

import contextlib
from typing import Any

import msgspec
from redis.asyncio import Redis

from shared import message
from shared.account import Account
from shared.bus import keys
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace
from shared.bus.rejections import Rejections
from shared.order import OrderUpdate
from shared.topics import ACCOUNT, ORDERS

_decode_account = msgspec.json.Decoder(Account).decode
_decode_order = msgspec.json.Decoder(OrderUpdate).decode


class StoredAccount:
    """Reads Redis. Every method raises ``BusError`` if Redis is unreachable or rejects it."""

    def __init__(self, client: Redis, keyspace: Keyspace, rejections: Rejections) -> None:
        self._client = client
        self._keyspace = keyspace
        self._rejections = rejections

    async def account(self) -> Account | None:
        """Return the account; None if none, or one of another version, is stored."""
        # MGET finds no value under a key of another type, which the first announcement replaces.
        with self._rejections.watch("the reading of the stored account"), bus_errors():
            answer: list[Any] = await self._client.mget([self._keyspace.last(ACCOUNT)])
        with contextlib.suppress(ValueError, msgspec.DecodeError):
            return _decode_account(message.unpack(answer[0] or b"").body)
        return None

    async def orders(self) -> list[OrderUpdate]:
        """Return the newest order events, oldest first, leaving out those of other versions."""
        with self._rejections.watch("the reading of the stored orders"), bus_errors():
            entries: Any = await self._client.xrevrange(
                self._keyspace.history(ORDERS), count=keys.HISTORY_LENGTHS[ORDERS]
            )
        found = []
        for event_id, fields in reversed(entries):
            with contextlib.suppress(ValueError, msgspec.DecodeError):
                event = message.of_entry(event_id, fields)
                if event.event is None:  # a named one is a gap, not an order
                    found.append(_decode_order(event.body))
        return found
