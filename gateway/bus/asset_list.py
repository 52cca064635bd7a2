"""The list of Alpaca's assets, which the ingest reads once a day, held while it is the newest."""

import asyncio
from typing import Any

from redis.asyncio import Redis

from gateway.bus.malformed import MalformedData
from shared import asset
from shared.asset import AssetList
from shared.bus.errors import BusUnreachableError, bus_errors
from shared.bus.keys import Keyspace

READ_SECONDS = 5.0


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
        newest: Any = None
        with self._malformed.skipping(b"assets"), bus_errors():
            newest = await self._client.hget(self._keyspace.assets, "as_of")
        if newest is None:
            self._held = None
        elif not self._holds(newest):
            await self._read_again(newest)
        return self._held

    async def _read_again(self, newest: bytes) -> None:
        """Read the list, once for all requests that wait for it."""
        try:
            async with asyncio.timeout(READ_SECONDS), self._reading:
                if not self._holds(newest):
                    self._held = await self._read()
        except TimeoutError:
            raise BusUnreachableError(f"no list of assets within {READ_SECONDS:g} s") from None

    async def _read(self) -> AssetList | None:
        with self._malformed.skipping(b"assets"), bus_errors():
            found: Any = await self._client.hmget(self._keyspace.assets, ["as_of", "list"])
            as_of, body = found
            # It may have expired since the question before.
            if as_of is not None and body is not None:
                return AssetList(as_of=as_of.decode(), assets=asset.decode(body))
        return None

    def _holds(self, newest: bytes) -> bool:
        return self._held is not None and self._held.as_of.encode() == newest
