"""A Redis that rejects writes: everyone hears it in Redis' words, and no trade is lost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from simulator.service import Simulator, SimulatorSettings
from tests.event_stream import EventStream, open_stream
from tests.services import running_gateway, running_ingest, until

OOM = "OOM command not allowed when used memory > 'maxmemory'"
NO_REPLICAS = "NOREPLICAS Not enough good replicas to write"


class Tape:
    """A symbol that only this test trades."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.traded = 0

    async def trade(self) -> None:
        self.traded += 1
        trade = {"T": "t", "S": "PROBE", "i": 1000 + self.traded, "p": 100.0, "s": 100}
        await self._simulator.publish({**trade, "x": "V", "c": ["@"], "z": "C"})


@asynccontextmanager
async def rejecting(valkey: ValkeyServer, setting: str) -> AsyncIterator[None]:
    async with RedisSource(valkey.url).client("operator") as client:
        await client.config_set(setting, 1)
        try:
            yield
        finally:
            await client.config_set(setting, 0)


def feed_of(stream: EventStream) -> dict[str, Any]:
    return stream.of("feed")[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "words", "work"),
    [
        ("maxmemory", OOM, "the publications"),
        ("min-replicas-to-write", NO_REPLICAS, "the"),  # the lease expires as well
    ],
)
async def test_a_redis_that_rejects_writes_is_named_everywhere_and_costs_no_trade(
    valkey: ValkeyServer, setting: str, words: str, work: str
) -> None:
    source = RedisSource(valkey.url)
    async with (
        Simulator(SimulatorSettings(port=0, positions=())) as simulator,
        running_ingest(source, simulator),
        running_gateway(source) as url,
        httpx.AsyncClient(base_url=url) as client,
        open_stream(url, "/api/stream", topics="trade:PROBE,price:PROBE") as stream,
    ):
        tape = Tape(simulator)
        await stream.until(lambda s: any(s.of("feed")) and feed_of(s)["state"] == "live")

        async def is_watched() -> bool:
            await tape.trade()
            return bool(stream.of("trade"))

        await until(is_watched)
        first = int(stream.of("trade")[0]["id"])
        async with rejecting(valkey, setting):
            for _ in range(10):
                await tape.trade()
            await stream.until(lambda s: feed_of(s)["state"] == "down")

            # A symbol that is new to the gateway cannot be claimed.
            async with open_stream(url, symbols="IBM") as other:
                await other.until(lambda s: words in str(s.of("status")))
            status: dict[str, Any] = (await client.get("/api/stream/status")).json()
            ready, ticket = await client.get("/readyz"), await client.post("/api/stream/ticket")
        await stream.until(lambda s: feed_of(s)["state"] == "live")
        await tape.trade()
        await stream.until(lambda s: int(s.of("trade")[-1]["id"]) == 1000 + tape.traded)

    down = next(each["reason"] for each in stream.of("feed") if "redis_rejects" in str(each))
    assert down.startswith(f"redis_rejects: Redis rejects the ingest's publications: {words}")
    assert [feed["reason"] for feed in stream.of("feed") if "silent" in str(feed)] == []
    alarms = {alarm["code"]: alarm["text"] for alarm in status["ingest"]["alarms"]}
    assert alarms["redis_rejects"].startswith(f"Redis rejects {work}")
    assert words in alarms["redis_rejects"]
    assert words in status["redis"]["error"]
    assert status["discrepancy"]
    assert (ready.status_code, words in ready.json()["reason"]) == (200, True)
    assert ticket.json()["error"]["message"].startswith(f"Redis rejected a command: {words}")
    assert [int(trade["id"]) for trade in stream.of("trade")] == [*range(first, 1001 + tape.traded)]
    assert stream.of("gap") == []
