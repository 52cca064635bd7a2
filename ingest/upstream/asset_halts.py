"""Halts of the overnight session, as Alpaca's assets list them.

Source: the attribute ``overnight_halted`` in https://docs.alpaca.markets/reference/get-v2-assets-1
"""

import asyncio
import time
from collections.abc import Callable, Iterable

import structlog

from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.blocking_calls import RestError

log = structlog.get_logger()

OVERNIGHT_HALTED = "overnight_halted"

ASK_ASSET_AGAIN_SECONDS = 300.0
"""The time until a symbol is asked for again, also if REST has failed."""


class AssetHalts:
    """Asks for one symbol after the other; ``on_listing`` gets whether it is halted overnight.

    ``monotonic`` gives seconds.
    """

    def __init__(
        self,
        rest: AlpacaRest,
        on_listing: Callable[[str, bool], None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rest = rest
        self._on_listing = on_listing
        self._monotonic = monotonic
        self._asked: dict[str, float] = {}
        """When each of the doubtful symbols was asked for, monotonic seconds."""
        self._queue: list[str] = []
        self._due = asyncio.Event()

    def follow(self, doubtful: Iterable[str]) -> None:
        """Accept the symbols whose halts would be unknown; ask for those not asked for lately."""
        latest = self._monotonic() - ASK_ASSET_AGAIN_SECONDS
        symbols = list(doubtful)
        self._asked = {s: self._asked[s] for s in symbols if self._asked.get(s, latest) > latest}
        self._queue = [symbol for symbol in symbols if symbol not in self._asked]
        if self._queue:
            self._due.set()

    async def run(self) -> None:
        """Ask until cancelled, one request at a time."""
        while True:
            await self._due.wait()
            self._due.clear()
            while self._queue:
                symbol = self._queue.pop(0)
                self._asked[symbol] = self._monotonic()
                await self._ask(symbol)

    async def _ask(self, symbol: str) -> None:
        try:
            attributes = await self._rest.asset_attributes(symbol)
        except RestError as error:
            log.warning(
                "asset_halt_unknown",
                message="Alpaca's assets could not be asked whether a symbol is halted overnight",
                symbol=symbol,
                error=error.kind,
            )
            return
        self._on_listing(symbol, OVERNIGHT_HALTED in attributes)
