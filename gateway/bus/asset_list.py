"""The list of Alpaca's assets, which the ingest reads once a day, held while it is the newest."""

import asyncio
from typing import Any

from redis.asyncio import Redis

from gateway.bus.malformed import MalformedData
from shared import asset
from shared.asset import AssetList
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace


class StoredAssets:
    """Reads the list; a megabyte, so it is read again only if it is another one."""

    def __init__(self, client: Redis, keyspace: Keyspace, malformed: MalformedData) -> None:
        self._client = client
        self._keyspace = keyspace
        self._malformed = malformed
        self._held: AssetList | None = None
        self._reading = asyncio.Lock()

    async def read(self) -> AssetList | None:
        """Return the newest list, the same object while it is the same; None if there is none.

        Raises:
            BusError: Redis is unreachable.
        """
        key = self._keyspace.assets
        async with self._reading:
            with self._malformed.skipping(b"assets"), bus_errors():
                newest = await self._client.hget(key, "as_of")
                if newest is None:
                    self._held = None
                elif self._held is None or self._held.as_of.encode() != newest:
                    self._held = None
                    # Both at once: the list may be another one meanwhile.
                    found: Any = await self._client.hmget(key, ["as_of", "list"])
                    as_of, body = found
                    self._held = AssetList(as_of=as_of.decode(), assets=asset.decode(body))
        return self._held
