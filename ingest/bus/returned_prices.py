"""The stored prices of a Redis that may have lost them: gateways return those that clients show.

If Redis is emptied just when another ingest begins to lead, only the gateways know the prices that
clients see. They write them back before they claim their topics again. Until then a symbol with no
stored price may have one, and REST's could be older.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis

from ingest.bus.stored_prices import StoredPrices
from shared.bus.beginning import SINCE
from shared.bus.errors import PricesAwaitedError, bus_errors
from shared.bus.keys import Keyspace
from shared.event_id import EventId
from shared.price import Price
from shared.quote import Quote
from shared.symbol_status import SymbolStatus
from shared.topics import price_topic


class ReturnedPrices:
    """Reads the stored values, once they are all there.

    ``epoch`` returns the present number of the lease, whose first one in this leadership is taken
    at once. ``watches`` returns whether a client watches a topic, or did until a moment ago.
    """

    def __init__(
        self,
        stored: StoredPrices,
        client: Redis,
        keyspace: Keyspace,
        epoch: Callable[[], int],
        watches: Callable[[str], bool],
    ) -> None:
        self._stored = stored
        self._client = client
        self._keyspace = keyspace
        self._epoch = epoch
        self._first_epoch = epoch()
        self._watches = watches

    async def read(self, symbols: Sequence[str]) -> list[Price]:
        """Return the prices of those symbols that have one.

        Raises:
            PricesAwaitedError: Redis has lost its data, and prices may yet come back.
            BusError: Redis is unreachable.
        """
        # Before the values: a gateway writes them back first.
        claimed = await self._claimed_since_a_loss()
        prices = await self._stored.read(symbols)
        await self._check_epoch()
        if claimed is not None:
            topics = [price_topic(symbol) for symbol in {*symbols} - {p.symbol for p in prices}]
            if any(self._watches(topic) and topic not in claimed for topic in topics):
                raise PricesAwaitedError("no gateway has returned its prices to an emptied Redis")
        return prices

    async def quotes(self, symbols: Sequence[str]) -> list[Quote]:
        """Return the quotes of those symbols that have one.

        Raises:
            BusError: Redis is unreachable.
        """
        return await self._stored.quotes(symbols)

    async def trading_statuses(self, symbols: Sequence[str]) -> list[SymbolStatus]:
        """Return the statuses of those symbols that are halted or have a report of short sales.

        Raises:
            BusError: Redis is unreachable.
        """
        return await self._stored.trading_statuses(symbols)

    async def _claimed_since_a_loss(self) -> set[str] | None:
        """Return the topics that are claimed now; None if Redis lost nothing in this leadership."""
        names = self._keyspace
        batch = self._client.pipeline(transaction=False)
        batch.hget(names.histories, SINCE)
        batch.hgetall(names.interest)
        with bus_errors():
            since, claims = await batch.execute()
        with suppress(ValueError):  # none, or another program's
            if EventId.parse(since or b"").epoch < self._first_epoch:
                return None
        return {field.decode(errors="replace").partition(" ")[2] for field in claims}

    async def _check_epoch(self) -> None:
        with bus_errors():
            found: Any = await self._client.get(self._keyspace.epoch)
        # Redis was emptied just now, and this leader does not know it yet.
        if found != b"%d" % self._epoch():
            raise PricesAwaitedError("Redis has another number of the lease than this leader")
