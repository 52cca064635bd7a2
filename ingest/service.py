"""The ingest as a service: wait for the lease, lead, and stand by again when it is lost."""

import asyncio
import os
import secrets
import socket

import structlog

from ingest.bus.connections import bus_connections
from ingest.bus.lease import Lease, LeaseLostError
from ingest.leadership import Leadership
from ingest.settings import IngestSettings
from ingest.upstream.alpaca_rest import AlpacaRest
from shared.bus.errors import BusError
from shared.bus.redis_source import RedisSource
from shared.waiting import wait_at_most

log = structlog.get_logger()

CLAIM_SECONDS = 0.1
"""How often a standby asks for the lease: a clean hand-over has to be live within a second."""


class IngestService:
    """One ingest process: stands by until it holds the lease, then leads.

    Raises from ``run``: ``FeedError`` when Alpaca refuses in a way that waiting does not mend.
    """

    def __init__(self, settings: IngestSettings, source: RedisSource) -> None:
        self._settings = settings
        self._source = source
        self._ingest_id = f"{socket.gethostname()[:20]}-{os.getpid()}-{secrets.token_hex(3)}"

    async def run(self, stop: asyncio.Event) -> None:
        """Stand by or lead until ``stop`` is set."""
        rest = self._rest()
        try:
            async with bus_connections(self._source) as redis:
                while not stop.is_set():
                    lease = Lease(redis.commands, self._ingest_id)
                    if await self._stand_by(lease, stop):
                        await self._lead(
                            Leadership(self._settings, rest, redis, lease, self._ingest_id), stop
                        )
        finally:
            rest.close()

    def _rest(self) -> AlpacaRest:
        credentials = self._settings.credentials
        assert credentials is not None  # noqa: S101 - whoever made the settings has checked them
        return AlpacaRest(
            *credentials,
            data_url=self._settings.alpaca_data_url,
            trading_url=self._settings.trading_url,
            feed=self._settings.alpaca_feed,
        )

    async def _stand_by(self, lease: Lease, stop: asyncio.Event) -> bool:
        told: str | None = None
        while not stop.is_set():
            try:
                if await lease.claim():
                    return True
                waits_for = "another ingest leads; standing by"
            except BusError as error:
                waits_for = f"redis at {self._source.address} does not answer: {error}; waiting"
            if waits_for != told:
                log.warning(waits_for)
                told = waits_for
            await wait_at_most(stop, CLAIM_SECONDS)
        return False

    async def _lead(self, leadership: Leadership, stop: asyncio.Event) -> None:
        try:
            await leadership.run(stop)
        except BaseExceptionGroup as group:
            lost, other = group.split(LeaseLostError)
            if other is not None:
                raise other.exceptions[0] from None
            assert lost is not None  # noqa: S101 - a group holds at least one
            log.warning("lease lost", reason=str(lost.exceptions[0]))
