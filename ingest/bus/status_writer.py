"""Writes the ingest's status while it leads: once a second and at each change."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from redis.asyncio import Redis

from ingest.bus.lease import Lease
from shared import ingest_status
from shared.bus import keys
from shared.bus.errors import BusError, bus_errors
from shared.bus.keys import Keyspace
from shared.bus.rejections import Rejections
from shared.event_id import EventId
from shared.ingest_status import IngestStatus
from shared.waiting import wait_at_most

WRITE_SECONDS = 1.0

FAILED_MILLISECONDS = 600_000
"""Ten minutes: the reason of a failure has to outlive the process that it has ended."""

# The lease is checked in the script: a leader that was paused and wakes up must not overwrite the
# status of its successor.
#
# So is the order of a leader's statuses. The client is a pool: two writes at the same time, or one
# after another that was cancelled, have two connections, and Redis may get the older status last.
# A lock in this process would not help: the bytes of a cancelled write are on their way already.
#
# A Redis that has no memory for the status still publishes it, and with it the alarm that says so.
# It is also published if the lease has expired because Redis rejects its renewal, but not stored:
# no other ingest leads.
_WRITE = """
local holder = string.match(redis.call('GET', KEYS[1]) or '', '^%S+ %d+')
if holder and holder ~= ARGV[1] then return 0 end
local epoch, seq = string.match(ARGV[2], '^(%d+)-(%d+)$')
local stored = redis.pcall('GET', KEYS[2]) or ''
if type(stored) == 'table' then stored = '' end
local stored_epoch, stored_seq = string.match(stored, '"event_id":"(%d+)-(%d+)"')
if stored_epoch == epoch and tonumber(stored_seq) > tonumber(seq) then return 0 end
local written = {}
if holder then written = redis.pcall('SET', KEYS[2], ARGV[3], 'PX', ARGV[4]) end
redis.call('PUBLISH', ARGV[5], ARGV[2] .. '\\n' .. ARGV[3])
if written.err then return written end
return 1
"""


class StatusWriter:
    """Writes the status that ``compose`` returns for the next event id.

    ``changed`` is set by the parts whose state the status contains.
    """

    def __init__(
        self,
        client: Redis,
        keyspace: Keyspace,
        lease: Lease,
        ingest_id: str,
        next_id: Callable[[], EventId],
        compose: Callable[[EventId], IngestStatus],
        changed: asyncio.Event,
        rejections: Rejections,
    ) -> None:
        self._keyspace = keyspace
        self._lease = lease
        self._ingest_id = ingest_id
        self._next_id = next_id
        self._compose = compose
        self._changed = changed
        self._rejections = rejections
        self._script = client.register_script(_WRITE)

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            # Cleared before the status is composed: a change during the write is written next.
            self._changed.clear()
            # Without the lease the status is only published: it may contain the reason.
            with suppress(TimeoutError):
                async with asyncio.timeout(WRITE_SECONDS):
                    await self._lease.valid()
            await self.write()
            await wait_at_most(self._changed, WRITE_SECONDS)

    async def write(self) -> None:
        """Write the status now, unless Redis is unreachable or has a newer one."""
        # Composed in the same turn of the loop: the order of the ids is that of the statuses.
        event_id = self._next_id()
        status = self._compose(event_id)
        body = ingest_status.encode(status)
        life = FAILED_MILLISECONDS if status.state == "failed" else keys.INGEST_STATUS_MILLISECONDS
        names = self._keyspace
        # The lease reports the loss, and no gateway could read the status anyway.
        with suppress(BusError), self._rejections.watch("the report"), bus_errors():
            mine, channel = f"{self._ingest_id} {self._lease.epoch}", names.ingest_status_channel
            await self._script(
                keys=[names.lease, names.ingest_status],
                args=[mine, str(event_id), body, life, channel],
            )
