"""``/api/assets``: the search for symbols in the list that the ingest reads once a day."""

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from gateway.bus.asset_list import StoredAssets
from gateway.http import fields
from gateway.http.access import Access
from gateway.http.answers import Assets, FoundAsset
from gateway.http.api_error import ApiError
from gateway.http.asset_search import AssetSearch
from gateway.http.json_response import json_response
from gateway.wire.principal import MARKET
from shared.asset import AssetType

MOST_RESULTS = 100


class AssetFields(msgspec.Struct, kw_only=True):
    """The parameters of ``/api/assets``."""

    query: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=64,
            description="the beginning of a symbol, or of words of a name: bank of am",
        ),
    ]
    type: Annotated[
        AssetType | msgspec.UnsetType, Meta(description="stock or crypto; both by default")
    ] = msgspec.UNSET
    limit: Annotated[int, Meta(ge=1, le=MOST_RESULTS, description="the most results")] = 20


class ListedAssets:
    """The newest list, ready to be searched."""

    def __init__(self, stored: StoredAssets) -> None:
        self._stored = stored
        self._search: AssetSearch | None = None

    async def search(self) -> AssetSearch | None:
        """Return the search in the newest list; None if Redis has none.

        Raises:
            BusError: Redis is unreachable.
        """
        listed = await self._stored.read()
        if listed is None:
            self._search = None
        elif self._search is None or self._search.listed is not listed:
            self._search = AssetSearch(listed)
        return self._search


class AssetsEndpoint:
    """The endpoint. It raises BusError if Redis is unreachable."""

    def __init__(self, access: Access, listed: ListedAssets) -> None:
        self._access = access
        self._listed = listed

    async def assets(self, request: Request) -> Response:
        """``GET /api/assets?query=&type=&limit=``."""
        self._access.check(request, MARKET)
        asked = fields.of_query(request, AssetFields)
        search = await self._listed.search()
        if search is None:
            raise ApiError(
                503,
                code="no_assets",
                message="the list of assets is not in Redis",
                hint="try again in a minute: the ingest reads it at its start, and once a day",
                headers={"Retry-After": "60"},
            )
        type_ = None if asked.type is msgspec.UNSET else asked.type
        found = search.find(asked.query, asked.limit, type_=type_)
        rows = [FoundAsset(each.symbol, each.name, each.exchange, each.type) for each in found]
        return json_response(Assets(as_of=search.listed.as_of, assets=rows))
