"""A market whose data this ingest does not get: clients learn the reason."""

import time
from collections.abc import Callable

from ingest.bus.announcer import Announcer
from ingest.demand.wanted import DEMAND_CHANGE_SECONDS, Demand
from shared import rfc3339
from shared.symbol_status import SymbolStatus


class UnservedMarket:
    """Announces each watched symbol of the market as ``rejected``; ``clock`` gives unix seconds."""

    def __init__(
        self,
        demand: Demand,
        announcer: Announcer,
        reason: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._demand = demand
        self._announcer = announcer
        self._reason = reason
        self._clock = clock
        self._announced: dict[str, SymbolStatus] = {}

    async def run(self) -> None:
        """Follow the demand until cancelled."""
        while True:
            self._follow()
            await self._demand.wait_for_change(DEMAND_CHANGE_SECONDS)

    def republish(self) -> None:
        """Announce every state again, for a new epoch or an emptied Redis."""
        for status in self._announced.values():
            self._announcer.status(status)

    def _follow(self) -> None:
        watched = {want.symbol for want in self._demand.wanted() if want.viewers}
        for symbol in self._announced.keys() - watched:
            del self._announced[symbol]
        for symbol in watched - self._announced.keys():
            since = rfc3339.from_unix(self._clock())
            status = SymbolStatus(symbol=symbol, state="rejected", reason=self._reason, since=since)
            self._announced[symbol] = status
            self._announcer.status(status)
