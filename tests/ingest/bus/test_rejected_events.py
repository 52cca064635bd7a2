"""A batch of which Redis rejects some events, and one that Redis rejects half-way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from ingest.bus import rejected_events
from ingest.bus.outbox import Publication
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.event_id import EventId
from shared.gap import GAP
from tests.ingest.bus.stage import Stage, listening, printed, publishing, run_script, value
from tests.keyspace import KEYSPACE
from tests.services import until

RIGHTS = "on >pw ~* +@all resetchannels &ingest:*"
"""Of a user that may publish on no channel of the market."""


@asynccontextmanager
async def limited(
    valkey: ValkeyServer, source: RedisSource, *rights: str
) -> AsyncIterator[tuple[Redis, Stage]]:
    """Publish as a user with ``RIGHTS`` and these; also yield a client that may do everything."""
    async with source.client("operator") as operator:
        await allow(operator, *rights)
        url = valkey.url.replace("redis://", "redis://tc:pw@")
        async with publishing(RedisSource(url)) as stage:
            yield operator, stage


async def allow(operator: Redis, *rights: str) -> None:
    words = ("ACL", "SETUSER", "tc", *RIGHTS.split(), *rights)
    await operator.execute_command(*words)  # type: ignore[no-untyped-call]


async def test_a_forbidden_channel_costs_no_other_topic_an_event(
    valkey: ValkeyServer, source: RedisSource
) -> None:
    batch = [value("price:SPY", 1), value("account", 2), printed(3), value("price:SPY", 4)]
    async with (
        listening(source, "price:SPY", "account", "trade:SPY") as heard,
        limited(valkey, source, "&price:*", "&trade:*") as (_, stage),
    ):
        await stage.publish(*batch)
        await until(lambda: heard.numbers("price:SPY") == [1, 4])

        assert heard.numbers("trade:SPY") == [3]
        assert (stage.publisher.published, stage.publisher.rejected.count) == (3, 1)
        assert stage.outbox.lost == 0
        first = stage.publisher.rejected.first
        assert first is not None
        assert first.startswith("account: NOPERM ")
        assert "channel" in first
        stored = await stage.last("price:SPY")
        assert stored is not None
        assert stored[1]["n"] == 4


async def test_a_rejected_ordered_event_is_lost_and_becomes_a_gap_once_it_is_allowed(
    valkey: ValkeyServer, source: RedisSource
) -> None:
    async with (
        listening(source, "trade:SPY", "trade:IBM") as heard,
        limited(valkey, source, "&trade:IBM") as (operator, stage),
    ):
        await stage.publish(printed(1), printed(2, topic="trade:IBM"), printed(3))
        await until(lambda: heard.numbers("trade:IBM") == [2])
        assert stage.outbox.lost == 2
        assert stage.publisher.published == 1

        await allow(operator, "&trade:*")
        stage.publisher.rejected._announce_at = 0.0  # the pause is over
        await stage.publish(printed(4))
        await until(lambda: heard.numbers("trade:SPY") == [4])

    assert heard.messages[-2][2]["reason"] == "redis_rejected"
    assert [heard.messages[-2][2][each][-3:] for each in ("from", "to")] == ["02Z", "04Z"]
    assert heard.events[-2:] == [GAP, None]


async def test_a_gap_that_was_rejected_is_announced_later_although_no_event_follows(
    valkey: ValkeyServer, source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejected_events, "ANNOUNCE_AGAIN_SECONDS", (0.05, 0.05))
    async with (
        listening(source, "trade:SPY") as heard,
        limited(valkey, source) as (operator, stage),
    ):
        await stage.publish(printed(1))
        await until(lambda: stage.publisher.rejected.count > 2)  # the gap was, too
        await allow(operator, "&trade:*")
        await until(lambda: heard.events == [GAP])

        assert stage.outbox.lost == 1


async def test_a_value_that_redis_refuses_to_store_is_rejected(
    valkey: ValkeyServer, source: RedisSource
) -> None:
    rights = ("allchannels", "resetkeys", "~ingest:*", "~price:IBM", "~{price:IBM}:last")
    async with limited(valkey, source, *rights) as (operator, stage):
        await stage.publish(value("price:SPY", 1), value("price:IBM", 2))

        assert (stage.publisher.published, stage.publisher.rejected.count) == (1, 1)
        assert await operator.exists("price:IBM", "{price:IBM}:last", "price:SPY") == 2


async def test_a_history_that_may_not_be_written_is_a_loss_and_is_not_sent_live(
    valkey: ValkeyServer, source: RedisSource
) -> None:
    rights = ("allchannels", "resetkeys", "~ingest:*", "~{trade:IBM}:history")
    async with (
        listening(source, "trade:SPY", "trade:IBM") as heard,
        limited(valkey, source, *rights) as (_, stage),
    ):
        await stage.publish(printed(1), printed(2, topic="trade:IBM"))
        await until(lambda: heard.numbers("trade:IBM") == [2])

        assert heard.numbers("trade:SPY") == []
        assert stage.outbox.lost == 1


async def test_a_redis_without_memory_takes_nothing_of_a_batch_until_it_has_some(
    valkey: ValkeyServer, source: RedisSource
) -> None:
    async with (
        source.client("operator") as operator,
        listening(source, "trade:SPY") as heard,
        publishing(source) as stage,
    ):
        await stage.publish(printed(1))
        await operator.config_set("maxmemory", "1mb")
        stage.outbox.offer(printed(2))
        while stage.publisher._rejections.of("the publications") is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert stage.publisher.published == 1
        await operator.config_set("maxmemory", "0")
        await until(lambda: heard.numbers("trade:SPY") == [1, 2])
        await until(lambda: stage.publisher.published == 2)

    assert (stage.outbox.lost, stage.publisher.rejected.count) == (0, 0)


async def test_the_answer_to_a_repeated_batch_names_its_rejections_again(
    valkey: ValkeyServer, source: RedisSource
) -> None:
    async with source.client("operator") as operator:
        await allow(operator)
        async with RedisSource(valkey.url.replace("redis://", "redis://tc:pw@")).client("x") as tc:
            answers = [await run_script(tc, 7, 1, value("a", 1), value("b", 2)) for _ in range(2)]

    assert answers[0] == answers[1]
    assert isinstance(answers[0], bytes)
    assert [line.split(b" ")[:2] for line in answers[0].splitlines()] == [
        [b"0", b"rejected"],
        [b"1", b"rejected"],
    ]


async def test_a_batch_whose_attempt_ended_half_way_is_completed(any_source: RedisSource) -> None:
    async with any_source.client("test") as client, listening(any_source, "trade:SPY") as heard:
        # The first event of the batch is in its history, and the mark is missing.
        await client.hset(KEYSPACE.histories, mapping={".since": "7-0", "trade:SPY": "7-0 7-1"})
        await client.xadd(KEYSPACE.history("trade:SPY"), {"data": "{}"}, id="7-1")
        assert await run_script(client, 7, 1, printed(1), printed(2)) == 2
        await until(lambda: heard.numbers("trade:SPY") == [1, 2])

        entries: Any = await client.xrange(KEYSPACE.history("trade:SPY"))
        assert [entry[0] for entry in entries] == [b"7-1", b"7-2"]
        assert await client.get(KEYSPACE.published) == b"7-2"
        assert heard.ids("trade:SPY") == [EventId(7, 1), EventId(7, 2)]


async def test_rejections_for_one_reason_are_one_line_and_each_is_counted(
    any_source: RedisSource, capsys: pytest.CaptureFixture[str]
) -> None:
    async with publishing(any_source) as stage:
        rejected = stage.publisher.rejected
        for _ in range(3):
            answer = b"0 rejected NOPERM no channel\n1 rejected NOPERM no channel"
            rejected.on_answer([value("a", 1), Publication("b", b"{}")], answer)

    assert rejected.count == 6
    logged = capsys.readouterr().out
    assert logged.count("event_rejected") == 1
    assert "deploy/redis-users.acl" in logged
