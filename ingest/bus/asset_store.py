"""The list of assets in Redis."""

from typing import Any

from redis.asyncio import Redis

from shared import asset
from shared.asset import AssetList
from shared.bus import keys
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace
from shared.bus.malformed_stored import PROBLEMS, MalformedStored
from shared.bus.rejections import Rejections


class AssetStore:
    """Reads and writes it. The methods raise BusError if Redis is unreachable or rejects them."""

    def __init__(
        self, client: Redis, keyspace: Keyspace, rejections: Rejections, malformed: MalformedStored
    ) -> None:
        self._client = client
        self._keyspace = keyspace
        self._rejections = rejections
        self._malformed = malformed

    async def read(self) -> AssetList | None:
        """Return the stored list; None if there is none, or it cannot be read."""
        with self._rejections.watch("the reading of the assets"), bus_errors():
            found: Any = await self._client.hmget(self._keyspace.assets, ["as_of", "list"])
        as_of, body = found
        if as_of is None or body is None:
            return None
        try:
            return AssetList(as_of=as_of.decode(), assets=asset.decode(body))
        except PROBLEMS as error:
            self._malformed.note(self._keyspace.assets, error)
            return None

    async def write(self, listed: AssetList) -> None:
        """Replace the stored list."""
        fields: dict[Any, Any] = {"as_of": listed.as_of, "list": asset.encode(listed.assets)}
        with self._rejections.watch("the writing of the assets"), bus_errors():
            await self._client.hset(self._keyspace.assets, mapping=fields)
            await self._client.expire(self._keyspace.assets, keys.LAST_SECONDS)
