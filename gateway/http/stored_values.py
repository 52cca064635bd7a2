"""The values stored in Redis, once, as JSON."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from gateway.bus.bar_history import BarHistory
from gateway.bus.last_values import LastValues
from gateway.bus.positions import Positions
from gateway.http import fields
from gateway.http.access import Access
from gateway.http.api_error import ApiError
from gateway.http.json_response import json_response
from gateway.http.stream_fields import BAR_KINDS, Asset, Symbol, Timeframe
from gateway.http.stream_request import topics_of
from gateway.wire import events
from gateway.wire.principal import MARKET, POSITIONS
from shared.message import Message
from shared.topics import ACCOUNT, EVERYTHING, POSITION, PRICE, key_of, topic

ALL_POSITIONS = topic(POSITION, EVERYTHING)

MAX_BARS = 10_000
"""The most bars of one answer: the streams wait while one request is read and encoded."""


class PriceFields(msgspec.Struct, kw_only=True):
    """The parameters of ``/api/prices``."""

    symbols: Annotated[
        list[Symbol], msgspec.Meta(description="stock symbols as SPY,IBM,BRK.B")
    ] = []


class StoredBarFields(PriceFields):
    """The parameters of ``/api/bars``."""

    timeframe: Annotated[Timeframe, msgspec.Meta(description="1Min, 5Min or 1Day")] = "1Min"
    limit: Annotated[
        int,
        msgspec.Meta(
            ge=1, le=500, description="how many bars of each symbol, the newest; 1 to 500"
        ),
    ] = 100


class StoredPositionFields(msgspec.Struct, kw_only=True):
    """The parameters of ``/api/positions``."""

    symbols: (
        Annotated[
            list[Asset],
            msgspec.Meta(
                description="symbols as SPY,BTC/USD,AAPL240119C00100000; all open positions where "
                "none are given"
            ),
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
        bars: BarHistory,
        positions: Positions,
        limit: int,
    ) -> None:
        self._access = access
        self._prices = prices
        self._bars = bars
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

    async def bars(self, request: Request) -> Response:
        """``GET /api/bars?symbols=&timeframe=&limit=``: the newest bars, oldest first."""
        self._access.check(request, MARKET)
        asked = fields.of_query(request, StoredBarFields)
        # Not limited by the number of symbols alone: 500 symbols of 500 bars are 40 MB of JSON.
        topics = topics_of([BAR_KINDS[asked.timeframe]], asked.symbols, limit=self._limit)
        if len(topics) * asked.limit > MAX_BARS:
            raise ApiError(
                400,
                code="too_many_bars",
                message=f"{len(topics)} symbols with {asked.limit} bars each were requested; the "
                f"maximum is {MAX_BARS} bars in one request",
                hint=f"request fewer symbols, or limit={max(1, MAX_BARS // len(topics))}",
            )
        found = await self._bars.newest(topics, asked.limit)
        bars = {key_of(topic): bars for topic, bars in found.items()}
        return json_response({"timeframe": asked.timeframe, "bars": bars})

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
