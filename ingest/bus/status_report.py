"""Saying how the ingest is, every second and at each change, while it leads."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from redis.asyncio import Redis

from ingest.bus.lease import Lease
from shared import ingest_status
from shared.bus import keys
from shared.bus.redis_source import REDIS_ERRORS
from shared.event_id import EventId
from shared.ingest_status import IngestStatus
from shared.waiting import wait_at_most

REPORT_SECONDS = 1.0

FAILED_MILLISECONDS = 600_000
"""The reason of a failure outlives the process that it has ended."""

# A paused leader that wakes must not overwrite its successor's report.
_REPORT = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
redis.call('PUBLISH', KEYS[2], ARGV[2] .. '\\n' .. ARGV[3])
return 1
"""


class StatusReport:
    """Writes what ``compose`` gives for the next id."""

    def __init__(
        self,
        client: Redis,
        lease: Lease,
        ingest_id: str,
        next_id: Callable[[], EventId],
        compose: Callable[[EventId], IngestStatus],
    ) -> None:
        self.changed = asyncio.Event()
        self._lease = lease
        self._ingest_id = ingest_id
        self._next_id = next_id
        self._compose = compose
        self._script = client.register_script(_REPORT)

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            self.changed.clear()
            await self._lease.valid()
            await self.now()
            await wait_at_most(self.changed, REPORT_SECONDS)

    async def now(self) -> None:
        """Report at once; without Redis there is nobody to hear it."""
        event_id = self._next_id()
        status = self._compose(event_id)
        body = ingest_status.encode(status)
        life = FAILED_MILLISECONDS if status.state == "failed" else keys.INGEST_STATUS_MILLISECONDS
        with suppress(*REDIS_ERRORS):
            await self._script(
                keys=[keys.LEASE, keys.INGEST_STATUS],
                args=[f"{self._ingest_id} {self._lease.epoch}", str(event_id), body, life],
            )
