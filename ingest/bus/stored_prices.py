"""The values that an earlier leader published last: a new leader starts from them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from redis.asyncio import Redis

from shared import message, rfc3339
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace
from shared.bus.malformed_stored import MalformedStored
from shared.bus.rejections import Rejections
from shared.price import Price
from shared.quote import Quote
from shared.symbol_status import SymbolStatus
from shared.topics import PRICE, QUOTE, STATUS, topic

T = TypeVar("T")
Timed = TypeVar("Timed", Price, Quote)

_price_decoder = msgspec.json.Decoder(Price)
_quote_decoder = msgspec.json.Decoder(Quote)
_status_decoder = msgspec.json.Decoder(SymbolStatus)


def _decode_price(body: bytes) -> Price:
    return _with_time(_price_decoder.decode(body))


def _decode_quote(body: bytes) -> Quote:
    return _with_time(_quote_decoder.decode(body))


def _decode_status(body: bytes) -> SymbolStatus:
    status = _status_decoder.decode(body)
    if status.short_sale_as_of is not None:
        rfc3339.to_nanoseconds(status.short_sale_as_of)  # later calculations rely on its form
    return status


def _with_time(decoded: Timed) -> Timed:
    if decoded.timestamp is not None:
        rfc3339.to_nanoseconds(decoded.timestamp)  # later calculations rely on its form
    return decoded


class StoredPrices:
    """Reads the last values in Redis."""

    def __init__(
        self,
        client: Redis,
        keyspace: Keyspace,
        rejections: Rejections,
        malformed: MalformedStored,
    ) -> None:
        self._malformed = malformed
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

    async def trading_statuses(self, symbols: Sequence[str]) -> list[SymbolStatus]:
        """Return the statuses of those symbols that are halted or have a report of short sales.

        Alpaca reports both only once, so a new leader learns of them only from here.

        Raises:
            BusError: Redis is unreachable or rejects the command.
        """
        statuses = await self._values(STATUS, symbols, _decode_status)
        return [
            status
            for status in statuses
            if status.state == "halted" or status.short_sale_restricted is not None
        ]

    async def _values(
        self, kind: str, symbols: Sequence[str], decode: Callable[[bytes], T]
    ) -> list[T]:
        with self._rejections.watch("the reading of the stored prices"), bus_errors():
            stored: list[Any] = await self._client.mget(
                [self._keyspace.last(topic(kind, symbol)) for symbol in symbols]
            )
        values = []
        for symbol, value in zip(symbols, stored, strict=True):
            if value is None:
                continue
            with self._malformed.skipping(self._keyspace.last(topic(kind, symbol))):
                values.append(decode(message.unpack(value).body))
        return values
