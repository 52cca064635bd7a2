"""The values that an earlier leader published last: a new leader starts from them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
import structlog
from redis.asyncio import Redis

from shared import message
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace
from shared.bus.rejections import Rejections
from shared.price import Price
from shared.quote import Quote
from shared.symbol_status import SymbolStatus
from shared.topics import PRICE, QUOTE, STATUS, topic

log = structlog.get_logger()

T = TypeVar("T")

_decode_price = msgspec.json.Decoder(Price).decode
_decode_quote = msgspec.json.Decoder(Quote).decode
_decode_status = msgspec.json.Decoder(SymbolStatus).decode


class StoredPrices:
    """Reads the last values in Redis."""

    def __init__(self, client: Redis, keyspace: Keyspace, rejections: Rejections) -> None:
        self._client = client
        self._keyspace = keyspace
        self._rejections = rejections

    async def read(self, symbols: Sequence[str]) -> list[Price]:
        """Return the stored prices of the symbols that have one.

        Raises:
            BusError: Redis is unreachable or rejects the command.
        """
        prices = await self._values(PRICE, symbols, _decode_price)
        return [price for price in prices if price.price is not None]

    async def quotes(self, symbols: Sequence[str]) -> list[Quote]:
        """Return the stored quotes of the symbols that have one.

        Raises:
            BusError: Redis is unreachable or rejects the command.
        """
        return await self._values(QUOTE, symbols, _decode_quote)

    async def halts(self, symbols: Sequence[str]) -> list[SymbolStatus]:
        """Return the stored statuses of the symbols that were halted.

        Alpaca reports a halt only once, so a new leader learns of it only from here.

        Raises:
            BusError: Redis is unreachable or rejects the command.
        """
        statuses = await self._values(STATUS, symbols, _decode_status)
        return [status for status in statuses if status.state == "halted"]

    async def _values(
        self, kind: str, symbols: Sequence[str], decode: Callable[[bytes], T]
    ) -> list[T]:
        with self._rejections.watch("the reading of the stored prices"), bus_errors():
            stored: list[Any] = await self._client.mget(
                [self._keyspace.last(topic(kind, symbol)) for symbol in symbols]
            )
        values = []
        for value in stored:
            if value is None:
                continue
            try:
                values.append(decode(message.unpack(value).body))
            except (ValueError, msgspec.DecodeError) as error:  # a value of another version
                log.warning("stored_value_skipped", kind=kind, error=str(error))
        return values
