"""Redis loses its data: a client that comes back gets each print, or a gap before the next one.

Prints are published by the ingest's own parts (``tests/tape.py``).
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from ingest.bus import lease as lease_module
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.topics import TRADE, topic
from tests.event_stream import EventStream, open_stream
from tests.gateway.test_ordered_topics import prints
from tests.services import running_gateway, until
from tests.tape import Tape, running_tape

SPY, QUIET = topic(TRADE, "SPY"), topic(TRADE, "IBM")

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
    async with open_stream(url, "/api/stream", topics=f"{SPY},{QUIET}", **given) as stream:
        yield stream


async def watched_five(url: str, tape: Tape) -> str:
    """Watch five prints and leave; return the cursor."""
    async with open_stream(url, "/api/stream", topics=f"{SPY},{QUIET}") as stream:
        await stream.until_kind("ready")
        await tape.publish(5)
        await stream.until(lambda s: prints(s)[-1:] == [5])
        return stream.events[-1].id


def complete_or_announced(stream: EventStream, first: int, last: int) -> bool:
    """Return whether every print came, or a gap before the first one after those that did not."""
    expected, is_announced = first, False
    for event in stream.events:
        if event.kind == "gap" and SPY in event.data["topics"]:
            is_announced = True
        elif event.kind == TRADE:
            if event.data["price"] != expected and not is_announced:
                return False
            expected, is_announced = event.data["price"] + 1, False
    return expected > last


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize(("restarts", "way"), [(False, HEADER), (True, QUERY), (True, HEADER)])
async def test_a_loss_while_a_client_is_away_is_a_gap_before_the_next_event(
    valkey: ValkeyServer, loss: Loss, restarts: bool, way: str
) -> None:
    source = RedisSource(valkey.url)
    async with running_tape(source, "SPY") as tape, AsyncExitStack() as gateways:
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
            await stream.until(lambda s: prints(s)[-1:] == [17])

    assert complete_or_announced(stream, 6, 17)


@pytest.mark.parametrize("older", [False, True], ids=["empty", "an older copy"])
async def test_a_loss_while_no_ingest_led_is_a_gap_for_clients_that_stayed_and_that_come_back(
    valkey: ValkeyServer, older: bool
) -> None:
    source = RedisSource(valkey.url)
    async with running_gateway(source) as url:
        async with running_tape(source, "SPY") as tape:
            cursor = await watched_five(url, tape)
            async with Redis.from_url(valkey.url) as client:
                copy = await copied(client)
            await tape.publish(10)
        async with open_stream(url, "/api/stream", topics=SPY) as stayed:
            await stayed.until_kind("ready")
            await (killed_and_older if older else killed)(valkey, copy)
            await stayed.until(lambda s: s.of("feed")[-1]["reason"].startswith("ingest_lost"))
            async with running_tape(source, "SPY") as tape:
                await tape.publish(1)
                await stayed.until(lambda s: prints(s)[-1:] == [1])
                async with running_gateway(source) as other, back_at(other, cursor, HEADER) as back:
                    await back.until(lambda s: prints(s)[-1:] == [1])

    for stream in (stayed, back):
        assert complete_or_announced(stream, 0, 0)


async def test_an_intact_redis_is_no_gap_also_on_a_topic_that_never_had_an_event(
    valkey: ValkeyServer,
) -> None:
    source = RedisSource(valkey.url)
    async with running_tape(source, "SPY") as tape:
        async with running_gateway(source) as url:
            cursor = await watched_five(url, tape)
        await tape.publish(10)
        for way in (HEADER, QUERY):
            async with running_gateway(source) as url, back_at(url, cursor, way) as stream:
                await stream.until_kind("ready")

                assert prints(stream) == list(range(6, 16))
                assert stream.of("gap") == []


async def test_a_redis_that_is_emptied_under_connected_clients_is_no_gap_where_nothing_was_lost(
    valkey: ValkeyServer,
) -> None:
    source = RedisSource(valkey.url)
    async with (
        running_tape(source, "SPY") as tape,
        running_gateway(source) as url,
        open_stream(url, "/api/stream", topics=f"{SPY},{QUIET}") as stream,
    ):
        await stream.until_kind("ready")
        for number, loss in enumerate((flushed, killed), 1):
            await tape.publish(5)
            await stream.until(lambda s, n=number: prints(s)[-1:] == [6 * n - 1])  # type: ignore[misc]
            await loss(valkey, {})
            await tape.publish(1)
            await stream.until(lambda s, n=number: prints(s)[-1:] == [6 * n])  # type: ignore[misc]

    assert prints(stream) == list(range(1, 13))
    assert stream.of("gap") == []


async def test_a_history_that_somebody_deletes_is_a_gap(valkey: ValkeyServer) -> None:
    source = RedisSource(valkey.url)
    async with running_tape(source, "SPY") as tape:
        async with running_gateway(source) as url:
            cursor = await watched_five(url, tape)
        await tape.publish(10)
        async with Redis.from_url(valkey.url) as client:
            await client.delete("{trade:SPY}:history")
        async with running_gateway(source) as url, back_at(url, cursor, HEADER) as stream:
            await until(lambda: bool(stream.of("gap")))

    assert [gap["topics"] for gap in stream.of("gap")] == [[SPY]]
