"""What an ingest publishes of an account, by hand."""

from typing import Any

import msgspec
from redis.asyncio import Redis

from shared import message
from shared.account import Account
from shared.event_id import EventId
from shared.position import Position
from tests.keyspace import KEYSPACE


class PortfolioStub:
    """Publishes positions as the ingest does: under the symbol, then again for the table."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self.epoch = 1

    async def position(
        self, seq: int, symbol: str, *, removed: bool = False, heard: bool = True, **fields: Any
    ) -> None:
        """Publish a position under ``seq`` and ``seq + 1``; store it only, if not ``heard``.

        The clients of ``position:*`` get the second id, or the first where it was read.
        """
        value = Position(symbol=symbol, removed=removed, **fields)
        topic = f"position:{symbol}"
        await self._tell(seq, topic, value, key=KEYSPACE.last(topic), heard=heard)
        if heard:
            await self._tell(seq + 1, "position:*", value)

    async def account(
        self, seq: int, *positions: str, heard: bool = True, state: str = "live", **fields: Any
    ) -> None:
        """Publish the account with the symbols of its open positions."""
        value = Account(state=state, positions=sorted(positions), **fields)  # type: ignore[arg-type]
        await self._tell(seq, "account", value, key=KEYSPACE.last("account"), heard=heard)

    async def _tell(
        self, seq: int, topic: str, value: msgspec.Struct, *, key: str = "", heard: bool = True
    ) -> None:
        event_id = EventId(self.epoch, seq)
        packed = message.pack(event_id, message.stamp(event_id, msgspec.json.encode(value)))
        if key:
            await self.client.set(key, packed)
        if heard:
            await self.client.publish(topic, packed)
