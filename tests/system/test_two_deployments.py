"""Two deployments with an account each on one Redis: neither gets anything of the other's."""

from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

import httpx
import pytest

from shared.bus.redis_source import RedisSource
from shared.event_id import EventId
from simulator.service import Simulator, SimulatorSettings
from tests.event_stream import EventStream, open_stream
from tests.ingest.watching import trade, until_subscribed
from tests.services import running_gateway, running_ingest

TOPICS = "price:SPY,trade:SPY,account,position:*"
OURS = SimulatorSettings(tape=None, cash=Decimal(23_260))
OTHERS = SimulatorSettings(tape=None, cash=Decimal(777_777), positions=())


def epochs(stream: EventStream) -> set[int]:
    published = [EventId.parse(event.data["event_id"]) for event in stream.events]
    return {each.epoch for each in published if each.epoch}


@pytest.mark.parametrize("apart", ["database", "namespace"])
async def test_two_deployments_on_one_redis_see_nothing_of_each_other(
    source: RedisSource, apart: str
) -> None:
    other_source = (
        RedisSource(source.url.replace("/0", "/1"))
        if apart == "database"
        else RedisSource(source.url, "staging")
    )
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        ours, others = await enter(Simulator(OURS)), await enter(Simulator(OTHERS))
        await enter(running_ingest(source, ours))
        url = await enter(running_gateway(source))
        stream = await enter(open_stream(url, "/api/stream", topics=TOPICS, interval="0"))
        await stream.until(lambda s: any(a.get("cash") for a in s.of("account")))
        mine = epochs(stream)

        async with running_ingest(other_source, others):
            other_url = await enter(running_gateway(other_source))
            other = await enter(open_stream(other_url, "/api/stream", topics=TOPICS, interval="0"))
            await other.until(lambda s: any(a.get("cash") for a in s.of("account")))
            await other.until(lambda s: s.of("feed")[-1]["state"] == "live")
            await until_subscribed(others, "SPY")
            await trade(others, "SPY", 16.7, i=1)
            await other.until(lambda s: bool(s.of("trade")))
            await trade(ours, "SPY", 167.0, i=1)
            await stream.until(lambda s: bool(s.of("trade")))

        # The other ingest has stopped: ours still leads, publishes, and says so.
        await trade(ours, "SPY", 167.5, i=2)
        await stream.until(lambda s: len(s.of("trade")) == 2)
        async with httpx.AsyncClient() as client:
            status: Any = (await client.get(f"{url}/api/stream/status")).json()

    assert epochs(stream) == mine
    assert not epochs(other) & mine
    assert {a["cash"] for a in stream.of("account") if a.get("cash")} == {23_260.0}
    assert {a["cash"] for a in other.of("account") if a.get("cash")} == {777_777.0}
    assert other.of("position") == []
    assert [each["price"] for each in stream.of("trade")] == [167.0, 167.5]
    assert [each["price"] for each in other.of("trade")] == [16.7]
    assert status["feed"]["state"] == "live"
    assert status["gateways"][0]["foreign"] == 0
