"""From the outbox to Redis, in batches: one script call each, in the order of the ids."""

import asyncio
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.resources import files

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from ingest.bus.lease import Lease, LeaseLostError
from ingest.bus.outbox import Outbox, Publication
from shared.bus import keys
from shared.bus.redis_source import REDIS_ERRORS
from shared.event_id import EventId
from shared.topics import kind_of

log = structlog.get_logger()

BATCH = 500
RETRY_SECONDS = 0.2

FENCED = -1
"""What the script answers when a newer epoch has begun."""


class Publisher:
    """Gives every event its id and publishes it while the lease is held.

    A batch whose answer was lost is sent again with the same ids: the script knows it. Should
    Redis have lost its data meanwhile, what it had cannot be known: ordered events of the batch
    become a ``gap`` then, since they could come twice.
    """

    def __init__(
        self,
        client: Redis,
        lease: Lease,
        outbox: Outbox,
        ttl_seconds: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.published = 0
        self.refused = 0
        self._lease = lease
        self._outbox = outbox
        self._script = client.register_script(
            files("ingest.bus").joinpath("publish.lua").read_text(encoding="utf-8")
        )
        self._lives = [round(ttl_seconds * 1000), keys.LAST_SECONDS, keys.HISTORY_SECONDS]
        self._monotonic = monotonic
        self._waiting_since: float | None = None
        self._epoch = 0
        self._seq = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waiting_seconds(self) -> float:
        """How long the batch under way has been waiting for Redis."""
        since = self._waiting_since
        return 0.0 if since is None else self._monotonic() - since

    def begin_epoch(self) -> None:
        """Count from 1 again if the lease has a new number. What waits is published under it."""
        if self._lease.epoch != self._epoch:
            self._epoch, self._seq = self._lease.epoch, 0

    def next_id(self) -> EventId:
        """Return the id of the next event."""
        self._seq += 1
        return EventId(self._lease.epoch, self._seq)

    async def run(self) -> None:
        """Publish until cancelled.

        Raises:
            LeaseLostError: a newer epoch has begun; nothing of the batch was published.
        """
        while True:
            self._idle.set()
            await self._outbox.waiting.wait()
            self._idle.clear()
            self._waiting_since = self._monotonic()
            await self._lease.valid()
            batch = self._outbox.take(BATCH)
            if batch:
                await self._send(batch)
            self._waiting_since = None

    async def drain(self) -> None:
        """Wait until everything offered is published."""
        while self._outbox or not self._idle.is_set():
            await self._idle.wait()
            await asyncio.sleep(0)

    async def _send(self, batch: list[Publication]) -> None:
        sent_under, seqs, events = 0, (0, 0), b""
        while True:
            epoch = await self._lease.valid()
            if epoch != sent_under:
                if sent_under:
                    batch = self._outbox.without_ordered(batch)
                sent_under, events = epoch, _encoded(batch)
                seqs = self._seq + 1, self._seq + len(batch)
                self._seq += len(batch)
            try:
                refused = int(
                    await self._script(
                        keys=[keys.EPOCH, keys.PUBLISHED],
                        args=[epoch, *seqs, *self._lives, events],
                    )
                )
            except REDIS_ERRORS as error:
                if isinstance(error, ResponseError):  # a lost connection is the lease's to report
                    log.warning("redis refuses to publish", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if refused == FENCED:
                await asyncio.sleep(RETRY_SECONDS)  # our own claim's answer may be on its way
                if self._lease.epoch == epoch:
                    raise LeaseLostError("a newer ingest has begun to lead")
                continue
            self.refused += refused
            self.published += len(batch) - refused
            return


def _encoded(batch: Iterable[Publication]) -> bytes:
    """Return the events as the script reads them."""
    lines: list[bytes] = []
    for each in batch:
        merge = "t" if each.traded else "m" if each.row is None else "n"
        lines += (_where(each.topic, each.event, merge), each.body)
    lines.append(b"")
    return b"\n".join(lines)


@lru_cache(maxsize=16_384)
def _where(topic: str, event: str | None, merge: str) -> bytes:
    """Return how and where the script publishes; ``merge`` is how a value. See ``publish.lua``."""
    length = keys.HISTORY_LENGTHS.get(kind_of(topic))
    if length is None and event is None and merge != "n":
        return f"{merge}{topic}".encode()
    how = "n" if length is None else f"o{length}"
    return f"{how} {topic}".encode() + (b"" if event is None else f" {event}".encode())
