"""Bars in Redis: the running one is a value, ended ones are events, and all are stored by start."""

from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from ingest.bus.announcer import Announcer
from ingest.bus.bar_store import BarStore
from ingest.bus.lease import LeaseLostError
from ingest.bus.outbox import Outbox, Publication
from shared import message, rfc3339
from shared.bar import RELOAD, RUNNING, Bar
from shared.bus import keys
from shared.bus.malformed_stored import MalformedStored
from shared.bus.redis_source import RedisSource
from shared.bus.rejections import Rejections
from shared.bus.whole_bars import WholeBars
from tests.ingest.bus.stage import Stage, listening, publishing, run_script
from tests.keyspace import KEYSPACE
from tests.services import until

TOPIC = "bar.1Min:SPY"
MINUTE = 60
START = 1_763_305_200
BOUNDS = dict.fromkeys(keys.bar_bounds(), 5)


def minute(number: int, close: float = 1.0, *, revision: int = 0, late: bool = False) -> Bar:
    return Bar(
        symbol="SPY",
        open=1.0,
        high=2.0,
        low=0.5,
        close=close,
        volume=100,
        trade_count=3,
        vwap=1.1,
        revision=revision,
        final=True,
        timestamp=rfc3339.from_nanoseconds((START + number * MINUTE) * 1_000_000_000),
        late=late,
    )


def announced(bars: list[tuple[Bar, bool]]) -> list[Publication]:
    outbox = Outbox()
    announcer = Announcer(outbox)
    for each, running in bars:
        announcer.bar("1Min", each, running=running)
    return outbox.take(1000)


def store(client: Redis, stage: Stage) -> BarStore:
    return BarStore(client, KEYSPACE, stage.lease, Rejections(), MalformedStored(), BOUNDS)


async def stored(client: Redis, topic: str = TOPIC) -> list[tuple[int, float, str | None]]:
    """Return the start of each stored bar in minutes, its close, and the name of its message."""
    members: Any = await client.zrange(KEYSPACE.bars(topic), 0, -1, withscores=True)
    found = []
    for member, score in members:
        _, body, name = message.unpack(member)
        found.append(((int(score) - START) // MINUTE, msgspec.json.decode(body)["close"], name))
    return found


async def test_a_running_bar_is_stored_and_sent_and_is_in_no_history(
    any_source: RedisSource,
) -> None:
    async with listening(any_source, TOPIC) as heard, publishing(any_source) as stage:
        await stage.publish(*announced([(minute(0, 1.0), True), (minute(0, 1.5), True)]))
        await until(lambda: len(heard.messages) == 2)

        assert heard.events == [RUNNING, RUNNING]
        assert await stored(stage.client) == [(0, 1.5, RUNNING)]
        assert not await stage.client.exists(KEYSPACE.history(TOPIC), KEYSPACE.last(TOPIC))


async def test_an_ended_bar_replaces_the_running_one_of_its_start_and_is_in_the_history(
    any_source: RedisSource,
) -> None:
    async with listening(any_source, TOPIC) as heard, publishing(any_source) as stage:
        bars = [(minute(0, 1.0), True), (minute(1, 7.0), True), (minute(0, 2.0), False)]
        await stage.publish(*announced(bars))
        await until(lambda: len(heard.messages) == 3)

        assert heard.events == [RUNNING, RUNNING, None]
        assert await stored(stage.client) == [(0, 2.0, None), (1, 7.0, RUNNING)]
        [(event_id, body, name)] = await stage.history(TOPIC)
        assert (body["close"], name) == (2.0, None)
        assert str(event_id) == body["event_id"] == f"{stage.lease.epoch}-3"
        assert 0 < await stage.client.ttl(KEYSPACE.bars(TOPIC)) <= keys.HISTORY_SECONDS


async def test_a_revision_replaces_its_bar_and_each_version_is_in_the_history(
    any_source: RedisSource,
) -> None:
    async with publishing(any_source) as stage:
        bars = [(minute(0, 1.0), False), (minute(1), False), (minute(0, 3.0, revision=1), False)]
        await stage.publish(*announced(bars))

        assert await stored(stage.client) == [(0, 3.0, None), (1, 1.0, None)]
        closes = [(b["close"], b["revision"]) for _, b, _ in await stage.history(TOPIC)]
        assert closes == [(1.0, 0), (1.0, 0), (3.0, 1)]


async def test_redis_keeps_the_newest_bars_up_to_the_bound(any_source: RedisSource) -> None:
    async with any_source.client("test") as client:
        bound = keys.BAR_HISTORY
        batch = announced([(minute(number), False) for number in range(bound + 3)])
        await run_script(client, 7, 1, *batch)

        assert [start for start, _, _ in await stored(client)] == list(range(3, bound + 3))


async def test_a_key_of_another_program_is_put_aside_and_the_bar_is_stored(
    any_source: RedisSource,
) -> None:
    async with publishing(any_source) as stage:
        await stage.client.set(KEYSPACE.bars(TOPIC), "foreign")
        await stage.publish(*announced([(minute(0), False)]))

        assert await stored(stage.client) == [(0, 1.0, None)]
        assert await stage.client.get(KEYSPACE.bars(TOPIC) + ":aside") == b"foreign"
        assert stage.publisher.rejected.aside == 1


async def test_a_reload_is_an_ordered_event(any_source: RedisSource) -> None:
    async with listening(any_source, TOPIC) as heard, publishing(any_source) as stage:
        announcer = Announcer(stage.outbox)
        announcer.reload("1Min", "SPY", "split", "2026-11-16T05:00:00Z")
        await until(lambda: len(heard.messages) == 1)

        [(_, body, name)] = await stage.history(TOPIC)
        assert heard.events == [RELOAD]
        assert (name, body["reason"], body["timeframe"]) == (RELOAD.encode(), "split", "1Min")


def test_a_bar_is_late_on_the_wire_only_if_it_is() -> None:
    on_time, late = announced([(minute(0), False), (minute(1, late=True), False)])

    assert "late" not in msgspec.json.decode(on_time.body)
    assert msgspec.json.decode(late.body)["late"] is True


def shown(outbox: Outbox) -> list[tuple[int, float, str | None]]:
    found = []
    for each in outbox.take(1000):
        assert each.start is not None
        close = msgspec.json.decode(each.body)["close"]
        found.append(((each.start - START) // MINUTE, close, each.event))
    return found


def crowded(bars: list[tuple[Bar, bool]]) -> Outbox:
    outbox = Outbox(bound=200)
    announcer = Announcer(outbox)
    for number in range(201):
        outbox.offer(Publication(f"price:{number}", b"{}"))
    for each, running in bars:
        announcer.bar("1Min", each, running=running)
    outbox.take(201)
    return outbox


def test_a_crowded_outbox_keeps_the_newest_version_of_a_running_bar() -> None:
    outbox = crowded([(minute(0, 1.0), True), (minute(0, 2.0), True), (minute(1, 3.0), True)])

    assert (outbox.conflated, outbox.lost) == (1, 0)
    assert shown(outbox) == [(0, 2.0, RUNNING), (1, 3.0, RUNNING)]
    assert not outbox


def test_in_a_crowded_outbox_an_ended_bar_replaces_a_running_one_unless_that_is_newer() -> None:
    outbox = crowded(
        [
            (minute(0, 1.0), True),
            (minute(0, 2.0), False),
            (minute(1, 3.0), True),
            (minute(0, 4.0, revision=1), False),
        ]
    )

    assert shown(outbox) == [(0, 2.0, None), (1, 3.0, RUNNING), (0, 4.0, None)]


def test_a_running_bar_for_which_there_is_no_room_is_no_loss() -> None:
    length = keys.HISTORY_LENGTHS["bar.1Min"]
    outbox = crowded([(minute(number), True) for number in range(length + 3)])

    assert outbox.lost == 0
    assert [start for start, _, _ in shown(outbox)] == list(range(3, length + 3))


def test_a_batch_that_may_have_reached_clients_keeps_its_running_bars() -> None:
    outbox = Outbox()
    batch = announced([(minute(0), False), (minute(1), True)])

    gap, running = outbox.without_ordered(batch)
    assert (gap.event, running.event, outbox.lost) == ("gap", RUNNING, 1)


async def test_a_fill_stores_bars_that_a_new_leader_reads_and_sends_none(
    any_source: RedisSource,
) -> None:
    async with listening(any_source, TOPIC) as heard, publishing(any_source) as stage:
        bars = store(stage.client, stage)
        as_of = stage.publisher.next_id()
        await bars.fill({TOPIC: [minute(0), minute(1)]}, as_of, whole_since={TOPIC: START})
        await stage.publish(*announced([(minute(2, 9.0), True)]))
        await until(lambda: len(heard.messages) == 1)

        found = (await bars.read([TOPIC, "bar.1Min:IBM"]))[TOPIC]
        assert [(each.bar.timestamp, each.running) for each in found] == [
            (minute(0).timestamp, False),
            (minute(1).timestamp, False),
            (minute(2).timestamp, True),
        ]
        assert found[0].event_id == as_of < found[2].event_id
        noted: Any = await stage.client.hget(KEYSPACE.whole_bars, TOPIC)
        assert WholeBars.parse(noted) == (START, BOUNDS["bar.1Min"])
        assert heard.events == [RUNNING]


async def test_a_fill_replaces_older_versions_and_leaves_newer_ones(
    any_source: RedisSource,
) -> None:
    async with publishing(any_source) as stage:
        await stage.publish(*announced([(minute(0, 1.0), False), (minute(3, 1.0), False)]))
        as_of = stage.publisher.next_id()
        await stage.publish(*announced([(minute(1, 5.0), False)]))
        filled = [minute(number, 2.0) for number in range(3)]
        await store(stage.client, stage).fill({TOPIC: filled}, as_of, whole_since={})

        assert [(start, close) for start, close, _ in await stored(stage.client)] == [
            (0, 2.0),
            (1, 5.0),
            (2, 2.0),
            (3, 1.0),
        ]


@pytest.mark.parametrize("filled", [[1, 2], []])
async def test_a_fill_of_another_scale_leaves_no_bar_of_the_old_one_and_those_after_the_split(
    any_source: RedisSource, filled: list[int]
) -> None:
    split = START + 3 * MINUTE
    async with publishing(any_source) as stage:
        await stage.publish(*announced([(minute(n, 100.0), False) for n in range(3)]))
        since = [(minute(3, 10.0), False), (minute(4, 10.0), True)]
        await stage.publish(*announced(since))
        as_of = stage.publisher.next_id()
        await stage.publish(*announced([(minute(0, 10.0, revision=1), False)]))
        await store(stage.client, stage).fill(
            {TOPIC: [minute(n, 10.0) for n in filled]},
            as_of,
            whole_since={},
            removed_before={TOPIC: split},
        )

        found = await stored(stage.client)
        assert [start for start, _, _ in found] == [0, *filled, 3, 4]
        assert {close for _, close, _ in found} == {10.0}
        assert found[-1][2] == RUNNING


async def test_a_large_fill_is_bounded_and_whole_only_when_all_of_it_is_stored(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.bus.bar_store.WRITTEN_AT_ONCE", 4)
    topics = ["bar.1Min:SPY", "bar.5Min:SPY", "bar.1Day:SPY"]
    async with publishing(any_source) as stage:
        bars = store(stage.client, stage)
        written: list[int] = []
        write = bars._write

        async def counting(*given: Any) -> None:
            await write(*given)
            written.append(await stage.client.hlen(KEYSPACE.whole_bars))

        monkeypatch.setattr(bars, "_write", counting)
        await bars.fill(
            {topic: [minute(number) for number in range(7)] for topic in topics},
            stage.publisher.next_id(),
            whole_since=dict.fromkeys(topics, START),
            removed_before=dict.fromkeys(topics, START + 3600),
        )

        for topic in topics:
            assert [start for start, _, _ in await stored(stage.client, topic)] == [2, 3, 4, 5, 6]
        assert written == [0, 0, 0, 3]


async def test_a_former_leader_cannot_fill(any_source: RedisSource) -> None:
    async with publishing(any_source) as stage:
        as_of = stage.publisher.next_id()
        await stage.client.set(KEYSPACE.epoch, stage.lease.epoch + 1)

        with pytest.raises(LeaseLostError):
            await store(stage.client, stage).fill(
                {TOPIC: [minute(0)]}, as_of, whole_since={TOPIC: START}
            )
        assert not await stage.client.exists(KEYSPACE.bars(TOPIC), KEYSPACE.whole_bars)


async def test_bars_that_are_no_longer_kept_whole_are_not_noted_as_whole(
    any_source: RedisSource,
) -> None:
    async with publishing(any_source) as stage:
        bars = store(stage.client, stage)
        topics = [TOPIC, "bar.5Min:SPY", "bar.1Day:SPY"]
        whole = dict.fromkeys(topics, START)
        await bars.fill({}, stage.publisher.next_id(), whole_since=whole)
        await bars.forget([TOPIC])
        await bars.forget([])
        assert await bars.lacking(topics) == {TOPIC}
        assert await bars.lacking([]) == set()

        await bars.begin()
        assert not await stage.client.exists(KEYSPACE.whole_bars)


async def test_foreign_members_are_counted_and_left_out(source: RedisSource) -> None:
    async with publishing(source) as stage:
        malformed = MalformedStored()
        bars = BarStore(
            stage.client, KEYSPACE, stage.lease, Rejections(), malformed, keys.bar_bounds()
        )
        await stage.publish(*announced([(minute(0), False)]))
        foreign = {"foreign": 1, '1-1\n{"timestamp":1}': 2}
        await stage.client.zadd(KEYSPACE.bars(TOPIC), foreign)
        await stage.client.set(KEYSPACE.bars("bar.5Min:SPY"), "foreign")

        found = await bars.read([TOPIC, "bar.5Min:SPY"])
        assert [each.bar.timestamp for each in found[TOPIC]] == [minute(0).timestamp]
        assert found["bar.5Min:SPY"] == []
        assert malformed.count == 3


async def test_only_the_newest_can_be_read(source: RedisSource) -> None:
    async with publishing(source) as stage:
        bars = BarStore(
            stage.client, KEYSPACE, stage.lease, Rejections(), MalformedStored(), keys.bar_bounds()
        )
        await stage.publish(*announced([(minute(n), False) for n in range(5)]))

        found = await bars.read([TOPIC], 2)
        assert [each.bar.timestamp for each in found[TOPIC]] == [
            minute(n).timestamp for n in (3, 4)
        ]


def test_stored_bars_are_whole_from_the_first_one_on_if_some_were_trimmed() -> None:
    whole = WholeBars(since=1000, bound=3)

    assert whole.reaches(None, 0) == 1000
    assert whole.reaches(1060, 2) == 1000
    assert whole.reaches(1060, 3) == 1060
    assert whole.reaches(400, 3) == 1000


@pytest.mark.parametrize("field", [b"", b"12", b"a b", b"1 2 3"])
def test_a_field_of_another_form_is_an_error(field: bytes) -> None:
    with pytest.raises(ValueError, match=r"two numbers|invalid literal"):
        WholeBars.parse(field)
