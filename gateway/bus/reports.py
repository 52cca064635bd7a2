"""The reports in Redis: of every gateway, and of the leading ingest."""

from typing import Any

import msgspec
from redis.asyncio import Redis

from gateway.bus.gateway_report import GatewayReport
from gateway.bus.malformed import skipping_malformed
from shared.bus import keys
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(GatewayReport).decode


class Reports:
    """Stores the report of this gateway and reads those of all.

    Each method raises BusError if Redis is unreachable.
    """

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        self._client = client
        self._keyspace = keyspace

    async def store(self, report: GatewayReport) -> None:
        """Store this gateway's report; it expires if it is not renewed."""
        key = self._keyspace.gateway(report.gateway_id)
        with bus_errors():
            await self._client.set(key, _encode(report), ex=keys.GATEWAY_SECONDS)

    async def gateways(self) -> list[GatewayReport]:
        """Return the reports of all running gateways, sorted by id."""
        pattern = self._keyspace.gateway("*")
        with bus_errors():
            found = [key async for key in self._client.scan_iter(match=pattern, count=1000)]
            values = await self._client.mget(found) if found else []
        reports = []
        for value in values:
            # The report expired after the scan (None), or another version wrote it.
            if value is not None:
                with skipping_malformed(b"gateway"):
                    reports.append(_decode(value))
        return sorted(reports, key=lambda report: report.gateway_id)

    async def ingest(self) -> bytes | None:
        """Return the leading ingest's report as JSON, or None if no ingest reports."""
        with bus_errors():
            stored: Any = await self._client.get(self._keyspace.ingest_status)
        return None if stored is None else bytes(stored)
