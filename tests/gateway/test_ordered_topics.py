"""Ordered topics from Redis to a client: every event once and in order, despite losses in between.

Prints are published by the ingest's own parts (``tests/tape.py``); where Redis has to be in a state
that they would not leave it in, by hand.
"""

import asyncio
import itertools
import random
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.asyncio.client import PubSub

from gateway.bus.history import History
from gateway.fanout.hub import Hub
from gateway.fanout.ordered_channel import OrderedChannel
from shared import message
from shared.bus import keys
from shared.bus.beginning import SINCE
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.event_id import EventId
from shared.topics import TRADE, topic
from shared.trade import encode
from tests.event_stream import EventStream, open_stream
from tests.gateway.hubs import gateway_with_hub
from tests.gateway.ingest_stub import IngestStub, ingest_stub, note
from tests.gateway.portable import Run
from tests.gateway.published import TRADE as PRINT
from tests.keyspace import KEYSPACE
from tests.services import running_gateway, until
from tests.tape import running_tape

SPY, IBM = topic(TRADE, "SPY"), topic(TRADE, "IBM")
LENGTH = 5


@pytest.fixture
def short_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """Histories of five events, in the hub and in Redis."""
    monkeypatch.setattr(keys, "HISTORY_LENGTHS", {**keys.HISTORY_LENGTHS, TRADE: LENGTH})


def prints(stream: EventStream, symbol: str = "SPY") -> list[int]:
    return [int(each["id"]) for each in stream.of(TRADE) if each["symbol"] == symbol]


def ids(stream: EventStream) -> list[str]:
    return [each["event_id"] for each in stream.of(TRADE)]


async def tell(ingest: IngestStub, *seqs: int) -> None:
    """Publish prints as an ingest does that keeps five."""
    for seq in seqs:
        await ingest.tell(seq, SPY, PRINT)
    await ingest.client.xtrim(KEYSPACE.history(SPY), maxlen=LENGTH, approximate=False)


async def tell_unheard(ingest: IngestStub, *seqs: int) -> None:
    """Cut all gateways off, and in the same step write what they will have missed."""
    async with ingest.client.pipeline(transaction=True) as batch:
        batch.client_kill_filter(_type="pubsub")
        for seq in seqs:
            stamped = message.stamp(EventId(1, seq), encode(PRINT))
            batch.xadd(KEYSPACE.history(SPY), {"data": stamped}, id=f"1-{seq}", maxlen=LENGTH)
        note(batch, EventId(1, seqs[-1]))
        await batch.execute()


async def test_a_gateway_that_never_heard_of_a_topic_resumes_it_from_redis(
    any_source: RedisSource, run: Run
) -> None:
    async with running_tape(any_source, "SPY", "IBM") as tape:
        async with run(any_source) as url, open_stream(url, "/api/stream", topics=SPY) as first:
            await first.until_kind("ready")
            await tape.publish(10)
            await first.until(lambda s: prints(s)[-1:] == [10])
        cursor = first.events[-1].id
        await tape.publish(10)
        async with (
            run(any_source) as url,
            open_stream(
                url, "/api/stream", topics=f"{SPY},{IBM}", headers={"Last-Event-ID": cursor}
            ) as second,
        ):
            await second.until_kind("ready")
            await tape.publish(5)
            await second.until(lambda s: prints(s)[-1:] == prints(s, "IBM")[-1:] == [25])

    assert prints(first) == list(range(1, 11))
    assert prints(second) == list(range(11, 26))
    order = [EventId.parse(each) for each in ids(second)]
    assert order == sorted(set(order))
    assert second.of("gap") == []
    assert [event.kind for event in second.events].index("ready") > 20


async def test_what_the_history_has_no_more_is_a_gap_before_the_rest(
    any_source: RedisSource, run: Run, short_history: None
) -> None:
    async with ingest_stub(any_source) as ingest, run(any_source) as url:
        await tell(ingest, *range(1, 11))
        async with open_stream(url, "/api/stream", topics=SPY, last_event_id="1-2") as stream:
            await stream.until_kind("ready")

    kinds = [event.kind for event in stream.events if event.kind != "feed"]
    assert kinds == ["hello", "gap", *["trade"] * LENGTH, "ready"]
    assert ids(stream) == [f"1-{seq}" for seq in range(6, 11)]
    [gap] = stream.of("gap")
    assert (gap["topics"], gap["reason"]) == ([SPY], "not_kept")
    assert (gap["from"], gap["to"]) == (None, PRINT.timestamp)


async def test_connections_that_are_killed_lose_no_print(source: RedisSource, run: Run) -> None:
    async with (
        source.client("killer") as killer,
        running_tape(source, "SPY", "IBM") as tape,
        run(source, heartbeat_seconds=0.02) as url,
        open_stream(url, "/api/stream", topics=f"{SPY},{IBM}") as stream,
    ):
        await stream.until_kind("ready")
        for _ in range(8):
            await tape.publish(20)
            await killer.client_kill_filter(_type="pubsub")
            await tape.publish(20)
            await stream.until(lambda s: prints(s, "IBM")[-1:] == [tape.last])

    assert prints(stream) == prints(stream, "IBM") == list(range(1, tape.last + 1))
    order = [EventId.parse(each) for each in ids(stream)]
    assert order == sorted(order)
    assert stream.of("gap") == []


async def test_more_than_the_history_holds_is_a_gap_for_who_was_there(
    source: RedisSource, run: Run, short_history: None
) -> None:
    async with (
        ingest_stub(source) as ingest,
        run(source) as url,
        open_stream(url, "/api/stream", topics=SPY) as stream,
    ):
        await stream.until_kind("ready")
        await tell(ingest, 1, 2, 3)
        await stream.until(lambda s: ids(s)[-1:] == ["1-3"])
        await tell_unheard(ingest, *range(4, 200))
        await stream.until(lambda s: ids(s)[-1:] == ["1-199"])
        await tell(ingest, 200)
        await stream.until(lambda s: ids(s)[-1:] == ["1-200"])

    assert len(stream.of("gap")) == 1
    told = [event for event in stream.events if event.kind in ("gap", TRADE)]
    assert [event.kind for event in told[:4]] == [TRADE, TRADE, TRADE, "gap"]
    later = [EventId.parse(each).seq for each in ids(stream)[3:]]
    assert later == list(range(later[0], 201))
    assert later[0] > 4


async def test_a_redis_that_has_lost_its_histories_is_a_gap(valkey: ValkeyServer, run: Run) -> None:
    source = RedisSource(valkey.url)
    async with run(source) as url, open_stream(url, "/api/stream", topics=SPY) as stream:
        await stream.until_kind("ready")
        async with ingest_stub(source) as ingest:
            await tell(ingest, 1, 2)
            await stream.until(lambda s: ids(s)[-1:] == ["1-2"])
        await valkey.stop()
        await valkey.start()
        async with ingest_stub(source) as ingest:
            # The newest event that Redis had confirmed before; this gateway has received 1-2.
            await ingest.client.hset(KEYSPACE.histories, SINCE, "1-6")
            await tell(ingest, 7)
            await stream.until(lambda s: ids(s)[-1:] == ["1-7"])

    assert ids(stream) == ["1-1", "1-2", "1-7"]
    assert len(stream.of("gap")) == 1
    kinds = [event.kind for event in stream.events if event.kind in ("gap", TRADE)]
    assert kinds == [TRADE, TRADE, "gap", TRADE]


async def test_what_comes_before_the_missed_has_been_read_is_held_back(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    fillings, gate = History.fillings, asyncio.Event()

    async def read_late(history: History, *given: Any) -> Any:
        found = await fillings(history, *given)
        await gate.wait()
        return found

    async with (
        ingest_stub(source) as ingest,
        gateway_with_hub(source) as (url, hub),
        open_stream(url, "/api/stream", topics=SPY) as stream,
    ):
        await stream.until_kind("ready")
        await tell(ingest, 1)
        await stream.until(lambda s: ids(s) == ["1-1"])
        monkeypatch.setattr(History, "fillings", read_late)
        await tell_unheard(ingest, 2)
        for seq in itertools.count(3):  # until the new subscription has brought one
            await ingest.tell(seq, SPY, PRINT)
            if hub.newest.seq >= 3:
                break
            await asyncio.sleep(0.01)
        gate.set()
        await stream.until(lambda s: ids(s)[-1:] == [f"1-{seq}"])

    assert ids(stream) == [f"1-{each}" for each in range(1, seq + 1)]


async def test_the_loss_of_redis_is_no_gap_where_nothing_was_ever_published(
    source: RedisSource, short_history: None
) -> None:
    async with (
        ingest_stub(source) as ingest,
        running_gateway(source) as url,
        open_stream(url, "/api/stream", topics=f"{SPY},{IBM}") as stream,
    ):
        await stream.until_kind("ready")
        await ingest.tell(1, IBM, PRINT)
        await stream.until(lambda s: ids(s) == ["1-1"])
        await tell_unheard(ingest, 2)
        await stream.until(lambda s: ids(s) == ["1-1", "1-2"])

    assert stream.of("gap") == []


async def test_a_short_loss_of_redis_is_no_gap(source: RedisSource, short_history: None) -> None:
    async with (
        ingest_stub(source) as ingest,
        running_gateway(source) as url,
        open_stream(url, "/api/stream", topics=SPY) as stream,
    ):
        await stream.until_kind("ready")
        await tell(ingest, *range(1, 9))
        await stream.until(lambda s: ids(s)[-1:] == ["1-8"])
        await tell_unheard(ingest, 9, 10)
        await stream.until(lambda s: ids(s)[-1:] == ["1-10"])

    assert ids(stream) == [f"1-{seq}" for seq in range(1, 11)]
    assert stream.of("gap") == []


async def test_who_wants_to_resume_while_redis_is_away_is_sent_away_with_its_cursor(
    valkey: ValkeyServer, run: Run
) -> None:
    source = RedisSource(valkey.url)
    await valkey.stop()
    async with run(source) as url:
        async with open_stream(url, "/api/stream", topics=SPY, last_event_id="1-2") as stream:
            await stream.until(lambda s: s.ended)
        async with open_stream(url, "/api/stream", topics=SPY) as newcomer:
            await newcomer.until_kind("ready")

    assert [event.kind for event in stream.events] == ["hello", "bye"]
    assert stream.of("bye")[0]["reason"] == "unavailable"
    assert stream.events[-1].retry == stream.of("bye")[0]["retry_ms"] > 0
    assert not any(event.id for event in stream.events)  # its own cursor stands


async def test_who_came_while_redis_was_away_begins_with_what_comes(valkey: ValkeyServer) -> None:
    source = RedisSource(valkey.url)
    async with ingest_stub(source) as ingest:
        await tell(ingest, 1, 2)
        stored: Any = await ingest.client.dump(KEYSPACE.history(SPY))
    await valkey.stop()
    async with (
        running_gateway(source) as url,
        open_stream(url, "/api/stream", topics=SPY) as stream,
    ):
        await stream.until_kind("ready")
        await valkey.start()
        async with ingest_stub(source) as ingest:
            await ingest.client.restore(KEYSPACE.history(SPY), 0, stored, replace=True)
            await stream.until(lambda s: s.of("feed")[-1]["reason"].startswith("ingest_lost"))
            await tell(ingest, 3)
            await stream.until(lambda s: "1-3" in ids(s))

    assert ids(stream)[-1] == "1-3"
    assert len(ids(stream)) == len(set(ids(stream)))


async def test_the_cursor_never_runs_ahead_of_what_is_still_to_be_heard(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New topics are read from Redis, ahead of prints that a slow subscription has yet to bring."""
    ahead: list[tuple[EventId, EventId]] = []
    publish, read, dice = Hub.publish, PubSub.get_message, random.Random(4)  # noqa: S311

    async def read_slowly(subscription: PubSub, *given: Any, **named: Any) -> Any:
        await asyncio.sleep(0.002)
        return await read(subscription, *given, **named)

    def watched(hub: Hub, where: bytes, packed: bytes, **named: Any) -> None:
        if not named.get("stored") and where in hub.channels:
            event_id = message.unpack(packed).event_id
            if event_id <= hub.cursor:
                ahead.append((event_id, hub.cursor))
        publish(hub, where, packed, **named)

    monkeypatch.setattr(Hub, "publish", watched)
    monkeypatch.setattr(PubSub, "get_message", read_slowly)
    symbols = ("SPY", "IBM", "AIG", "BAC", "T", "F", "GE", "C")
    async with (
        running_tape(source, *symbols) as tape,
        gateway_with_hub(source) as (url, hub),
        open_stream(url, "/api/stream", topics=SPY) as stream,
        AsyncExitStack() as others,
    ):
        await stream.until_kind("ready")
        for _ in range(20):
            tape.offer(5)
            more = ",".join(topic(TRADE, each) for each in dice.sample(symbols[1:], 2))
            await others.enter_async_context(open_stream(url, "/api/stream", topics=more))
        await tape.publish(1)
        await stream.until(lambda s: prints(s)[-1:] == [tape.last])
        await until(lambda: hub.cursor.seq >= tape.last * len(symbols))

    assert ahead == []
    assert prints(stream) == list(range(1, tape.last + 1))


async def test_a_hub_reads_a_history_once_however_many_come_back(
    source: RedisSource, run: Run
) -> None:
    async with (
        running_tape(source, "SPY") as tape,
        gateway_with_hub(source, run) as (url, hub),
        AsyncExitStack() as crowd,
    ):
        await tape.publish(30)
        async with source.client("test") as client:
            await client.config_resetstat()
            streams = await asyncio.gather(
                *(
                    crowd.enter_async_context(
                        open_stream(url, "/api/stream", topics=SPY, last_event_id="0-0")
                    )
                    for _ in range(20)
                )
            )
            for stream in streams:
                await stream.until_kind("ready")
            stats: Any = await client.info("commandstats")
        channel = hub.channels[SPY.encode()]

    assert [prints(stream) for stream in streams] == [list(range(1, 31))] * 20
    assert isinstance(channel, OrderedChannel)
    assert channel.complete
    assert stats["cmdstat_xrange"]["calls"] <= 4
