"""Whether Alpaca lists a symbol at all: decided before the ingest calls the symbol unknown.

The list of the day decides that a symbol is known. One that is not on it is asked for: it may be
listed since today.

A valid symbol may have no data on the feed (https://github.com/alpacahq/alpaca-py/issues/157), so
neither an empty snapshot nor a rejection by the stream says that there is no such symbol.
"""

import asyncio
import time
from collections.abc import Callable, Set
from datetime import date
from typing import Protocol

import structlog

from ingest.upstream.blocking_calls import RestError
from ingest.upstream.market_rest import MarketRest

log = structlog.get_logger()

ASSET_RETRY_SECONDS = 600.0
"""The time until a question without an answer is repeated. Until then the symbol counts as known:
that is the harmless reading."""


class AssetHandler(Protocol):
    """Applies the answers."""

    def on_asset(self, symbol: str, *, listed: bool) -> None:
        """Apply whether Alpaca's assets contain a symbol."""


class AssetCheck:
    """Asks for one symbol after the other, once a day each; ``monotonic`` gives seconds."""

    def __init__(
        self,
        rest: MarketRest,
        handler: AssetHandler,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rest = rest
        self._handler = handler
        self._monotonic = monotonic
        self._day: date | None = None
        self._queue: dict[str, None] = {}
        self._followed: Set[str] | None = None
        self._asked: dict[str, float] = {}
        """Symbols with the monotonic time from which they may be asked for again."""
        self._wake = asyncio.Event()
        self._listed: Set[str] = frozenset()

    def on_listed(self, symbols: Set[str]) -> None:
        """Accept the symbols of the newest list of assets."""
        self._listed = symbols

    def follow(self, wanted: Set[str], today: date) -> None:
        """Accept the wanted symbols; ``today`` is New York's date. A new day asks again."""
        if today != self._day:
            self._day = today
            self._asked.clear()
        if self._queue:
            self._queue = {s: None for s in self._queue if s in wanted}
        # A question is asked only of a wanted symbol, so an unchanged demand changes nothing here.
        if wanted is not self._followed:
            self._followed = wanted
            self._asked = {s: at for s, at in self._asked.items() if s in wanted}

    def ask(self, symbol: str) -> None:
        """Ask for a symbol soon, unless that has been done today."""
        if self._asked.get(symbol, 0.0) <= self._monotonic():
            self._queue[symbol] = None
            self._wake.set()

    async def run(self) -> None:
        """Ask until cancelled: one request at a time, so that typing errors use no budget."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                symbol = next(iter(self._queue))
                del self._queue[symbol]
                await self._ask(symbol)

    async def _ask(self, symbol: str) -> None:
        self._asked[symbol] = float("inf")
        if symbol in self._listed:
            self._handler.on_asset(symbol, listed=True)
            return
        try:
            listed = await self._rest.lists_asset(symbol)
        except RestError as error:
            self._asked[symbol] = self._monotonic() + ASSET_RETRY_SECONDS
            log.warning(
                "asset_check_failed",
                message="Alpaca's assets could not be asked; the symbol counts as known",
                symbol=symbol,
                error=error.kind,
            )
            return
        self._handler.on_asset(symbol, listed=listed)
