"""What was published last: a new leader begins where the old one ended."""

from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis

from shared import keys, message
from shared.price import Price
from shared.topics import price_topic

log = structlog.get_logger()

_decode = msgspec.json.Decoder(Price).decode


class StoredPrices:
    """Reads the last values in Redis."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def read(self, symbols: Sequence[str]) -> list[Price]:
        """Return the stored prices of those symbols that have one.

        Raises:
            RedisError, OSError: Redis is away.
        """
        stored: list[Any] = await self._client.mget(
            [keys.last_key(price_topic(symbol)) for symbol in symbols]
        )
        prices = []
        for value in stored:
            if value is None:
                continue
            try:
                prices.append(_decode(message.unpack(value).body))
            except (ValueError, msgspec.DecodeError) as error:  # of another version
                log.warning("stored price passed over", error=str(error))
        return [price for price in prices if price.price is not None]
