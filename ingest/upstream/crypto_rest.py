"""Alpaca's REST API for crypto: https://docs.alpaca.markets/reference/cryptosnapshots-1."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.blocking_calls import checked
from ingest.upstream.market_path import MarketPath
from ingest.upstream.market_rest import BAR_PAGES_AT_MOST, BAR_TIMEFRAMES, Bars
from shared.markets import CRYPTO
from shared.request import Adjustment
from shared.symbols import bare


class CryptoRest(MarketPath):
    """The ``MarketRest`` of one crypto feed, by the client and the budget of ``rest``."""

    def __init__(self, rest: AlpacaRest, feed: str) -> None:
        super().__init__(rest, CRYPTO.rest.format(feed=feed))

    async def snapshots(self, symbols: Sequence[str], *, polling: bool = False) -> dict[str, Any]:
        """Return ``…/snapshots`` by pair; pairs that Alpaca lacks are absent.

        Raises:
            RestError: it failed.
        """
        page = checked(
            dict, await self.get("snapshots", {"symbols": ",".join(symbols)}, polling=polling)
        )
        return checked(dict, page.get("snapshots") or {})

    async def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> dict[str, Any]:  # noqa: ARG002
        """Return no bars: pairs have no splits, so a snapshot has the right previous close."""
        return {}

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
        query = self.query(symbols, start, end) | {"timeframe": BAR_TIMEFRAMES[timeframe].value}
        return Bars(*await self.pages("bars", query, symbols, BAR_PAGES_AT_MOST, polling=True))

    async def lists_asset(self, symbol: str) -> bool:
        """Return whether Alpaca lists a pair.

        Raises:
            RestError: it failed, or its answer says nothing about the pair.
        """
        # Alpaca accepts both spellings, and a slash would be another path.
        return await self._rest.lists_asset(bare(symbol))
