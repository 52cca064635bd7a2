"""All open positions as they are stored: those that the account lists."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis

from gateway.bus.refusal import refusing
from gateway.fanout.table_channel import TableChannel
from shared import message
from shared.account import BrokerState
from shared.bus import keys
from shared.message import Message
from shared.topics import ACCOUNT, POSITION, topic


class _Listing(msgspec.Struct):
    state: BrokerState
    positions: list[str]


_decode = msgspec.json.Decoder(_Listing).decode


class StoredPositions(NamedTuple):
    """``account`` is its newest event; ``symbols`` are all that are open, None while unknown.

    ``rows`` are the values of the positions, some of which may be closed.
    """

    account: Message | None
    symbols: Sequence[str] | None
    rows: Sequence[Message]

    def fill(self, table: TableChannel) -> None:
        """Put the positions into a table, and remove from it what was closed meanwhile."""
        for row in self.rows:
            with refusing(table.topic.encode()):
                table.take(*row)
        if self.account is not None and self.symbols is not None:
            table.keep(self.symbols, self.account.event_id)


async def read(client: Redis, symbols: Sequence[str] | None = None) -> StoredPositions:
    """Read the account, then the positions in these symbols, or all that it lists.

    Raises:
        RedisError, OSError: Redis is away.
    """
    account = _unpacked(ACCOUNT, await client.get(keys.last_key(ACCOUNT)))
    listed = None if account is None else _listed(account)
    wanted = (listed or []) if symbols is None else symbols
    names = [keys.last_key(topic(POSITION, symbol)) for symbol in wanted]
    stored: list[Any] = await client.mget(names) if names else []
    rows = [row for value in stored if (row := _unpacked(POSITION, value)) is not None]
    return StoredPositions(account, listed, rows)


def _unpacked(name: str, stored: Any) -> Message | None:
    if stored is not None:
        with refusing(name.encode()):
            return message.unpack(stored)
    return None


def _listed(account: Message) -> Sequence[str] | None:
    listing = _Listing("unknown", [])
    with refusing(ACCOUNT.encode()):
        listing = _decode(account.body)
    return None if listing.state == "unknown" else listing.positions
