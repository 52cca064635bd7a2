"""Redis loses its data: a client that comes back gets each event, or a gap before the next one.

So it is on every ordered topic: prints, orders and articles are published by the ingest's own parts
(``tests/tape.py``).
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from ingest.bus import lease as lease_module
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.topics import EVERYTHING, NEWS, ORDERS, TRADE, kind_of, topic
from tests.event_stream import Event, EventStream, open_stream
from tests.keyspace import KEYSPACE
from tests.services import running_gateway, until
from tests.tape import Tape, running_tape

SPY, QUIET = topic(TRADE, "SPY"), topic(TRADE, "IBM")
BUSY = (SPY, ORDERS, topic(NEWS, EVERYTHING))
TOPICS = ",".join((*BUSY, QUIET))

Copy = dict[bytes, bytes]
Loss = Callable[[ValkeyServer, Copy], Awaitable[None]]


@pytest.fixture(autouse=True)
def lease_is_renewed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "LEASE_RENEW_SECONDS", 0.05)


async def copied(client: Redis) -> Copy:
    """Return a copy of everything in Redis."""
    keys: Any = await client.keys()
    dumps: Any = [await client.dump(key) for key in keys]
    return dict(zip(keys, dumps, strict=True))


async def restore(valkey: ValkeyServer, copy: Copy) -> None:
    """Put an older copy in the place of the data, as a replica that was behind does."""
    async with Redis.from_url(valkey.url) as client, client.pipeline(transaction=True) as batch:
        batch.flushall()
        for key, value in copy.items():
            batch.restore(key, 0, value)
        await batch.execute()


async def flushed(valkey: ValkeyServer, _: Copy) -> None:
    await restore(valkey, {})


async def killed(valkey: ValkeyServer, _: Copy) -> None:
    valkey.kill()
    await valkey.stop()
    await valkey.start()


async def killed_and_older(valkey: ValkeyServer, copy: Copy) -> None:
    await killed(valkey, copy)
    await restore(valkey, copy)


LOSSES: dict[str, Loss] = {
    "FLUSHALL": flushed,
    "killed, and empty": killed,
    "an older copy": restore,
    "killed, and an older copy": killed_and_older,
}
HEADER, QUERY = "header", "query"


@asynccontextmanager
async def back_at(url: str, cursor: str, way: str) -> AsyncIterator[EventStream]:
    """Come back with a cursor, in one of the two ways."""
    given: dict[str, Any] = (
        {"headers": {"Last-Event-ID": cursor}} if way == HEADER else {"last_event_id": cursor}
    )
    async with open_stream(url, "/api/stream", topics=TOPICS, **given) as stream:
        yield stream


async def watched_five(url: str, tape: Tape) -> str:
    """Watch five events of each topic and leave; return the cursor."""
    async with open_stream(url, "/api/stream", topics=TOPICS) as stream:
        await stream.until_kind("ready")
        await tape.publish(5)
        await stream.until(all_have(5))
        return stream.events[-1].id


def number(event: Event) -> int:
    """Return the number of a print, an order or an article."""
    data = event.data["order"] if event.kind == ORDERS else event.data
    return int(data["id"])


def numbers(stream: EventStream, where: str = SPY) -> list[int]:
    """Return the numbers of the events of a topic."""
    return [number(event) for event in stream.events if event.kind == kind_of(where)]


def all_have(newest: int) -> Callable[[EventStream], bool]:
    """Return whether the newest event of each busy topic has this number."""
    return lambda stream: all(numbers(stream, each)[-1:] == [newest] for each in BUSY)


def incomplete(stream: EventStream, first: int, last: int) -> list[str]:
    """Return the topics with an event that did not come, and no gap before the next one."""
    return [each for each in BUSY if not complete_or_announced(stream, each, first, last)]


def complete_or_announced(stream: EventStream, where: str, first: int, last: int) -> bool:
    """Return whether every event came, or a gap before the first one after those that did not."""
    expected, is_announced = first, False
    for event in stream.events:
        if event.kind == "gap" and where in event.data["topics"]:
            is_announced = True
        elif event.kind == kind_of(where):
            if number(event) != expected and not is_announced:
                return False
            expected, is_announced = number(event) + 1, False
    return expected > last


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize(("restarts", "way"), [(False, HEADER), (True, QUERY), (True, HEADER)])
async def test_a_loss_while_a_client_is_away_is_a_gap_before_the_next_event(
    valkey: ValkeyServer, loss: Loss, restarts: bool, way: str
) -> None:
    source = RedisSource(valkey.url)
    async with running_tape(source, "SPY", whole=True) as tape, AsyncExitStack() as gateways:
        url = await gateways.enter_async_context(running_gateway(source))
        cursor = await watched_five(url, tape)
        async with Redis.from_url(valkey.url) as client:
            copy = await copied(client)
        await tape.publish(10)
        if restarts:
            await gateways.aclose()
        await loss(valkey, copy)
        if restarts:
            url = await gateways.enter_async_context(running_gateway(source))
        await tape.publish(1)
        async with back_at(url, cursor, way) as stream:
            await stream.until_kind("ready")
            await tape.publish(1)
            await stream.until(all_have(17))

    assert incomplete(stream, 6, 17) == []


@pytest.mark.parametrize("older", [False, True], ids=["empty", "an older copy"])
async def test_a_loss_while_no_ingest_led_is_a_gap_for_clients_that_stayed_and_that_come_back(
    valkey: ValkeyServer, older: bool
) -> None:
    source = RedisSource(valkey.url)
    async with running_gateway(source) as url:
        async with running_tape(source, "SPY", whole=True) as tape:
            cursor = await watched_five(url, tape)
            async with Redis.from_url(valkey.url) as client:
                copy = await copied(client)
            await tape.publish(10)
        async with open_stream(url, "/api/stream", topics=",".join(BUSY)) as stayed:
            await stayed.until_kind("ready")
            await (killed_and_older if older else killed)(valkey, copy)
            await stayed.until(lambda s: s.of("feed")[-1]["reason"].startswith("ingest_lost"))
            async with running_tape(source, "SPY", whole=True) as tape:
                await tape.publish(1)
                await stayed.until(all_have(1))
                async with running_gateway(source) as other, back_at(other, cursor, HEADER) as back:
                    await back.until(all_have(1))

    for stream in (stayed, back):
        assert incomplete(stream, 0, 0) == []


async def test_an_intact_redis_is_no_gap_also_on_a_topic_that_never_had_an_event(
    valkey: ValkeyServer,
) -> None:
    source = RedisSource(valkey.url)
    async with running_tape(source, "SPY", whole=True) as tape:
        async with running_gateway(source) as url:
            cursor = await watched_five(url, tape)
        await tape.publish(10)
        for way in (HEADER, QUERY):
            async with running_gateway(source) as url, back_at(url, cursor, way) as stream:
                await stream.until_kind("ready")

                for each in BUSY:
                    assert numbers(stream, each) == list(range(6, 16))
                assert stream.of("gap") == []


async def test_a_redis_that_is_emptied_under_connected_clients_is_no_gap_where_nothing_was_lost(
    valkey: ValkeyServer,
) -> None:
    source = RedisSource(valkey.url)
    async with (
        running_tape(source, "SPY", whole=True) as tape,
        running_gateway(source) as url,
        open_stream(url, "/api/stream", topics=TOPICS) as stream,
    ):
        await stream.until_kind("ready")
        for loss_number, loss in enumerate((flushed, killed), 1):
            await tape.publish(5)
            await stream.until(all_have(6 * loss_number - 1))
            await loss(valkey, {})
            await tape.publish(1)
            await stream.until(all_have(6 * loss_number))

    for each in BUSY:
        assert numbers(stream, each) == list(range(1, 13))
    assert stream.of("gap") == []


@pytest.mark.parametrize("where", BUSY)
async def test_a_history_that_somebody_deletes_is_a_gap(valkey: ValkeyServer, where: str) -> None:
    source = RedisSource(valkey.url)
    async with running_tape(source, "SPY", whole=True) as tape:
        async with running_gateway(source) as url:
            cursor = await watched_five(url, tape)
        await tape.publish(10)
        async with Redis.from_url(valkey.url) as client:
            await client.delete(KEYSPACE.history(where))
        async with running_gateway(source) as url, back_at(url, cursor, HEADER) as stream:
            await until(lambda: bool(stream.of("gap")))

    assert [gap["topics"] for gap in stream.of("gap")] == [[where]]
