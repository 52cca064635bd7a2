"""The values that were published before, applied to a symbol before the stream brings its trades.

An exchange reports some trades late. The stream of a new leader may begin with one that is older
than the price that clients show, and only Redis knows that price.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import structlog

from ingest.demand.wanted import Demand, Want
from shared import rfc3339
from shared.bus.errors import BusError, PricesAwaitedError
from shared.price import Price
from shared.quote import Quote
from shared.symbol_status import SymbolStatus

log = structlog.get_logger()

PRICE_HANDOVER_SECONDS = 300.0
"""The age up to which a stored price shows that the earlier leader had the symbol on its stream:
the trades since then were missed. An older one may be of a symbol that no client watched."""

RESTORE_SECONDS = 1.0
"""How long a subscription waits for the stored values of its symbols: if there is no Redis there is
nothing to publish to, and one that rejects the reading must not keep prices from clients."""

RETRY_SECONDS = 0.05


class PublishedBefore(Protocol):
    """The values that this or an earlier leader published last."""

    async def read(self, symbols: Sequence[str]) -> list[Price]:
        """Return the prices of those symbols that have one.

        Raises:
            BusError: Redis is unreachable.
        """

    async def quotes(self, symbols: Sequence[str]) -> list[Quote]:
        """Return the quotes of those symbols that have one.

        Raises:
            BusError: Redis is unreachable.
        """

    async def trading_statuses(self, symbols: Sequence[str]) -> list[SymbolStatus]:
        """Return the statuses of those symbols that are halted or have a report of short sales.

        Raises:
            BusError: Redis is unreachable.
        """


class StoredValuesHandler(Protocol):
    """Applies the stored values."""

    def restore(self, price: Price) -> bool:
        """Apply a stored price; return whether an earlier leader published it."""

    def restore_quote(self, quote: Quote) -> None:
        """Accept a quote that an earlier leader published."""

    def restore_status(self, status: SymbolStatus) -> None:
        """Apply a status that an earlier leader published."""


class StoredValues:
    """Applies the stored values of each symbol once, for as long as the symbol is wanted.

    ``open_gap`` gets a symbol and the time (unix s) since which its trades were missed.
    ``delay_seconds`` is the feed's delay, ``clock`` gives unix nanoseconds.
    """

    def __init__(
        self,
        stored: PublishedBefore,
        demand: Demand,
        handler: StoredValuesHandler,
        open_gap: Callable[[str, float], None],
        *,
        delay_seconds: float = 0.0,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._delay_seconds = delay_seconds
        self._stored = stored
        self._demand = demand
        self._handler = handler
        self._open_gap = open_gap
        self._clock = clock
        self._restored: set[str] = set()
        self._whole: Sequence[Want] = ()
        """The wanted symbols when the stored values of all of them had been applied."""
        self._reading = asyncio.Lock()

    async def restore_wanted(self) -> None:
        """Return when the stored values of all wanted symbols have been applied, or after 1 s."""
        try:
            async with asyncio.timeout(RESTORE_SECONDS):
                # Again if the demand has changed meanwhile: the caller subscribes to all of them.
                while new := self._follow(self._demand.wanted()):
                    try:
                        await self.restore(new)
                    except PricesAwaitedError:
                        await asyncio.sleep(RETRY_SECONDS)
        except (BusError, TimeoutError) as error:
            log.warning(
                "stored_values_unread",
                message="the stream begins before the stored prices could be read; until they are, "
                "a late trade may follow a newer one",
                error=str(error) or type(error).__name__,
            )

    async def restore(self, symbols: Iterable[str]) -> None:
        """Apply the stored values of symbols; return when all have been.

        Raises:
            BusError: Redis is unreachable.
        """
        async with self._reading:
            if new := self._missing(symbols):
                await self._restore(new)
                self._restored.update(new)

    def _follow(self, wanted: Sequence[Want]) -> list[str]:
        """Forget the symbols that are not wanted; return those whose values are to be applied."""
        if wanted is self._whole:  # the same list until the demand changes
            return []
        symbols = {want.symbol for want in wanted}
        # The values of the others may change before they are wanted again.
        self._restored.intersection_update(symbols)
        new = self._missing(symbols)
        if not new:
            self._whole = wanted
        return new

    def _missing(self, symbols: Iterable[str]) -> list[str]:
        return [symbol for symbol in symbols if symbol not in self._restored]

    async def _restore(self, symbols: Sequence[str]) -> None:
        # Alpaca sends a status once, and not again after a handover.
        for status in await self._stored.trading_statuses(symbols):
            self._handler.restore_status(status)
        for quote in await self._stored.quotes(symbols):
            self._handler.restore_quote(quote)
        recent = self._clock() / 1e9 - PRICE_HANDOVER_SECONDS
        for price in await self._stored.read(symbols):
            traded_at = _unix(price.timestamp)
            arrived = None if traded_at is None else traded_at + self._delay_seconds
            # The earlier leader streamed it until the handover: its trades since are missed.
            if self._handler.restore(price) and arrived is not None and arrived > recent:
                self._open_gap(price.symbol, arrived)


def _unix(timestamp: str | None) -> float | None:
    return None if timestamp is None else rfc3339.to_nanoseconds(timestamp) / 1e9
