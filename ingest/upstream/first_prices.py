"""A price at once: symbols that become wanted are looked up before their first print.

First what an earlier leader has published, so that no price goes back; then Alpaca's snapshot.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import structlog

from ingest.bus.stored_prices import StoredPrices
from ingest.demand.wanted import Demand
from ingest.market.last_price import LastPrices, day_of
from ingest.upstream.alpaca_rest import AlpacaRest, RestError
from ingest.upstream.frame import MALFORMED, FrameReader
from shared.redis_source import REDIS_ERRORS

log = structlog.get_logger()

SYMBOLS_AT_ONCE = 100
PAUSE_SECONDS = 0.5
"""At most two calls a second, well within the plan's 200 a minute with the others."""

LOOK_SECONDS = 1.0

BAD_REQUEST = 400


class FirstPrices:
    """Publishes a REST snapshot of every symbol that becomes wanted, and of all on a new day.

    ``clock`` gives unix nanoseconds.
    """

    def __init__(
        self,
        rest: AlpacaRest,
        stored: StoredPrices,
        demand: Demand,
        prices: LastPrices,
        reader: FrameReader,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._rest = rest
        self._stored = stored
        self._demand = demand
        self._prices = prices
        self._reader = reader
        self._clock = clock
        self._known: set[str] = set()
        self._day = day_of(clock())
        self._failing = False

    async def run(self) -> None:
        """Look up until cancelled; what failed is asked again."""
        while True:
            wanted = self._demand.wanted()
            self._forget_on_a_new_day()
            self._known.intersection_update(wanted)
            new = [symbol for symbol in wanted if symbol not in self._known][:SYMBOLS_AT_ONCE]
            if new and await self._restored(new):
                await self._look_up(new)
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                await self._demand.wait_for_change(LOOK_SECONDS)

    def _forget_on_a_new_day(self) -> None:
        """The previous close is another one then."""
        today = day_of(self._clock())
        if today != self._day:
            self._day = today
            self._known.clear()

    async def _restored(self, symbols: list[str]) -> bool:
        try:
            for price in await self._stored.read(symbols):
                self._prices.restore(price)
        except REDIS_ERRORS:  # the lease reports the loss
            return False
        return True

    async def _look_up(self, symbols: list[str]) -> None:
        try:
            snapshots = await self._rest.snapshots(symbols)
        except RestError as error:
            if error.status == BAD_REQUEST and len(symbols) > 1:  # one symbol spoils it for all
                half = len(symbols) // 2
                await self._look_up(symbols[:half])
                await self._look_up(symbols[half:])
                return
            if error.status != BAD_REQUEST:
                await self._wait_after(error)
                return
            snapshots = {}
        self._failing = False
        self._known.update(symbols)
        self._take(symbols, snapshots)

    async def _wait_after(self, error: RestError) -> None:
        if not self._failing:
            log.warning("no first prices", error=str(error))
        self._failing = True
        await asyncio.sleep(LOOK_SECONDS)

    def _take(self, symbols: list[str], snapshots: dict[str, Any]) -> None:
        received_us = self._clock() // 1000
        for symbol in symbols:
            try:
                first = self._prices.on_snapshot(symbol, snapshots.get(symbol), received_us)
            except MALFORMED as error:
                log.warning("malformed snapshot", symbol=symbol, error=repr(error))
                continue
            if first is not None:
                self._reader.publish(first, traded=False)
