"""The list of assets in Redis."""

from typing import Any

from redis.asyncio import Redis

from shared import asset, rfc3339
from shared.asset import AssetList
from shared.bus import keys
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace
from shared.bus.malformed_stored import MalformedStored
from shared.bus.rejections import Rejections

READ = "the reading of the assets"


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
        key = self._keyspace.assets
        with self._malformed.skipping(key), self._rejections.watch(READ), bus_errors():
            found: Any = await self._client.hmget(key, ["as_of", "list"])
            as_of, body = found
            if as_of is not None and body is not None:
                rfc3339.to_nanoseconds(as_of.decode())  # another program may have written it
                return AssetList(as_of=as_of.decode(), assets=asset.decode(body))
        return None

    async def write(self, listed: AssetList) -> None:
        """Replace the stored list."""
        fields: dict[Any, Any] = {"as_of": listed.as_of, "list": asset.encode(listed.assets)}
        batch: Any = self._client.pipeline(transaction=False)
        batch.hset(self._keyspace.assets, mapping=fields)
        batch.expire(self._keyspace.assets, keys.LAST_SECONDS)
        with self._rejections.watch("the writing of the assets"), bus_errors():
            await batch.execute()
