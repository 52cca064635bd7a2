"""From the outbox to Redis, in batches: one script call each, in the order of the ids."""

import asyncio
from importlib.resources import files

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from ingest.bus.lease import Lease
from ingest.bus.outbox import Outbox, Publication
from shared import keys, message
from shared.event_id import EventId
from shared.redis_source import REDIS_ERRORS

log = structlog.get_logger()

BATCH = 500
RETRY_SECONDS = 0.2


class Publisher:
    """Gives every event its id and publishes it while the lease is held.

    A batch whose answer was lost is sent again with the same ids: the script refuses what it has.
    """

    def __init__(self, client: Redis, lease: Lease, outbox: Outbox, ttl_seconds: float) -> None:
        self.published = 0
        self.refused = 0
        self._lease = lease
        self._outbox = outbox
        self._script = client.register_script(
            files("ingest.bus").joinpath("publish.lua").read_text(encoding="utf-8")
        )
        self._ttl_milliseconds = round(ttl_seconds * 1000)
        self._seq = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def begin_epoch(self) -> None:
        """Count from 1 again and forget what waits: its values are published anew."""
        self._seq = 0
        self._outbox.clear()

    def next_id(self) -> EventId:
        """Return the id of the next event."""
        self._seq += 1
        return EventId(self._lease.epoch, self._seq)

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            self._idle.set()
            await self._outbox.waiting.wait()
            self._idle.clear()
            epoch = await self._lease.valid()
            batch = self._outbox.take(BATCH)
            if batch:
                await self._send(epoch, batch)

    async def drain(self) -> None:
        """Wait until everything offered is published."""
        while self._outbox or not self._idle.is_set():
            await self._idle.wait()
            await asyncio.sleep(0)

    async def _send(self, epoch: int, batch: list[Publication]) -> None:
        names: list[str] = []
        args: list[str | bytes | int] = [epoch, self._ttl_milliseconds, keys.LAST_SECONDS]
        for publication in batch:
            event_id = self.next_id()
            names += [publication.topic, keys.last_key(publication.topic)]
            stamped = message.stamp(event_id, publication.body)
            args += [event_id.seq, stamped, "1" if publication.traded else "0"]
        while epoch == self._lease.epoch:
            try:
                refused = int(await self._script(keys=names, args=args))
            except REDIS_ERRORS as error:
                if isinstance(error, ResponseError):  # a lost connection is the lease's to report
                    log.warning("redis refuses to publish", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
                epoch_now = await self._lease.valid()
                if epoch_now != epoch:
                    return
            else:
                self.refused += refused
                self.published += len(batch) - refused
                return
