"""What is stored in Redis, once, as JSON."""

from contextlib import suppress
from typing import Any

import msgspec
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import Response

from gateway.http import stream_request
from gateway.http.access import Access
from gateway.http.api_error import ApiError
from gateway.http.json_response import json_response
from shared import keys, message
from shared.price import Price
from shared.redis_source import REDIS_ERRORS
from shared.topics import price_topic


class StoredValues:
    """The endpoints for those who ask once. ``limit`` is the most symbols of one request."""

    def __init__(self, access: Access, client: Redis, *, limit: int) -> None:
        self._access = access
        self._client = client
        self._limit = limit

    async def prices(self, request: Request) -> Response:
        """``GET /api/prices?symbols=``: the last prices."""
        self._access.check(request)
        symbols = stream_request.symbols_of(
            stream_request.query_of(request.query_params.multi_items()), self._limit
        )
        try:
            stored: list[Any] = await self._client.mget(
                [keys.last_key(price_topic(symbol)) for symbol in symbols]
            )
        except REDIS_ERRORS as error:
            raise ApiError(
                503,
                "redis_unavailable",
                f"the stored prices cannot be read: {error}",
                "try again in a moment; /readyz says when",
                {"Retry-After": "2"},
            ) from error
        found = {s: _price(s, value) for s, value in zip(symbols, stored, strict=True)}
        return json_response({"prices": found})


def _price(symbol: str, stored: bytes | None) -> object:
    if stored is not None:
        with suppress(ValueError):  # not of ours
            return msgspec.Raw(message.unpack(stored).body)
    return Price(symbol=symbol, reason="no_trade_seen")
