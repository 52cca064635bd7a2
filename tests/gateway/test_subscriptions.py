"""Streams that leave while they wait for the values of their topics."""

import asyncio

import pytest

from gateway.bus import subscriptions
from gateway.bus.history import History
from gateway.bus.subscriptions import StreamOpening, Subscriptions
from gateway.wire.sse import SSE
from shared.bus.redis_source import RedisSource
from tests.gateway.fakes import Bench, FakeSink


@pytest.mark.parametrize("seconds", [0, 60])
@pytest.mark.parametrize("turns", range(6))
async def test_a_stream_may_leave_at_any_moment_of_its_wait(
    monkeypatch: pytest.MonkeyPatch, seconds: float, turns: int
) -> None:
    monkeypatch.setattr(subscriptions, "SNAPSHOT_SECONDS", seconds)
    hub = Bench().hub
    async with RedisSource("memory://").client("test") as client:
        streams = Subscriptions(hub, History(client), limit=1)
        opening = StreamOpening(
            stream_id="g-1",
            intervals={"price:SPY": 0.0},
            greeting=b"hello",
            encoder=SSE,
            principal="ann",
            on_end=lambda: None,
        )
        stream = streams.open(opening, FakeSink())
        beginning = asyncio.create_task(streams.begin(stream, opening))
        for _ in range(turns):
            await asyncio.sleep(0)
        streams.leave(stream)
        await beginning

    assert not hub.clients
    assert [channel.watchers for channel in hub.channels.values()] in ([], [0])
