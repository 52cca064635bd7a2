"""The reports in Redis: of every gateway, and of the leading ingest."""

import time
from collections.abc import Callable
from typing import Any

import msgspec
from redis.asyncio import Redis

from gateway.bus.gateway_report import GatewayReport
from gateway.bus.malformed import MalformedData
from shared.bus import keys
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(GatewayReport).decode


class Reports:
    """Stores the report of this gateway and reads those of all.

    A report that is missing proves the end of a gateway only if Redis has not lost it. The report
    of this gateway shows that: it is missing, too, or was missing when it was stored again.

    Each method raises BusError if Redis is unreachable. ``monotonic`` gives seconds.
    """

    def __init__(
        self,
        client: Redis,
        keyspace: Keyspace,
        malformed: MalformedData,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._keyspace = keyspace
        self._malformed = malformed
        self._monotonic = monotonic
        self._own: str | None = None
        """The key of this gateway's report, once it is stored."""
        self._is_uncertain = False
        """Whether the last report may or may not be stored."""
        self._lost_at: float | None = None

    @property
    def may_lack_some(self) -> bool:
        """Whether Redis has lost reports lately, and some gateways may not have stored theirs."""
        lost_at = self._lost_at
        return lost_at is not None and self._monotonic() - lost_at < keys.GATEWAY_SECONDS

    async def store(self, report: GatewayReport) -> None:
        """Store this gateway's report; it expires if it is not renewed."""
        key = self._keyspace.gateway(report.gateway_id)
        # Until Redis has answered: a report whose answer was lost would be found at the next time.
        uncertain, self._is_uncertain = self._is_uncertain, True
        with bus_errors():
            before = await self._client.set(key, _encode(report), ex=keys.GATEWAY_SECONDS, get=True)
        self._is_uncertain = False
        if self._own is not None and (before is None or uncertain):
            self._lost_at = self._monotonic()
        self._own = key

    async def withdraw(self, gateway_id: str) -> None:
        """Remove the report of this gateway, which ends."""
        with bus_errors():
            await self._client.delete(self._keyspace.gateway(gateway_id))

    async def has_ended(self, gateway_id: str) -> bool:
        """Return whether another gateway is known to have ended.

        One that has not reached Redis for as long as a report lives counts as ended.
        """
        if self._own is None:
            return False
        with bus_errors():
            own, its = await self._client.mget(self._own, self._keyspace.gateway(gateway_id))
        return its is None and own is not None and not self.may_lack_some

    async def gateways(self) -> list[GatewayReport]:
        """Return the reports of all running gateways, sorted by id."""
        pattern = self._keyspace.gateway("*")
        with bus_errors():
            all_keys = [key async for key in self._client.scan_iter(match=pattern, count=1000)]
            # Their other keys have a colon more.
            found = [key for key in all_keys if key.count(b":") == pattern.count(":")]
            values = await self._client.mget(found) if found else []
        reports = []
        for value in values:
            # The report expired after the scan (None), or another version wrote it.
            if value is not None:
                with self._malformed.skipping(b"gateway"):
                    reports.append(_decode(value))
        return sorted(reports, key=lambda report: report.gateway_id)

    async def ingest(self) -> bytes | None:
        """Return the leading ingest's report as JSON, or None if no ingest reports."""
        with bus_errors():
            stored: Any = await self._client.get(self._keyspace.ingest_status)
        return None if stored is None else bytes(stored)
