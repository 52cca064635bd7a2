"""The values stored in Redis, once, as JSON."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from gateway.bus.last_values import LastValues
from gateway.bus.positions import Positions
from gateway.http import fields
from gateway.http.access import Access
from gateway.http.json_response import json_response
from gateway.http.stream_request import topics_of
from gateway.http.symbol_fields import ANY_SYMBOLS, AnySymbol
from gateway.wire import events
from gateway.wire.principal import MARKET, POSITIONS
from shared.message import Message
from shared.topics import ACCOUNT, EVERYTHING, POSITION, PRICE, key_of, topic

ALL_POSITIONS = topic(POSITION, EVERYTHING)


class PriceFields(msgspec.Struct, kw_only=True):
    """The parameters of ``/api/prices``."""

    symbols: Annotated[list[AnySymbol], msgspec.Meta(description=ANY_SYMBOLS)] = []


class StoredPositionFields(msgspec.Struct, kw_only=True):
    """The parameters of ``/api/positions``."""

    symbols: (
        Annotated[
            list[AnySymbol],
            msgspec.Meta(description=f"{ANY_SYMBOLS}; all open positions where none are given"),
        ]
        | UnsetType
    ) = UNSET


class StoredValues:
    """The endpoints that answer once. ``limit`` is the most symbols of one request.

    They raise BusError if Redis is unreachable.
    """

    def __init__(
        self,
        access: Access,
        *,
        prices: LastValues,
        positions: Positions,
        limit: int,
    ) -> None:
        self._access = access
        self._prices = prices
        self._positions = positions
        self._limit = limit

    async def prices(self, request: Request) -> Response:
        """``GET /api/prices?symbols=``: the last prices."""
        self._access.check(request, MARKET)
        asked = fields.of_query(request, PriceFields)
        topics = topics_of([PRICE], asked.symbols, limit=self._limit)
        stored = await self._prices.read(topics)
        found = {
            key_of(t): _price(key_of(t), value) for t, value in zip(topics, stored, strict=True)
        }
        return json_response({"prices": found})

    async def positions(self, request: Request) -> Response:
        """``GET /api/positions?symbols=``: the account and its positions, as a stream starts."""
        principal = self._access.check(request, POSITIONS)
        asked = fields.of_query(request, StoredPositionFields)
        topics = topics_of([POSITION], asked.symbols, limit=self._limit)
        everything = topics == [ALL_POSITIONS]
        stored = await self._positions.read(
            None if everything else [key_of(topic) for topic in topics]
        )
        account = _account(stored.account) if principal.has(ACCOUNT) else None
        rows = [msgspec.Raw(row) for row in stored.open_rows()]
        return json_response({"account": account, "positions": rows})


def _account(stored: Message | None) -> msgspec.Raw:
    if stored is None:
        return msgspec.Raw(events.no_account(events.NOT_REPORTED))
    return msgspec.Raw(stored.body)


def _price(symbol: str, stored: Message | None) -> msgspec.Raw:
    if stored is not None:
        return msgspec.Raw(stored.body)
    return msgspec.Raw(events.no_price(symbol, "no_trade_seen"))
