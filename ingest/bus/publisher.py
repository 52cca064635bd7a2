"""From the outbox to Redis in batches: one script call for each, in the order of the ids."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.resources import files

import structlog
from redis.asyncio import Redis

from ingest.bus.lease import Lease, LeaseLostError
from ingest.bus.outbox import Outbox, Publication
from ingest.bus.rejected_events import RejectedEvents
from ingest.bus.server_run import UNKNOWN_RUN, server_run
from shared.bar import RUNNING
from shared.bus import keys
from shared.bus.errors import BusError, bus_errors
from shared.bus.keys import Keyspace
from shared.bus.rejections import Rejections
from shared.event_id import EventId
from shared.topics import kind_of
from shared.waiting import wait_at_most

log = structlog.get_logger()

BATCH = 500
"""Larger batches gain little, and Redis serves no other client while the script runs."""

PUBLISH_RETRY_SECONDS = 0.2

SERVER_RUN_SECONDS = 1.0
"""How often the publisher looks whether the Redis server has started again."""

PUBLICATIONS = "the publications"
"""The publisher's work, as its rejection names it."""

FENCED = -1
"""The script's answer if a newer epoch has begun."""

_AHEAD = b"ahead "
"""How its answer begins if a later event of the same epoch is marked as published."""


class Publisher:
    """Gives every event its id and publishes it while the lease is held.

    A batch whose answer was lost is sent again with the same ids, and the script recognises it. If
    Redis has lost its data in the meantime, the script cannot: the ordered events of the batch then
    become a ``gap``, because clients could receive them twice.

    The script notes in Redis since when the histories are complete. It compares Redis' newest event
    with the newest one that Redis has confirmed here. A new leader has none to compare with, and
    compares the run of the server. ``verified`` is set once the script has done so.
    ``bar_bounds``: how many bars of a topic are stored, by kind.
    """

    def __init__(
        self,
        client: Redis,
        keyspace: Keyspace,
        lease: Lease,
        outbox: Outbox,
        ttl_seconds: float,
        rejections: Rejections,
        *,
        bar_bounds: Mapping[str, int] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.published = 0
        self.rejected = RejectedEvents(outbox, monotonic)
        self.verified = asyncio.Event()
        self._client = client
        self._lease = lease
        self._outbox = outbox
        # One script call for a batch. In a pipeline, redis-py would encode several commands for
        # each event, which would cost the ingest more CPU than all other steps together.
        self._script = client.register_script(
            files("ingest.bus").joinpath("publish.lua").read_text(encoding="utf-8")
        )
        names = keyspace
        self._keys = [names.epoch, names.published, names.histories, names.recorded_since]
        self._names = [names.key_prefix, names.channel_prefix, names.ingest_status_channel]
        self._lives = [round(ttl_seconds * 1000), keys.LAST_SECONDS, keys.HISTORY_SECONDS]
        self._bar_bounds = bar_bounds or keys.bar_bounds()
        self._rejections = rejections
        self._monotonic = monotonic
        self._waiting_since: float | None = None
        self._epoch = 0
        self._seq = 0
        self._confirmed = ""
        """The ids of the newest event that Redis has confirmed, and of the newest ordered one."""
        self._ordered = ""
        self._run = UNKNOWN_RUN
        self._is_check_due = True
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waiting_seconds(self) -> float:
        """How long the current batch has been waiting for Redis."""
        since = self._waiting_since
        return 0.0 if since is None else self._monotonic() - since

    @property
    def rejection(self) -> str | None:
        """Redis' answer while it rejects the publications, or the lease that they need."""
        return self._rejections.of(PUBLICATIONS) or self._lease.rejection

    def next_id(self) -> EventId:
        """Return the id of the next event and count it."""
        return EventId(self._lease.epoch, self._count(1))

    async def run(self) -> None:
        """Publish until cancelled.

        Raises:
            LeaseLostError: a newer epoch has begun; none of the batch was published.
        """
        self._idle.clear()
        self._run = await self._first_run()
        self.check()
        while True:
            self._idle.set()
            await self._wait_for_work()
            self._idle.clear()
            # Counted from here and not from the first attempt to send: with an expired lease no
            # batch is sent at all, and the alarm has to see that, too.
            self._waiting_since = self._monotonic()
            # The batch is taken only now: while the lease is in doubt the outbox still conflates.
            await self._lease.valid()
            # A gap leads the batch: it stands for events that were published before.
            batch = [*self.rejected.take_gaps(), *self._outbox.take(BATCH)]
            # An empty batch makes the script compare, and changes nothing else.
            if batch or self._is_check_due:
                await self._send(batch)
            self._waiting_since = None

    async def _wait_for_work(self) -> None:
        # A gap that Redis has rejected is due again later, also if no event comes until then.
        seconds = self.rejected.gap_due_seconds
        if seconds is None:
            await self._outbox.waiting.wait()
        else:
            await wait_at_most(self._outbox.waiting, seconds)

    def check(self) -> None:
        """Let the script compare Redis' data with what was published, at once."""
        self._is_check_due = True
        self._outbox.waiting.set()

    async def follow_server(self) -> None:
        """Check Redis' data whenever its server has started again, until cancelled."""
        while True:
            await asyncio.sleep(SERVER_RUN_SECONDS)
            with suppress(BusError):  # the lease reports the loss
                run = await server_run(self._client)
                if run != self._run:
                    # A server that is back between two renewals has failed none of them, so the
                    # lease knows nothing of it; its values may be older all the same.
                    if UNKNOWN_RUN not in (run, self._run):
                        self._lease.republish_due.set()
                    self._run = run
                    self.check()

    async def _first_run(self) -> str:
        # Read before the first batch: a later start of the server is seen by the next reading.
        while True:
            with suppress(BusError):
                return await server_run(self._client)
            await asyncio.sleep(PUBLISH_RETRY_SECONDS)

    async def drain(self) -> None:
        """Wait until everything offered is published."""
        while self._outbox or not self._idle.is_set():
            await self._idle.wait()
            await asyncio.sleep(0)  # idle is still set when the outbox has just been filled

    def _count(self, events: int) -> int:
        """Count events of the present epoch; return the seq of the newest.

        A new epoch starts at 1. The lease can get a new number while a batch is on its way, so this
        is decided at each count.
        """
        if self._lease.epoch != self._epoch:
            self._epoch, self._seq = self._lease.epoch, 0
        self._seq += events
        return self._seq

    async def _send(self, batch: list[Publication]) -> None:
        sent_under, seqs, events = 0, (0, 0), b""
        may_be_published = False
        while True:
            epoch = await self._lease.valid()
            # The first attempt, or one after Redis was emptied and the lease got a new number. An
            # attempt with no answer may have reached clients: ordered events are not sent again.
            if epoch != sent_under:
                if may_be_published:
                    batch = self._outbox.without_ordered(batch)
                    may_be_published = False
                sent_under, events = epoch, _encoded(batch, self._bar_bounds)
                last = self._count(len(batch))
                seqs = last - len(batch) + 1, last
            answer = await self._run_script(epoch, seqs, events)
            if answer is None:
                may_be_published = True
                await asyncio.sleep(PUBLISH_RETRY_SECONDS)
                continue
            if answer == FENCED:
                # The newer epoch may be our own: its claim has run and the answer is on its way.
                await asyncio.sleep(PUBLISH_RETRY_SECONDS)
                if self._lease.epoch == epoch:
                    raise LeaseLostError("another ingest has started to lead")
                continue
            if isinstance(answer, bytes) and answer.startswith(_AHEAD):
                self._follow_mark(answer)
                sent_under = 0
                continue
            self._confirm(epoch, seqs[1], answer)
            self.verified.set()
            # Only Redis' answer makes an event a published one.
            self.published += len(batch)
            if isinstance(answer, bytes):
                self.published -= self.rejected.on_answer(batch, answer)
                if self.rejected.is_gap_due:
                    self._outbox.waiting.set()
            return

    def _follow_mark(self, answer: bytes) -> None:
        """Count on from an id that another program has marked as published.

        Below it, the script would take each batch for one that Redis has had already.
        """
        self._seq = int(answer.removeprefix(_AHEAD))
        log.error(
            "published_mark_changed",
            message="another program has changed the mark of the newest published event: give each "
            "program its own Redis or REDIS_NAMESPACE",
            seq=self._seq,
        )

    def _confirm(self, epoch: int, seq: int, answer: int | bytes) -> None:
        """Note the newest event of a batch, and the newest ordered one."""
        newest = f"{epoch}-{seq}"
        # No ordered event of this leader precedes its first batch. The answer does not name it if
        # there were problems: then it counts as the last one of the batch.
        if isinstance(answer, bytes):
            self._ordered = newest
        elif answer or not self._ordered:
            self._ordered = f"{epoch}-{answer}"
        self._confirmed = f"{newest} {self._ordered}"

    async def _run_script(
        self, epoch: int, seqs: tuple[int, int], events: bytes
    ) -> int | bytes | None:
        """Publish a batch; return the script's answer, or None if it failed.

        After None it is unknown whether the batch was published.
        """
        is_check, self._is_check_due = self._is_check_due, False
        try:
            with self._rejections.watch(PUBLICATIONS), bus_errors():
                answer: int | bytes | None = await self._script(
                    keys=self._keys,
                    args=[
                        epoch,
                        *seqs,
                        self._confirmed,
                        "1" if is_check else "",
                        *self._lives,
                        *self._names,
                        events,
                    ],
                )
        except BusError:  # the lease reports the loss of the connection
            answer = None
        if answer is None or answer == FENCED:
            self._is_check_due |= is_check
        return answer


def _encoded(batch: Iterable[Publication], bounds: Mapping[str, int]) -> bytes:
    """Return the events as the script reads them; ``bounds``: how many bars are stored, by kind."""
    lines: list[bytes] = []
    for each in batch:
        if each.start is not None:
            lines += (_where_bar(each, bounds), each.body)
            continue
        if each.traded:
            # Each symbol of a wide market has its line, and a cache of all is slower than this.
            lines += (f"t{each.topic}".encode(), each.body)
            continue
        merge = "m" if each.row is None else "n"
        lines += (_where(each.topic, each.event, merge), each.body)
    lines.append(b"")
    return b"\n".join(lines)


def _where_bar(publication: Publication, bounds: Mapping[str, int]) -> bytes:
    """Return the line that addresses a bar."""
    topic, start = publication.topic, publication.start
    kind = kind_of(topic)
    how = "r" if publication.event == RUNNING else "b"
    return f"{how}{keys.HISTORY_LENGTHS[kind]} {topic} {start} {bounds[kind]}".encode()


@lru_cache(maxsize=16_384)
def _where(topic: str, event: str | None, merge: str) -> bytes:
    """Return the line that addresses an event, as ``publish.lua`` reads it.

    ``merge`` is the form of a value of a merge topic; ordered topics and named events ignore it.
    """
    length = keys.HISTORY_LENGTHS.get(kind_of(topic))
    if length is None and event is None and merge != "n":
        return f"{merge}{topic}".encode()
    how = "n" if length is None else f"o{length}"
    return f"{how} {topic}".encode() + (b"" if event is None else f" {event}".encode())
