"""A new leader and the histories that Redis has, or has lost."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from ingest.bus.announcer import Announcer
from ingest.bus.history_gaps import HANDOVER_SECONDS, TAKEOVER_SECONDS, HistoryGaps
from ingest.bus.outbox import Outbox
from ingest.demand.wanted import Demand
from shared import rfc3339
from shared.bus.beginning import SINCE
from shared.bus.malformed_stored import MalformedStored
from shared.bus.redis_source import RedisSource
from shared.bus.rejections import Rejections
from shared.topics import IMBALANCE, NEWS
from tests.keyspace import KEYSPACE
from tests.services import until

EPOCH = 7
STARTED = 1_795_933_383.0
PRINT = (
    b'{"event_id":"7-1","symbol":"SPY","id":"1","price":1.0,"size":1,"exchange":"V",'
    b'"conditions":[],"tape":"A","eligible":true,"timestamp":"2026-11-29T06:23:03.5Z"}'
)


class Leader:
    """A leadership of epoch 7 that began at ``STARTED``, and what it asks of REST."""

    def __init__(self, client: Redis, delay: float) -> None:
        self.client = client
        self.now = STARTED
        self.demand = Demand(time.monotonic)
        self.outbox = Outbox()
        self.asked: dict[str, float] = {}
        self.continued: dict[str, float] = {}
        verified = asyncio.Event()
        verified.set()
        self.gaps = HistoryGaps(
            client,
            KEYSPACE,
            self.demand,
            Announcer(self.outbox),
            self.asked.__setitem__,
            {NEWS: self.continued.__setitem__, IMBALANCE: self.continued.__setitem__},
            Rejections(),
            MalformedStored(),
            verified,
            EPOCH,
            lambda _: delay,
            clock=lambda: self.now,
        )

    async def looked_at(self, *topics: str) -> None:
        """Let clients watch topics, and wait until the leader has looked at them."""
        self.demand.update(dict.fromkeys(topics, 1))
        await until(lambda: self.gaps._recorded == set(topics))

    async def until_looked(self) -> None:
        """Wait until the first look is over."""
        await until(lambda: self.gaps._has_looked)

    async def noted(self) -> None:
        """Wait for the first look."""
        await until(lambda: self.gaps._whole_since is not None)


@asynccontextmanager
async def leading(source: RedisSource, delay: float = 0.0) -> AsyncIterator[Leader]:
    async with source.client("test") as client:
        leader = Leader(client, delay)
        running = asyncio.create_task(leader.gaps.run())
        try:
            yield leader
        finally:
            running.cancel()
            await asyncio.wait([running])
    assert running.cancelled()


async def test_a_topic_that_is_claimed_again_after_the_first_look_is_completed_in_an_emptied_redis(
    source: RedisSource,
) -> None:
    async with leading(source) as leader:
        await leader.until_looked()
        await leader.client.set(KEYSPACE.shown, "6-0")  # by a gateway that was there before
        await leader.looked_at("trade:SPY", "news:*", "trade:IBM", "orders")

    assert leader.asked == dict.fromkeys(("SPY", "IBM"), STARTED - HANDOVER_SECONDS)
    gaps = leader.outbox.take(10)
    assert [(gap.topic, gap.event) for gap in gaps] == [("news:*", "gap"), ("orders", "gap")]
    assert leader.continued == {"*": STARTED}


async def test_an_emptied_redis_that_a_leader_noted_and_published_nothing_to_is_still_an_empty_one(
    source: RedisSource,
) -> None:
    noted = STARTED - 1  # by the leader before, which was killed then
    async with source.client("test") as client:
        await client.set(KEYSPACE.recorded_since, int(noted * 1e9))
        await client.hset(KEYSPACE.histories, SINCE, f"{EPOCH}-0")  # this leader's first batch
    async with leading(source) as leader:
        await leader.looked_at("trade:SPY", "news:*", "orders")
        known_since = leader.gaps._announcer.recent.known_since("SPY")

    # Prints that the leader before had received and not published are older than its note. Those of
    # before it may have been shown, and are not shown again.
    assert leader.asked == {"SPY": STARTED - HANDOVER_SECONDS}
    assert known_since == int(noted * 1e9)
    assert [(gap.topic, gap.event) for gap in leader.outbox.take(10)] == [
        ("news:*", "gap"),
        ("orders", "gap"),
    ]


async def test_the_news_after_the_newest_article_are_a_gap_and_the_orders_are_left_to_rest(
    source: RedisSource,
) -> None:
    async with source.client("test") as client:
        await client.set(KEYSPACE.recorded_since, int((STARTED - 90) * 1e9))
        for topic in ("news:SPY", "orders"):
            await client.xadd(KEYSPACE.history(topic), {"data": PRINT}, id="6-3")
    async with leading(source) as leader:
        await leader.looked_at("news:SPY", "orders")

    assert [(each.topic, each.event) for each in leader.outbox.take(9)] == [("news:SPY", "gap")]
    assert leader.continued == {"SPY": STARTED}


@pytest.mark.parametrize("seconds", [1, 100])
async def test_topics_with_no_event_in_redis_may_have_missed_one_between_two_leaders(
    source: RedisSource, seconds: int
) -> None:
    """Redis is emptied; the leader publishes something, and another one takes over at once.

    Long after that, REST shows all changes of orders.
    """
    async with source.client("test") as client:
        await client.set(KEYSPACE.recorded_since, int((STARTED - seconds) * 1e9))
        await client.hset(KEYSPACE.histories, SINCE, f"{EPOCH - 1}-5")
    async with leading(source) as leader:
        await leader.until_looked()
        await leader.looked_at("news:*", "orders")

    gaps = [(each.topic, each.event) for each in leader.outbox.take(9)]
    assert gaps == ([("news:*", "gap"), ("orders", "gap")] if seconds < 45 else [("news:*", "gap")])
    assert leader.continued == {"*": STARTED}


@pytest.mark.parametrize("recorded_since", [None, int((STARTED - 20) * 1e9)])
async def test_the_leaders_own_first_prints_do_not_hide_those_that_nobody_recorded(
    source: RedisSource, recorded_since: int | None
) -> None:
    async with leading(source) as leader:
        if recorded_since is not None:
            await leader.client.set(KEYSPACE.recorded_since, recorded_since)
        await leader.client.set(KEYSPACE.shown, "6-0")
        await leader.client.xadd(KEYSPACE.history("trade:SPY"), {"data": PRINT}, id=f"{EPOCH}-1")
        await leader.looked_at("trade:SPY")

    earliest = STARTED - (HANDOVER_SECONDS if recorded_since is None else 20)
    assert leader.asked["SPY"] == pytest.approx(earliest)


async def test_a_tape_that_this_leader_recorded_before_is_continued_from_its_newest_print(
    source: RedisSource,
) -> None:
    async with leading(source) as leader:
        await leader.looked_at("trade:SPY")
        leader.asked.clear()
        await leader.client.xadd(KEYSPACE.history("trade:SPY"), {"data": PRINT}, id=f"{EPOCH}-1")
        leader.gaps._recorded = frozenset()  # nobody has watched it for a while
        await leader.looked_at("trade:SPY")
        await until(lambda: "SPY" in leader.asked)

    assert leader.asked["SPY"] == pytest.approx(STARTED + 0.5)


async def test_on_a_first_start_a_client_that_comes_has_missed_nothing(source: RedisSource) -> None:
    async with leading(source) as leader:
        await leader.until_looked()
        await leader.client.set(KEYSPACE.shown, f"{EPOCH}-0")  # by a gateway that knows no other
        await leader.looked_at("trade:SPY", "news:*", "orders")

    assert leader.asked == leader.continued == {}
    assert not leader.outbox


async def test_a_topic_that_is_new_long_after_the_hand_over_lacks_nothing(
    source: RedisSource,
) -> None:
    async with leading(source) as leader:
        await leader.noted()
        leader.now += TAKEOVER_SECONDS
        await leader.client.xadd(KEYSPACE.history("trade:SPY"), {"data": PRINT}, id=f"{EPOCH}-1")
        await leader.looked_at("trade:SPY", "news:*", "trade:IBM")

    assert leader.asked == {}
    assert not leader.outbox


LOST_UNDER_A_LEADER, FIRST_START = "6-41", "6-0"


@pytest.mark.parametrize("has_print", [True, False])
@pytest.mark.parametrize(
    ("since", "age", "is_gap"),
    [(LOST_UNDER_A_LEADER, 20, True), (LOST_UNDER_A_LEADER, 90, False), (FIRST_START, 20, False)],
)
async def test_prints_that_cannot_be_recognised_after_a_loss_of_redis_are_a_gap(
    source: RedisSource, since: str, age: float, is_gap: bool, has_print: bool
) -> None:
    async with source.client("test") as client:
        await client.set(KEYSPACE.recorded_since, int((STARTED - age) * 1e9))
        await client.hset(KEYSPACE.histories, SINCE, since)
        if has_print:
            await client.xadd(KEYSPACE.history("trade:SPY"), {"data": PRINT}, id="6-50")
    async with leading(source) as leader:
        await leader.looked_at("trade:SPY")

    assert "SPY" in leader.asked
    assert [(each.topic, each.event) for each in leader.outbox.take(9)] == (
        [("trade:SPY", "gap")] if is_gap else []
    )


async def test_prints_of_before_a_loss_after_the_first_look_are_a_gap_and_not_repeated(
    source: RedisSource,
) -> None:
    async with source.client("test") as client:
        await client.set(KEYSPACE.recorded_since, int((STARTED - 3600) * 1e9))
    async with leading(source) as leader:
        await leader.noted()
        leader.now += 2
        await leader.client.flushall()
        leader.now += 1
        await leader.looked_at("trade:SPY")

    assert leader.asked["SPY"] == pytest.approx(STARTED + 3)
    assert [(each.topic, each.event) for each in leader.outbox.take(9)] == [("trade:SPY", "gap")]


@pytest.mark.parametrize(("seconds_ago", "is_completed"), [(10, True), (400, False)])
async def test_a_delayed_tape_is_recent_by_the_arrival_of_its_newest_print(
    source: RedisSource, seconds_ago: int, is_completed: bool
) -> None:
    delay = 900.0
    printed = STARTED - delay - seconds_ago
    body = PRINT.replace(b"2026-11-29T06:23:03.5Z", rfc3339.from_unix(printed).encode())
    async with source.client("test") as client:
        await client.set(KEYSPACE.recorded_since, int((STARTED - 3600) * 1e9))
        await client.xadd(KEYSPACE.history("trade:SPY"), {"data": body}, id="6-3")
    async with leading(source, delay) as leader:
        await leader.looked_at("trade:SPY")
        known_since = leader.gaps._announcer.recent.known_since("SPY")

    gaps = [json.loads(each.body) for each in leader.outbox.take(9)]
    if is_completed:
        # In our time: since when the stream would have brought the missing prints.
        assert leader.asked == {"SPY": pytest.approx(printed + delay - HANDOVER_SECONDS)}
        assert gaps == []
    else:
        assert leader.asked == {}
        [gap] = gaps
        # The events of a delayed tape have earlier times.
        assert (gap["from"], gap["to"]) == (
            rfc3339.from_unix(printed),
            rfc3339.from_unix(STARTED - delay),
        )
    assert known_since is None or known_since <= int((STARTED - delay) * 1e9)
