"""From the outbox to Redis: ids, keys, messages and histories."""

import pytest

from ingest.bus import publisher
from ingest.bus.outbox import Publication
from ingest.bus.publisher import BATCH
from shared import message
from shared.bus import keys
from shared.bus.redis_source import RedisSource
from shared.event_id import EventId
from shared.gap import GAP
from tests.ingest.bus.stage import listening, printed, publishing, run_script, value
from tests.keyspace import KEYSPACE
from tests.services import until


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


@pytest.mark.parametrize("counter", ["mine", "inf", "1e400", "9" * 16])
async def test_a_fencing_counter_that_is_no_number_refuses_nobody(
    any_source: RedisSource, counter: str
) -> None:
    async with publishing(any_source) as stage:
        await stage.client.set(KEYSPACE.epoch, counter)
        assert await run_script(stage.client, stage.lease.epoch, 1, value("price:SPY", 1)) == 0


@pytest.mark.parametrize("seq", ["2", "500", "9" * 15, "9" * 16, "9" * 400])
async def test_no_event_is_lost_if_another_program_marks_later_ones_as_published(
    any_source: RedisSource, seq: str
) -> None:
    names = {"price:SPY", "trade:SPY"}
    async with publishing(any_source) as stage, listening(any_source, *names) as heard:
        await stage.publish(value("price:SPY", 1))
        await stage.client.set(KEYSPACE.published, f"{stage.lease.epoch}-{seq}")
        for number in (2, 3):
            await stage.publish(value("price:SPY", number), printed(number))
        await until(lambda: heard.numbers("trade:SPY") == [2, 3])

        assert heard.numbers("price:SPY") == [1, 2, 3]
        ids = [event_id for _, event_id, body in heard.messages if "n" in body]
        assert ids == sorted(set(ids))
        assert await stage.client.get(KEYSPACE.published) == str(ids[-1]).encode()


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


FOREIGN_IDS = {
    "entry from the future": "9223372036854775807-1",
    "highest id": "18446744073709551615-18446744073709551615",
}


@pytest.mark.parametrize("foreign", [*FOREIGN_IDS, "text"])
async def test_a_history_that_another_program_wrote_to_is_put_aside_and_a_new_one_starts(
    any_source: RedisSource, foreign: str
) -> None:
    history = KEYSPACE.history("trade:SPY")
    async with listening(any_source, "trade:SPY") as heard, publishing(any_source) as stage:
        if foreign == "text":
            await stage.client.set(history, "x")
        else:
            await stage.client.xadd(history, {"data": "{}"}, id=FOREIGN_IDS[foreign])
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
