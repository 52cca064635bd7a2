"""Streams that leave, or whose request is cancelled, while they wait for their topics."""

import asyncio
from collections.abc import Callable

import pytest

from gateway.bus import subscriptions
from gateway.bus.subscriptions import StreamOpening
from gateway.http.stream_response import StreamResponse
from gateway.wire.sse import SSE
from shared.bus.redis_source import RedisSource
from tests.gateway.fakes import Bench, FakeSink
from tests.gateway.lease import subscriptions_of


def opening_of(on_end: Callable[[str], None]) -> StreamOpening:
    return StreamOpening(
        stream_id="g-1",
        intervals={"price:SPY": 0.0},
        greeting=b"hello",
        encoder=SSE,
        principal="ann",
        on_end=on_end,
    )


@pytest.mark.parametrize("seconds", [0, 60])
@pytest.mark.parametrize("turns", range(6))
async def test_a_stream_may_leave_at_any_moment_of_its_wait(
    monkeypatch: pytest.MonkeyPatch, seconds: float, turns: int
) -> None:
    monkeypatch.setattr(subscriptions, "SNAPSHOT_SECONDS", seconds)
    hub = Bench().hub
    async with RedisSource("memory://").client("test") as client:
        streams = subscriptions_of(client, hub)
        opening = opening_of(lambda _: None)
        stream = streams.open(opening, FakeSink())
        beginning = asyncio.create_task(streams.begin(stream, opening))
        for _ in range(turns):
            await asyncio.sleep(0)
        streams.leave(stream)
        await beginning

    assert not hub.clients
    assert [channel.watchers for channel in hub.channels.values()] in ([], [0])


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("turns", range(1, 6))
async def test_a_cancelled_request_gives_back_its_place_and_its_topics(
    loaded: bool, turns: int
) -> None:
    hub = Bench().hub
    for channel in hub.watch({"price:SPY": 0.0}):
        if loaded:
            channel.loaded.set()
    ended: list[str] = []

    async def receive() -> dict[str, str]:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(_: object) -> None:
        await asyncio.sleep(0)

    async with RedisSource("memory://").client("test") as client:
        streams = subscriptions_of(client, hub)
        response = StreamResponse(streams, opening_of(lambda _: ended.append("g-1")))
        serving = asyncio.create_task(response({"type": "http", "method": "GET"}, receive, send))
        for _ in range(turns):
            await asyncio.sleep(0)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    assert ended == ["g-1"]
    assert not hub.clients
    assert [channel.watchers for channel in hub.channels.values()] == [1]  # the test's own
