"""Alpaca's REST API for pairs: https://docs.alpaca.markets/reference/cryptosnapshots-1."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.blocking_calls import checked
from ingest.upstream.malformed_data import MalformedData
from ingest.upstream.market_rest import (
    BAR_PAGES_AT_MOST,
    BAR_TIMEFRAMES,
    PAGES_AT_MOST,
    ROWS_AT_ONCE,
    Bars,
    Trades,
    read_pages,
)
from ingest.upstream.request_budget import RequestBudget
from shared.markets import CRYPTO
from shared.request import Adjustment
from shared.symbols import bare

_VERSION, _, _PATH = CRYPTO.rest.partition("/")


class CryptoRest:
    """The ``MarketRest`` of one crypto feed, by the client and the budget of ``rest``."""

    delay_seconds = 0.0

    def __init__(self, rest: AlpacaRest, feed: str) -> None:
        self._rest = rest
        self._path = "/" + _PATH.format(feed=feed)

    @property
    def malformed(self) -> MalformedData:
        """The rows of all REST answers that could not be read or applied."""
        return self._rest.malformed

    @property
    def data_budget(self) -> RequestBudget:
        """The budget that all markets share."""
        return self._rest.data_budget

    async def snapshots(self, symbols: Sequence[str], *, polling: bool = False) -> dict[str, Any]:
        """Return ``…/snapshots`` by pair; pairs that Alpaca lacks are absent.

        Raises:
            RestError: it failed.
        """
        page = checked(
            dict, await self._get("snapshots", {"symbols": ",".join(symbols)}, polling=polling)
        )
        return checked(dict, page.get("snapshots") or {})

    async def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> dict[str, Any]:  # noqa: ARG002
        """Return no bars: pairs have no splits, so a snapshot has the right previous close."""
        return {}

    async def trades(
        self, symbols: Sequence[str], since: float, *, polling: bool = False
    ) -> Trades:
        """Return ``…/trades`` since a time (unix s).

        Raises:
            RestError: a page of it failed.
        """
        query = self._query(symbols, datetime.fromtimestamp(since, UTC), None)
        return Trades(*await self._pages("trades", query, symbols, PAGES_AT_MOST, polling=polling))

    async def trades_around(self, symbol: str, moment: float) -> list[Any]:
        """Return the rows of ``…/trades`` within a millisecond of a time (unix s).

        Raises:
            RestError: it failed.
        """
        at, tolerance = datetime.fromtimestamp(moment, UTC), timedelta(milliseconds=1)
        query = self._query([symbol], at - tolerance, at + tolerance)
        rows, _ = await self._pages("trades", query, [symbol], 1, polling=False)
        return rows.get(symbol, [])

    async def bars(
        self,
        symbols: Sequence[str],
        timeframe: str,
        start: datetime,
        end: datetime,
        *,
        adjusted: Adjustment = "split",  # noqa: ARG002 - pairs have no corporate actions
    ) -> Bars:
        """Return ``…/bars`` with starts from one time to another, both included.

        Raises:
            RestError: a page of it failed.
        """
        if end < start:
            return Bars({}, frozenset())
        query = self._query(symbols, start, end) | {"timeframe": BAR_TIMEFRAMES[timeframe].value}
        return Bars(*await self._pages("bars", query, symbols, BAR_PAGES_AT_MOST, polling=True))

    async def lists_asset(self, symbol: str) -> bool:
        """Return whether Alpaca lists a pair.

        Raises:
            RestError: it failed, or its answer says nothing about the pair.
        """
        # Alpaca accepts both spellings, and a slash would be another path.
        return await self._rest.lists_asset(bare(symbol))

    async def _pages(
        self, what: str, query: dict[str, Any], symbols: Sequence[str], most: int, *, polling: bool
    ) -> tuple[dict[str, list[Any]], frozenset[str]]:
        async def read(query: dict[str, Any]) -> Any:
            return await self._get(what, query, polling=polling)

        return await read_pages(read, what, query, symbols, most)

    async def _get(self, what: str, query: dict[str, Any], *, polling: bool) -> Any:
        path = f"{self._path}/{what}"
        return await self._rest.get_data(path, query, version=_VERSION, polling=polling)

    def _query(
        self, symbols: Sequence[str], start: datetime, end: datetime | None
    ) -> dict[str, Any]:
        bounds = {"start": _text(start)} | ({} if end is None else {"end": _text(end)})
        return {"symbols": ",".join(symbols), "limit": ROWS_AT_ONCE, "sort": "asc", **bounds}


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
