"""The status in Redis is the newest one, whatever the order in which Redis gets the writes."""

import asyncio
from contextlib import suppress
from itertools import count

import msgspec
import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from ingest.bus.lease import Lease
from ingest.bus.status_writer import StatusWriter
from shared import ingest_status, message
from shared.bus.redis_source import RedisSource
from shared.bus.rejections import Rejections
from shared.cancellation import cancel
from shared.event_id import EventId
from shared.ingest_status import FeedState, IngestStatus
from tests.ingest_report import healthy
from tests.keyspace import KEYSPACE
from tests.late_bytes import late_bytes
from tests.limits import LIMIT_SECONDS


class Stage:
    """A leader whose status has the state that a test sets."""

    def __init__(self, client: Redis, lease: Lease, ingest_id: str = "ingest") -> None:
        self.state: FeedState = "connecting"
        self.rejections = Rejections()
        self._client = client
        seqs = count(1)
        self.writer = StatusWriter(
            client,
            KEYSPACE,
            lease,
            ingest_id,
            lambda: EventId(lease.epoch, next(seqs)),
            self._compose,
            asyncio.Event(),
            self.rejections,
        )

    def _compose(self, event_id: EventId) -> IngestStatus:
        return msgspec.structs.replace(healthy(event_id, []), state=self.state)

    async def stored(self) -> IngestStatus:
        stored = await self._client.get(KEYSPACE.ingest_status)
        assert isinstance(stored, bytes)
        return ingest_status.decode(stored)


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_status_that_reaches_redis_after_a_newer_one_does_not_replace_it(
    source: RedisSource, is_cancelled: bool
) -> None:
    async with (
        late_bytes(source) as late,
        RedisSource(late.url).client("test") as client,
        asyncio.timeout(LIMIT_SECONDS),
    ):
        lease = Lease(client, KEYSPACE, "ingest")
        assert await lease.claim()
        stage = Stage(client, lease)
        await stage.writer.write()  # from now on Redis knows the script
        late.hold()
        older = asyncio.create_task(stage.writer.write())
        await late.waiting.wait()
        if is_cancelled:
            await cancel(older)
        stage.state = "failed"
        await stage.writer.write()
        assert (await stage.stored()).state == "failed"

        late.release()
        await late.answered.wait()
        with suppress(asyncio.CancelledError):
            await older
        assert (await stage.stored()).state == "failed"


async def test_each_status_replaces_the_one_before_also_that_of_an_earlier_leader(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        lease = Lease(client, KEYSPACE, "ingest")
        assert await lease.claim()
        earlier = ingest_status.encode(healthy(EventId(lease.epoch - 1, 999), []))
        await client.set(KEYSPACE.ingest_status, earlier)
        stage = Stage(client, lease)
        states: list[FeedState] = ["connecting", "live", "reconnecting"]
        for state in states:
            stage.state = state
            await stage.writer.write()
            assert (await stage.stored()).state == state


async def published_report(pubsub: PubSub) -> IngestStatus:
    """Return the next report that Redis delivers."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            received = await pubsub.get_message(timeout=LIMIT_SECONDS)
            if received is not None and received["type"] == "message":
                return ingest_status.decode(message.unpack(received["data"]).body)


async def test_a_report_for_which_redis_has_no_memory_is_published_all_the_same(
    source: RedisSource,
) -> None:
    async with source.client("test") as client, client.pubsub() as pubsub:
        lease = Lease(client, KEYSPACE, "ingest")
        assert await lease.claim()
        stage = Stage(client, lease)
        await pubsub.subscribe(KEYSPACE.ingest_status_channel)
        await client.config_set("maxmemory", 1)
        try:
            await stage.writer.write()
        finally:
            await client.config_set("maxmemory", 0)
        reason = stage.rejections.reason
        assert (await published_report(pubsub)).state == "connecting"
        assert await client.exists(KEYSPACE.ingest_status) == 0
        assert reason is not None
        assert reason.startswith("Redis rejects the report: OOM command not allowed")

        await stage.writer.write()

        assert stage.rejections.of("the report") is None
        assert (await stage.stored()).state == "connecting"


async def test_a_key_of_another_kind_in_place_of_the_status_is_replaced(
    source: RedisSource,
) -> None:
    async with source.client("test") as client:
        lease = Lease(client, KEYSPACE, "ingest")
        assert await lease.claim()
        await client.lpush(KEYSPACE.ingest_status, "not ours")

        await Stage(client, lease).writer.write()

        assert (await Stage(client, lease).stored()).state == "connecting"


async def test_without_its_lease_a_leader_publishes_its_report_but_stores_none(
    source: RedisSource,
) -> None:
    """Redis may reject the renewal: then the report has to say so."""
    async with source.client("test") as client, client.pubsub() as pubsub:
        lease = Lease(client, KEYSPACE, "ingest")
        assert await lease.claim()
        await pubsub.subscribe(KEYSPACE.ingest_status_channel)
        await client.delete(KEYSPACE.lease)

        await Stage(client, lease).writer.write()

        assert (await published_report(pubsub)).state == "connecting"
        assert await client.exists(KEYSPACE.ingest_status) == 0


async def test_beside_another_leader_a_former_one_publishes_no_report(source: RedisSource) -> None:
    async with source.client("test") as client, client.pubsub() as pubsub:
        lease, other = (Lease(client, KEYSPACE, name) for name in ("ingest", "other"))
        assert await lease.claim()
        former = Stage(client, lease)
        await client.delete(KEYSPACE.lease)
        assert await other.claim()
        await pubsub.subscribe(KEYSPACE.ingest_status_channel)

        await former.writer.write()
        leading = Stage(client, other, "other")
        leading.state = "live"
        await leading.writer.write()

        assert (await published_report(pubsub)).state == "live"
