"""A publisher whose lease or whose Redis goes away, and comes back."""

import asyncio
import os
import signal
from typing import Any

import pytest

from ingest.bus import lease as lease_module
from ingest.bus import publisher
from ingest.bus.lease import Lease, LeaseLostError
from ingest.bus.publisher import Publisher
from shared.bus import keys
from shared.bus.redis_source import RedisSource
from shared.bus.rejections import Rejections
from shared.bus.valkey_server import ValkeyServer
from shared.event_id import EventId
from shared.gap import GAP
from tests.ingest.bus.stage import Stage, listening, printed, publishing, value
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS
from tests.services import until


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


async def test_a_batch_that_was_fenced_by_a_new_number_of_the_same_lease_loses_no_event(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with any_source.client("test") as client, publishing(any_source) as stage:
        before, script, answers = stage.lease.epoch, stage.publisher._script, list[Any]()

        async def overtaken(**arguments: Any) -> Any:
            if stage.lease.epoch == before:
                await client.flushall()
                assert await stage.lease.claim()
            answers.append(await script(**arguments))
            return answers[-1]

        monkeypatch.setattr(stage.publisher, "_script", overtaken)
        await stage.publish(printed(1))

        assert answers[0] == publisher.FENCED
        assert [event for *_, event in await stage.history("trade:SPY")] == [None]


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
