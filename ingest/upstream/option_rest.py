"""Alpaca's REST API for options: https://docs.alpaca.markets/reference/optionsnapshots."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from ingest.upstream.alpaca_rest import DELAY, AlpacaRest
from ingest.upstream.blocking_calls import checked
from ingest.upstream.market_path import MarketPath
from ingest.upstream.market_rest import Bars
from shared.markets import OPTIONS
from shared.request import Adjustment

INDICATIVE = "indicative"
"""The feed of the free plan: derived quotes, and trades fifteen minutes late."""

_MOST = 1_000
"""The contracts of one page."""


class OptionRest(MarketPath):
    """The ``MarketRest`` of one option feed, by the client and the budget of ``rest``."""

    def __init__(self, rest: AlpacaRest, feed: str) -> None:
        self.feed = feed
        self.is_indicative = feed == INDICATIVE
        """Whether the feed's quotes are derived ones."""
        super().__init__(rest, OPTIONS.rest, DELAY.total_seconds() if self.is_indicative else 0.0)

    async def snapshots(self, symbols: Sequence[str], *, polling: bool = False) -> dict[str, Any]:
        """Return ``…/snapshots`` by contract; those that Alpaca lacks are absent.

        Raises:
            RestError: it failed.
        """
        query = {"symbols": ",".join(symbols), "feed": self.feed, "limit": _MOST}
        page = checked(dict, await self.get("snapshots", query, polling=polling))
        return checked(dict, page.get("snapshots") or {})

    async def chain_page(
        self, underlying: str, query: Mapping[str, Any]
    ) -> tuple[dict[str, Any], str | None]:
        """Return a page of ``…/snapshots/{underlying}`` by contract, and the token of the next one.

        Raises:
            RestError: it failed.
        """
        asked = {"feed": self.feed, "limit": _MOST, **query}
        page = checked(dict, await self.get(f"snapshots/{underlying}", asked, polling=True))
        token = page.get("next_page_token")
        return checked(dict, page.get("snapshots") or {}), token if isinstance(token, str) else None

    async def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> dict[str, Any]:  # noqa: ARG002
        """Return no bars: after a split a contract has another symbol."""
        return {}

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
