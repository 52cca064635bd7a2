"""Alpaca's REST API for options: https://docs.alpaca.markets/reference/optionsnapshots."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ingest.upstream.alpaca_rest import DELAY, AlpacaRest
from ingest.upstream.blocking_calls import checked
from ingest.upstream.malformed_data import MalformedData
from ingest.upstream.market_rest import PAGES_AT_MOST, ROWS_AT_ONCE, Bars, Trades, read_pages
from ingest.upstream.request_budget import RequestBudget
from shared.markets import OPTIONS
from shared.request import Adjustment

INDICATIVE = "indicative"
"""The feed of the free plan: derived quotes, and trades fifteen minutes late."""

_VERSION, _, _PATH = OPTIONS.rest.partition("/")
_MOST = 1_000
"""The contracts of one page."""


class OptionRest:
    """The ``MarketRest`` of one option feed, by the client and the budget of ``rest``."""

    def __init__(self, rest: AlpacaRest, feed: str) -> None:
        self.feed = feed
        self._rest = rest

    @property
    def malformed(self) -> MalformedData:
        """The rows of all REST answers that could not be read or applied."""
        return self._rest.malformed

    @property
    def data_budget(self) -> RequestBudget:
        """The budget that all markets share."""
        return self._rest.data_budget

    @property
    def is_indicative(self) -> bool:
        """Whether the feed's quotes are derived ones."""
        return self.feed == INDICATIVE

    @property
    def delay_seconds(self) -> float:
        """How far the feed's trades are behind the market."""
        return DELAY.total_seconds() if self.is_indicative else 0.0

    async def snapshots(self, symbols: Sequence[str], *, polling: bool = False) -> dict[str, Any]:
        """Return ``…/snapshots`` by contract; those that Alpaca lacks are absent.

        Raises:
            RestError: it failed.
        """
        query = {"symbols": ",".join(symbols), "feed": self.feed, "limit": _MOST}
        page = checked(dict, await self._get("snapshots", query, polling=polling))
        return checked(dict, page.get("snapshots") or {})

    async def chain_page(
        self, underlying: str, query: Mapping[str, Any]
    ) -> tuple[dict[str, Any], str | None]:
        """Return a page of ``…/snapshots/{underlying}`` by contract, and the token of the next one.

        Raises:
            RestError: it failed.
        """
        asked = {"feed": self.feed, "limit": _MOST, **query}
        page = checked(dict, await self._get(f"snapshots/{underlying}", asked, polling=True))
        token = page.get("next_page_token")
        return checked(dict, page.get("snapshots") or {}), token if isinstance(token, str) else None

    async def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> dict[str, Any]:  # noqa: ARG002
        """Return no bars: after a split a contract has another symbol."""
        return {}

    async def trades(
        self, symbols: Sequence[str], since: float, *, polling: bool = False
    ) -> Trades:
        """Return ``…/trades`` since a time (unix s).

        Raises:
            RestError: a page of it failed.
        """
        query = self._query(symbols, datetime.fromtimestamp(since, UTC) - self._delay, None)
        return Trades(*await self._pages(query, symbols, PAGES_AT_MOST, polling=polling))

    async def trades_around(self, symbol: str, moment: float) -> list[Any]:
        """Return the rows of ``…/trades`` within a millisecond of a time (unix s).

        Raises:
            RestError: it failed.
        """
        at, tolerance = datetime.fromtimestamp(moment, UTC), timedelta(milliseconds=1)
        query = self._query([symbol], at - tolerance, at + tolerance)
        rows, _ = await self._pages(query, [symbol], 1, polling=False)
        return rows.get(symbol, [])

    async def bars(
        self,
        symbols: Sequence[str],  # noqa: ARG002
        timeframe: str,  # noqa: ARG002
        start: datetime,  # noqa: ARG002
        end: datetime,  # noqa: ARG002
        *,
        adjusted: Adjustment = "split",  # noqa: ARG002
    ) -> Bars:
        """Return no bars: Alpaca streams none of options, and there are no topics of them."""
        return Bars({}, frozenset())

    async def lists_asset(self, symbol: str) -> bool:
        """Return whether Alpaca lists a contract.

        Raises:
            RestError: it failed, or its answer says nothing about the contract.
        """
        return await self._rest.lists_contract(symbol)

    @property
    def _delay(self) -> timedelta:
        return timedelta(seconds=self.delay_seconds)

    async def _pages(
        self, query: dict[str, Any], symbols: Sequence[str], most: int, *, polling: bool
    ) -> tuple[dict[str, list[Any]], frozenset[str]]:
        async def read(query: dict[str, Any]) -> Any:
            return await self._get("trades", query, polling=polling)

        return await read_pages(read, "trades", query, symbols, most)

    async def _get(self, what: str, query: dict[str, Any], *, polling: bool) -> Any:
        path = f"/{_PATH}/{what}"
        return await self._rest.get_data(path, query, version=_VERSION, polling=polling)

    def _query(
        self, symbols: Sequence[str], start: datetime, end: datetime | None
    ) -> dict[str, Any]:
        bounds = {"start": _text(start)} | ({} if end is None else {"end": _text(end)})
        return {"symbols": ",".join(symbols), "limit": ROWS_AT_ONCE, "sort": "asc", **bounds}


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
