"""A client may be ahead of a gateway: it has read Redis, or comes from one that is quicker."""

import asyncio

import pytest

from gateway.bus.barrier import Barrier
from gateway.bus.unverified_messages import UnverifiedMessages
from shared.bus.errors import BusUnreachableError
from shared.bus.redis_source import RedisSource
from shared.topics import TRADE, topic
from tests.event_stream import open_stream
from tests.gateway.ingest_stub import ingest_stub
from tests.gateway.published import TRADE as PRINT
from tests.services import running_gateway

SPY = topic(TRADE, "SPY")


async def test_a_client_that_is_ahead_receives_nothing_a_second_time(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_lagging = False
    held: list[tuple[UnverifiedMessages, bytes, bytes]] = []
    apply, reach = UnverifiedMessages.apply, Barrier.reach

    def hold(messages: UnverifiedMessages, channel: bytes, data: bytes) -> None:
        if is_lagging and channel == SPY.encode():
            held.append((messages, channel, data))
        else:
            apply(messages, channel, data)

    async def reach_late(barrier: Barrier) -> None:
        await reach(barrier)
        while held:
            apply(*held.pop(0))

    monkeypatch.setattr(UnverifiedMessages, "apply", hold)
    monkeypatch.setattr(Barrier, "reach", reach_late)
    async with (
        ingest_stub(any_source) as ingest,
        running_gateway(any_source) as url,
        open_stream(url, "/api/stream", topics=SPY) as first,
    ):
        await first.until_kind("ready")
        await ingest.tell(1, SPY, PRINT)
        await first.until_kind(TRADE)
        is_lagging = True
        await ingest.tell(2, SPY, PRINT)
        async with open_stream(url, "/api/stream", topics=SPY, last_event_id="1-2") as second:
            await second.until_kind("ready")
            is_lagging = False
            await ingest.tell(3, SPY, PRINT)
            await second.until_kind(TRADE)
            await first.until_kind(TRADE, 3)

    assert [event["event_id"] for event in second.of(TRADE)] == ["1-3"]
    assert second.of("gap") == []


async def test_while_there_is_no_connection_the_barrier_is_an_error() -> None:
    with pytest.raises(BusUnreachableError):
        await Barrier().reach()


async def test_a_pong_of_another_ping_proves_nothing() -> None:
    class Connection:
        async def ping(self, number: str) -> None:
            barrier.on_pong(b"")
            barrier.on_pong(b"health check")
            barrier.on_pong(b"%d" % (int(number) - 1))
            sent.set()

    barrier, sent = Barrier(), asyncio.Event()
    barrier.attach(Connection())  # type: ignore[arg-type]
    waiting = asyncio.create_task(barrier.reach())
    await sent.wait()
    assert not waiting.done()
    barrier.on_pong(b"1")
    await waiting
