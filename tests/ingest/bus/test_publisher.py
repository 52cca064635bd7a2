"""From the outbox to Redis: ids, keys, messages, and what survives a Redis that goes away."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import pytest
from redis.asyncio import Redis

from ingest.bus import lease as lease_module
from ingest.bus import publisher
from ingest.bus.lease import Lease, LeaseLostError
from ingest.bus.outbox import Outbox, Publication
from ingest.bus.publisher import BATCH, Publisher
from shared import message
from shared.bus import keys
from shared.bus.errors import REDIS_ERRORS
from shared.bus.redis_source import RedisSource
from shared.bus.rejections import Rejections
from shared.bus.valkey_server import ValkeyServer
from shared.event_id import EventId
from shared.gap import GAP
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS
from tests.services import until

SCRIPT = files("ingest.bus").joinpath("publish.lua").read_text(encoding="utf-8")


def value(topic: str, number: int, *, traded: bool = True) -> Publication:
    return Publication(topic, b'{"n":%d}' % number, traded)


def printed(number: int, event: str | None = None, topic: str = "trade:SPY") -> Publication:
    moment = f"2026-11-16T17:00:00.{number + 1:09d}Z"
    return Publication(topic, b'{"n":%d,"timestamp":"%b"}' % (number, moment.encode()), event=event)


async def run_script(
    client: Redis, epoch: int, first: int, *events: Publication, confirmed: str = "", run: str = ""
) -> int | bytes:
    """Publish a batch; return what the script answers."""
    args: list[Any] = [
        epoch,
        first,
        first + len(events) - 1,
        confirmed,
        run,
        5000,
        600,
        600,
        KEYSPACE.key_prefix,
        KEYSPACE.channel_prefix,
        KEYSPACE.ingest_status_channel,
        publisher._encoded(events),
    ]
    names = [KEYSPACE.epoch, KEYSPACE.published, KEYSPACE.histories, KEYSPACE.recorded_since]
    answer: int | bytes = await client.register_script(SCRIPT)(keys=names, args=args)
    return answer


class Listener:
    """Everything that was published on some topics."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, EventId, dict[str, Any]]] = []
        self.events: list[str | None] = []

    def ids(self, topic: str) -> list[EventId]:
        return [event_id for name, event_id, _ in self.messages if name == topic]

    def numbers(self, topic: str) -> list[int]:
        return [body["n"] for name, _, body in self.messages if name == topic and "n" in body]


@asynccontextmanager
async def listening(source: RedisSource, *topics: str) -> AsyncIterator[Listener]:
    """Listen like a gateway, and reconnect when Redis was unreachable."""
    listener = Listener()
    subscribed = asyncio.Event()

    async def listen() -> None:
        async with source.client("listener", subscriber=True) as client:
            pubsub = client.pubsub()
            await pubsub.subscribe(*topics)
            while True:
                try:
                    got = await pubsub.get_message(timeout=LIMIT_SECONDS)
                except REDIS_ERRORS:
                    await asyncio.sleep(0.02)
                    continue
                if got is None:
                    continue
                if got["type"] == "subscribe":
                    subscribed.set()
                    continue
                event_id, body, event = message.unpack(got["data"])
                listener.messages.append((got["channel"].decode(), event_id, json.loads(body)))
                listener.events.append(event)

    task = asyncio.create_task(listen())
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            await subscribed.wait()
        yield listener
    finally:
        task.cancel()
        await asyncio.wait([task])


class Stage:
    """A publisher at work, with what it stands on."""

    def __init__(self, client: Redis, publishing: Redis, ttl_seconds: float) -> None:
        self.client = client
        self.outbox = Outbox()
        self.lease = Lease(client, KEYSPACE, "ingest")
        self.publisher = Publisher(
            publishing, KEYSPACE, self.lease, self.outbox, ttl_seconds, Rejections()
        )

    async def publish(self, *publications: Publication) -> None:
        for each in publications:
            self.outbox.offer(each)
        async with asyncio.timeout(LIMIT_SECONDS):
            await self.publisher.drain()

    async def history(self, topic: str) -> list[tuple[EventId, dict[str, Any], bytes | None]]:
        """Return an ordered topic's stored events: id, JSON, name."""
        entries: Any = await self.client.xrange(KEYSPACE.history(topic))
        return [
            (EventId.parse(entry), json.loads(fields[b"data"]), fields.get(b"event"))
            for entry, fields in entries
        ]

    async def beginning(self, topic: str) -> str | None:
        """Return where a topic's history begins, as it is stored."""
        stored: Any = await self.client.hget(KEYSPACE.histories, topic)
        return None if stored is None else stored.decode()

    async def last(self, topic: str) -> tuple[EventId, dict[str, Any]] | None:
        stored = await self.client.get(KEYSPACE.last(topic))
        if stored is None:
            return None
        assert isinstance(stored, bytes)
        event_id, body, _ = message.unpack(stored)
        return event_id, json.loads(body)


@asynccontextmanager
async def publishing(source: RedisSource, ttl_seconds: float = 5) -> AsyncIterator[Stage]:
    async with source.client("lease") as client, source.client("publisher") as other:
        stage = Stage(client, other, ttl_seconds)
        assert await stage.lease.claim()
        tasks = [
            asyncio.create_task(stage.publisher.run()),
            asyncio.create_task(stage.lease.renew()),
        ]
        try:
            yield stage
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def test_a_trade_is_a_value_with_a_life_a_last_value_and_a_message(
    any_source: RedisSource,
) -> None:
    async with listening(any_source, "price:SPY") as heard, publishing(any_source, 2.5) as stage:
        await stage.publish(value("price:SPY", 1))
        await until(lambda: len(heard.messages) == 1)

        event_id = EventId(stage.lease.epoch, 1)
        stored = await stage.client.get("price:SPY")
        assert stored == b'{"event_id":"%d-1","n":1}' % stage.lease.epoch
        assert 0 < await stage.client.pttl("price:SPY") <= 2500
        assert await stage.client.get(KEYSPACE.last("price:SPY")) == message.pack(event_id, stored)
        assert 0 < await stage.client.ttl(KEYSPACE.last("price:SPY")) <= keys.LAST_SECONDS
        assert heard.messages == [("price:SPY", event_id, {"event_id": str(event_id), "n": 1})]
        assert stage.publisher.published == 1


async def test_what_did_not_just_trade_has_no_value_with_a_life(any_source: RedisSource) -> None:
    async with listening(any_source, "price:SPY") as heard, publishing(any_source) as stage:
        await stage.publish(value("price:SPY", 1, traded=False))
        await until(lambda: len(heard.messages) == 1)

        assert await stage.client.get("price:SPY") is None
        assert await stage.last("price:SPY") is not None


async def test_a_row_of_many_is_a_message_and_stored_nowhere(any_source: RedisSource) -> None:
    async with publishing(any_source) as stage, listening(any_source, "position:*") as heard:
        rows = [
            Publication("position:*", b'{"n":%d}' % number, row=symbol)
            for number, symbol in enumerate(("BAC", "IBM"))
        ]
        await stage.publish(*rows)
        await until(lambda: heard.numbers("position:*") == [0, 1])

        assert heard.events == [None, None]
        assert await stage.client.keys("*position*") == []


async def test_ids_count_over_all_topics_and_batches(any_source: RedisSource) -> None:
    async with listening(any_source, "a", "b") as heard, publishing(any_source) as stage:
        count = BATCH * 2 + 7
        await stage.publish(*(value("ab"[number % 2], number) for number in range(count)))
        await until(lambda: len(heard.messages) == count)

        assert [each[1].seq for each in heard.messages] == list(range(1, count + 1))
        assert [each[2]["n"] for each in heard.messages] == list(range(count))


async def test_a_batch_that_is_sent_twice_is_published_once(any_source: RedisSource) -> None:
    batch = [value("a", 1), printed(2, topic="trade:B"), Publication("a", b'{"n":3}', event="gap")]
    async with (
        any_source.client("test") as client,
        listening(any_source, "a", "trade:B") as heard,
    ):
        for _ in range(2):
            # The seq of the ordered event; then, when the script cannot know it, of the last one.
            assert await run_script(client, 7, 1, *batch) in (2, 3)
        assert await run_script(client, 7, 4, printed(4, topic="trade:B")) == 4
        await until(lambda: len(heard.ids("trade:B")) == 2)

        assert heard.ids("a") == [EventId(7, 1), EventId(7, 3)]
        assert await client.xlen(KEYSPACE.history("trade:B")) == 2


async def test_a_batch_of_an_older_epoch_is_refused_whole(any_source: RedisSource) -> None:
    async with any_source.client("test") as client, listening(any_source, "a") as heard:
        await client.set(KEYSPACE.epoch, 8)
        await run_script(client, 8, 1, value("a", 1))

        assert await run_script(client, 7, 5, value("a", 2), value("b", 3)) == publisher.FENCED
        assert await run_script(client, 8, 2, value("a", 4)) == 0
        await until(lambda: len(heard.messages) == 2)
        assert heard.numbers("a") == [1, 4]
        assert not await client.exists("b")


async def test_a_lost_fencing_counter_refuses_nobody(any_source: RedisSource) -> None:
    async with any_source.client("test") as client:
        await run_script(client, 8, 1, value("a", 1))

        assert await run_script(client, 9, 1, value("a", 2)) == 0
        assert await client.get("a") == b'{"event_id":"9-1","n":2}'


async def test_a_publisher_that_meets_a_newer_epoch_ends_with_the_lease_lost(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        stage = Stage(client, client, 5)
        assert await stage.lease.claim()
        await client.set(KEYSPACE.epoch, stage.lease.epoch + 1)
        stage.outbox.offer(value("price:SPY", 1))

        with pytest.raises(LeaseLostError):
            async with asyncio.timeout(LIMIT_SECONDS):
                await stage.publisher.run()
        assert await stage.last("price:SPY") is None
        assert stage.publisher.published == 0


async def test_a_batch_overtaken_by_a_new_number_of_the_same_lease_goes_out_under_it(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with any_source.client("test") as client, publishing(any_source) as stage:
        before, script = stage.lease.epoch, stage.publisher._script

        async def overtaken(**arguments: Any) -> Any:
            if stage.lease.epoch == before:
                await client.flushall()
                assert await stage.lease.claim()
            return await script(**arguments)

        monkeypatch.setattr(stage.publisher, "_script", overtaken)
        await stage.publish(value("price:SPY", 1))
        stored = await stage.last("price:SPY")
        assert stored is not None
        assert stored[0] == EventId(stage.lease.epoch, 1) > EventId(before, 1)


async def test_ordered_events_are_kept_in_a_history_whose_ids_are_theirs(
    any_source: RedisSource,
) -> None:
    async with (
        listening(any_source, "trade:SPY") as heard,
        publishing(any_source) as stage,
    ):
        await stage.publish(printed(1), printed(2, "correction"), printed(3))
        await until(lambda: len(heard.messages) == 3)

        stored = await stage.history("trade:SPY")
        epoch = stage.lease.epoch
        assert [event_id for event_id, _, _ in stored] == [EventId(epoch, n) for n in (1, 2, 3)]
        assert [event for _, _, event in stored] == [None, b"correction", None]
        assert [("trade:SPY", event_id, body) for event_id, body, _ in stored] == heard.messages
        assert heard.events == [None, "correction", None]
        assert await stage.last("trade:SPY") is None
        life = await stage.client.ttl(KEYSPACE.history("trade:SPY"))
        assert 0 < life <= keys.HISTORY_SECONDS
        assert stage.publisher.published == 3


async def test_a_history_is_trimmed(any_source: RedisSource) -> None:
    async with publishing(any_source) as stage:
        await stage.publish(*(printed(n, topic="bar.1Day:SPY") for n in range(1000)))

        assert len(await stage.history("bar.1Day:SPY")) < 300  # Redis trims by whole nodes
        assert stage.publisher.published == 1000


async def test_a_named_event_of_a_merge_topic_is_only_published(any_source: RedisSource) -> None:
    async with (
        listening(any_source, "price:SPY") as heard,
        publishing(any_source) as stage,
    ):
        await stage.publish(value("price:SPY", 1), Publication("price:SPY", b'{"n":2}', event=GAP))
        await until(lambda: len(heard.messages) == 2)

        assert heard.events == [None, GAP]
        stored = await stage.last("price:SPY")
        assert stored is not None
        assert stored[1]["n"] == 1
        assert not await stage.client.exists(KEYSPACE.history("price:SPY"))


@pytest.mark.parametrize("foreign", ["entry from the future", "text"])
async def test_a_history_that_another_program_wrote_to_is_put_aside_and_a_new_one_starts(
    any_source: RedisSource, foreign: str
) -> None:
    history = KEYSPACE.history("trade:SPY")
    async with listening(any_source, "trade:SPY") as heard, publishing(any_source) as stage:
        if foreign == "text":
            await stage.client.set(history, "x")
        else:
            await stage.client.xadd(history, {"data": "{}"}, id="9223372036854775807-1")
        await stage.publish(value("price:SPY", 1), printed(2), printed(3))
        await until(lambda: heard.numbers("trade:SPY") == [2, 3])

        epoch = stage.lease.epoch
        assert [each[0] for each in await stage.history("trade:SPY")] == [
            EventId(epoch, 2),
            EventId(epoch, 3),
        ]
        assert await stage.client.exists(f"{history}:aside")
        assert await stage.beginning("trade:SPY") == f"{epoch}-1 {epoch}-2"
        assert (stage.publisher.published, stage.publisher.rejected.aside) == (3, 1)
        assert (stage.outbox.lost, stage.publisher.rejected.count) == (0, 0)
        first = stage.publisher.rejected.first
        assert first is not None
        assert first.startswith("trade:SPY: ")


@pytest.mark.parametrize("foreign", ["list", "text"])
async def test_a_foreign_value_in_the_last_key_is_overwritten(
    any_source: RedisSource, foreign: str
) -> None:
    async with publishing(any_source) as stage:
        last = KEYSPACE.last("price:SPY")
        await (stage.client.rpush(last, "x") if foreign == "list" else stage.client.set(last, "x"))
        await stage.publish(value("price:SPY", 1), value("price:IBM", 2))

        for topic, number in (("price:SPY", 1), ("price:IBM", 2)):
            stored = await stage.last(topic)
            assert stored is not None
            assert stored[1]["n"] == number


async def test_without_a_valid_lease_nothing_is_published_until_it_is_renewed(
    any_source: RedisSource,
) -> None:
    now = 100.0
    async with any_source.client("test") as client:
        stage = Stage(client, client, 5)
        stage.lease = Lease(client, KEYSPACE, "ingest", monotonic=lambda: now)
        stage.publisher = Publisher(client, KEYSPACE, stage.lease, stage.outbox, 5, Rejections())
        await stage.lease.claim()
        now += keys.LEASE_MILLISECONDS / 1000
        running = asyncio.create_task(stage.publisher.run())
        stage.outbox.offer(value("t", 1))
        await asyncio.wait([running], timeout=0.1)
        assert await client.get("t") is None
        assert len(stage.outbox) == 1

        await stage.lease.claim()
        await until(lambda: stage.publisher.published == 1)
        assert await client.exists("t")
        running.cancel()
        await asyncio.wait([running])


async def test_a_new_epoch_counts_from_one_and_what_waited_is_published_under_it(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        stage = Stage(client, client, 5)
        assert await stage.lease.claim()
        before = stage.publisher.next_id()
        stage.outbox.offer(value("t", 3))
        await client.flushall()
        assert await stage.lease.claim()
        running = asyncio.create_task(stage.publisher.run())
        await stage.publish(value("t", 4))

        stored = await stage.last("t")
        assert stored is not None
        assert (stored[0], stored[1]["n"]) == (EventId(stage.lease.epoch, 2), 4)
        assert stage.lease.epoch > before.epoch
        running.cancel()
        await asyncio.wait([running])


async def test_a_batch_that_a_redis_without_memory_may_have_had_comes_again_but_for_its_trades(
    valkey: ValkeyServer, source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LEASE_RENEW_SECONDS", "RENEW_RETRY_SECONDS"):
        monkeypatch.setattr(lease_module, name, 0.02)
    monkeypatch.setattr(publisher, "PUBLISH_RETRY_SECONDS", 1.0)  # the lease is renewed before
    async with publishing(source) as stage:
        await stage.publish(value("price:SPY", 0))
        await valkey.stop()
        stage.outbox.offer(printed(1))
        stage.outbox.offer(value("price:SPY", 2))
        await until(lambda: not stage.outbox)  # it is on its way
        stage.outbox.offer(printed(3))
        await valkey.start()
        await until(lambda: stage.publisher.published == 4)

        told = [(event, body.get("n")) for _, body, event in await stage.history("trade:SPY")]
        assert told == [(GAP.encode(), None), (None, 3)]
        stored = await stage.last("price:SPY")
        assert stored is not None
        assert stored[1]["n"] == 2
        assert stage.outbox.lost == 1


async def go(valkey: ValkeyServer, fault: str) -> None:
    if fault == "pause":
        os.kill(valkey.pid, signal.SIGSTOP)
    else:
        await valkey.stop()


async def come_back(valkey: ValkeyServer, fault: str) -> None:
    if fault == "pause":
        os.kill(valkey.pid, signal.SIGCONT)
    else:
        await valkey.start()


@pytest.mark.parametrize("fault", ["pause", "kill"])
async def test_the_newest_of_each_topic_survives_a_redis_that_goes_away(
    valkey: ValkeyServer, source: RedisSource, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bus.redis_source.COMMAND_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(lease_module, "LEASE_RENEW_SECONDS", 0.1)
    newest: dict[str, int] = {}
    async with listening(source, *"abcde") as heard, publishing(source) as stage:

        async def republish() -> None:  # as the leadership does: all known values again
            while True:
                await stage.lease.republish_due.wait()
                stage.lease.republish_due.clear()
                for topic, number in newest.items():
                    stage.outbox.offer(value(topic, number))

        republishing = asyncio.create_task(republish())
        for number in range(600):
            topic = "abcde"[number % 5]
            newest[topic] = number
            stage.outbox.offer(value(topic, number))
            if number == 200:
                await go(valkey, fault)
            if number == 400:
                await come_back(valkey, fault)
            await asyncio.sleep(0.002)

        async def all_stored() -> bool:
            stored = [await stage.last(topic) for topic in "abcde"]
            return [each and each[1]["n"] for each in stored] == [newest[each] for each in "abcde"]

        await until(all_stored)
        for topic in "abcde":
            assert heard.ids(topic) == sorted(set(heard.ids(topic)))
            assert heard.numbers(topic) == sorted(heard.numbers(topic))
        if (
            fault == "pause"
        ):  # no connection was lost permanently: the listener has received everything
            await until(lambda: all(heard.numbers(each)[-1] == newest[each] for each in newest))
        republishing.cancel()
        await asyncio.wait([republishing])
