"""What was published last: a new leader begins where the old one ended."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
import structlog
from redis.asyncio import Redis

from shared import message
from shared.bus import keys
from shared.price import Price
from shared.symbol_status import SymbolStatus
from shared.topics import PRICE, STATUS, topic

log = structlog.get_logger()

T = TypeVar("T")

_decode_price = msgspec.json.Decoder(Price).decode
_decode_status = msgspec.json.Decoder(SymbolStatus).decode


class StoredPrices:
    """Reads the last values in Redis."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def read(self, symbols: Sequence[str]) -> list[Price]:
        """Return the stored prices of those symbols that have one.

        Raises:
            RedisError, OSError: Redis is away.
        """
        prices = await self._values(PRICE, symbols, _decode_price)
        return [price for price in prices if price.price is not None]

    async def halts(self, symbols: Sequence[str]) -> list[SymbolStatus]:
        """Return the stored statuses of those symbols that were halted: Alpaca says it but once.

        Raises:
            RedisError, OSError: Redis is away.
        """
        statuses = await self._values(STATUS, symbols, _decode_status)
        return [status for status in statuses if status.state == "halted"]

    async def _values(
        self, kind: str, symbols: Sequence[str], decode: Callable[[bytes], T]
    ) -> list[T]:
        stored: list[Any] = await self._client.mget(
            [keys.last_key(topic(kind, symbol)) for symbol in symbols]
        )
        values = []
        for value in stored:
            if value is None:
                continue
            try:
                values.append(decode(message.unpack(value).body))
            except (ValueError, msgspec.DecodeError) as error:  # of another version
                log.warning("stored value passed over", kind=kind, error=str(error))
        return values
