"""The newest event of an idle history is noted, and the note is removed by the next event."""

from typing import Any

from redis.asyncio import Redis

from ingest.bus.history_ends import HistoryEnds
from shared.bus import keys
from shared.bus.redis_source import RedisSource
from shared.bus.rejections import Rejections
from tests.ingest.bus.stage import printed, run_script
from tests.keyspace import KEYSPACE

TWO_DAYS = 2 * 24 * 3600
SPY = KEYSPACE.history("trade:SPY")


async def add(client: Redis, topic: str, event_id: str, *, idle: int = TWO_DAYS) -> None:
    """Add an event to a history that has been idle for so many seconds since."""
    await client.xadd(KEYSPACE.history(topic), {"data": "{}"}, id=event_id)
    await client.expire(KEYSPACE.history(topic), keys.HISTORY_SECONDS - idle)


async def test_the_newest_event_of_an_idle_history_is_noted_before_it_expires(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        await client.set(KEYSPACE.published, "1-9")
        await client.set(KEYSPACE.history("trade:TEXT"), "x")
        notes: dict[Any, Any] = {
            ".since": "1-0",
            "trade:SPY": "1-0 1-1",
            "trade:IBM": "1-0 1-2 1-2",
            "trade:GONE": "1-0 1-4 1-4",
            "trade:TEXT": "1-0 1-5",
            "x": "y",
        }
        await client.hset(KEYSPACE.histories, mapping=notes)
        await add(client, "trade:SPY", "1-1")
        await add(client, "trade:IBM", "1-3", idle=0)
        await HistoryEnds(client, KEYSPACE, Rejections()).look()

        noted = notes | {"trade:SPY": "1-0 1-1 1-1", "trade:IBM": "1-0 1-2"}
        assert await client.hgetall(KEYSPACE.histories) == {
            topic.encode(): note.encode() for topic, note in noted.items()
        }


async def test_an_entry_that_is_newer_than_everything_published_is_not_noted(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        await client.set(KEYSPACE.published, "1-9")
        await client.hset(KEYSPACE.histories, "trade:SPY", "1-0 1-1")
        await add(client, "trade:SPY", "1-1")
        await add(client, "trade:SPY", "9223372036854775807-1")
        await HistoryEnds(client, KEYSPACE, Rejections()).look()

        assert await client.hget(KEYSPACE.histories, "trade:SPY") == b"1-0 1-1"


async def test_an_event_after_the_note_removes_it_so_a_deleted_history_is_a_loss(
    any_source: RedisSource,
) -> None:
    async with any_source.client("test") as client:
        assert await run_script(client, 7, 1, printed(1)) == 1
        await client.expire(SPY, keys.HISTORY_SECONDS - TWO_DAYS)
        await HistoryEnds(client, KEYSPACE, Rejections()).look()
        assert await client.hget(KEYSPACE.histories, "trade:SPY") == b"7-0 7-1 7-1"

        assert await run_script(client, 7, 2, printed(2)) == 2
        assert await client.hget(KEYSPACE.histories, "trade:SPY") == b"7-0 7-1"
        await client.delete(SPY)  # somebody does
        assert await run_script(client, 7, 3, printed(3)) == 3

        # Not complete after 7-1, which was noted: 7-2 is lost.
        assert await client.hget(KEYSPACE.histories, "trade:SPY") == b"7-2 7-3"
