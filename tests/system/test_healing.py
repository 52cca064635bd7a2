"""Parts die and return in any order; streams stay open and report the truth throughout."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from simulator.service import Simulator, SimulatorSettings
from tests.event_stream import EventStream, open_stream
from tests.programs import ingest_environment, program
from tests.services import running_gateway, until


class Stack:
    """Valkey, the simulator and an ingest process, each of which can go and come back."""

    def __init__(self, valkey: ValkeyServer) -> None:
        self.valkey = valkey
        self._port = 0
        self._running: dict[str, AsyncExitStack] = {}

    async def up(self, part: str) -> None:
        """Start a part where it was before."""
        stack = self._running[part] = AsyncExitStack()
        if part == "valkey":
            if self.valkey.port and self._port:
                await self.valkey.start()
        elif part == "simulator":
            simulator = await stack.enter_async_context(
                Simulator(SimulatorSettings(port=self._port, positions=()))
            )
            self._port = simulator.port
            self._simulator = simulator
        else:
            ingest = await stack.enter_async_context(
                program("ingest", **ingest_environment(self._simulator, self.valkey.url))
            )
            self._ingest = ingest

    async def down(self, part: str) -> None:
        """Take a part away without a word, except the simulator, which closes its sockets."""
        if part == "valkey":
            self.valkey.kill()
            await self.valkey.stop()
        if part == "ingest":
            self._ingest.send(signal.SIGKILL)
        await self._running.pop(part).aclose()

    async def close(self) -> None:
        """Stop the running processes."""
        for part in ("ingest", "simulator"):
            if part in self._running:
                await self._running.pop(part).aclose()


@pytest.fixture
async def stack(valkey: ValkeyServer) -> AsyncIterator[Stack]:
    made = Stack(valkey)
    for part in ("valkey", "simulator", "ingest"):
        await made.up(part)
    yield made
    await made.close()


def newest(stream: EventStream) -> tuple[int, ...]:
    return max(
        (tuple(map(int, price["event_id"].split("-"))) for price in stream.of("price")),
        default=(0, 0),
    )


async def moves_on(stream: EventStream) -> None:
    """Wait for prices newer than all so far."""
    seen = newest(stream)
    await until(lambda: newest(stream) > seen)


def assert_order(stream: EventStream) -> None:
    ids: dict[str, list[tuple[int, ...]]] = {}
    for price in stream.of("price"):
        order = tuple(map(int, price["event_id"].split("-")))
        ids.setdefault(price["symbol"], []).append(order)
    for own in ids.values():
        assert own == sorted(set(own)), "an older value, or the same one, after a newer one"


def feed_of(stream: EventStream) -> dict[str, Any]:
    return stream.of("feed")[-1]


@asynccontextmanager
async def watched(source: RedisSource) -> AsyncIterator[tuple[EventStream, str]]:
    async with (
        running_gateway(source) as url,
        open_stream(url, symbols="SPY,BAC", interval="0") as stream,
    ):
        await moves_on(stream)
        yield stream, url


async def test_parts_may_be_restarted_in_any_order(stack: Stack, source: RedisSource) -> None:
    async with watched(source) as (stream, _):
        for part in ("valkey", "ingest", "simulator", "valkey", "simulator", "ingest"):
            await stack.down(part)
            await until(lambda: feed_of(stream)["alpaca_connected"] is False)
            await stack.up(part)
            await moves_on(stream)
            await until(lambda: feed_of(stream)["state"] == "live")

        assert not stream.ended
        assert len(stream.of("hello")) == 1
        assert_order(stream)


@pytest.mark.parametrize(
    "order", [("ingest", "valkey", "simulator"), ("simulator", "valkey", "ingest")]
)
async def test_everything_may_be_away_at_once(
    stack: Stack, source: RedisSource, order: tuple[str, ...]
) -> None:
    async with watched(source) as (stream, _):
        for part in order:
            await stack.down(part)
        await until(lambda: str(feed_of(stream)["reason"]).startswith("redis_unavailable"))
        if order[0] == "ingest":
            await stack.up("simulator")  # an ingest starts with the address of its upstream
        for part in order:
            if not (order[0] == "ingest" and part == "simulator"):
                await stack.up(part)
        await moves_on(stream)

        assert not stream.ended
        assert_order(stream)


async def test_feed_events_and_status_tell_which_part_is_missing(
    stack: Stack, source: RedisSource
) -> None:
    async with watched(source) as (stream, url), httpx.AsyncClient() as client:

        async def status() -> dict[str, Any]:
            answer: dict[str, Any] = (await client.get(f"{url}/api/stream/status")).json()
            return answer

        async def says_down() -> bool:
            return (await status())["alpaca_connected"] is False

        known = await status()
        assert known["alpaca_connected"] is True
        assert known["active_symbols"] == ["BAC", "SPY"]
        assert known["stream_count"] == 2

        await stack.down("simulator")
        await until(says_down)
        await until(lambda: feed_of(stream)["state"] == "reconnecting")
        await stack.up("simulator")
        await until(lambda: feed_of(stream)["state"] == "live")

        await stack.down("ingest")
        await until(says_down)
        await until(lambda: str(feed_of(stream)["reason"]).startswith("ingest_lost"))
        await stack.up("ingest")
        await until(lambda: feed_of(stream)["state"] == "live")

        await stack.down("valkey")
        await until(says_down)
        await until(lambda: str(feed_of(stream)["reason"]).startswith("redis_unavailable"))
        await stack.up("valkey")
        await until(lambda: feed_of(stream)["state"] == "live")


async def test_a_client_has_the_last_price_at_once_long_after_the_last_trade(
    valkey: ValkeyServer, source: RedisSource
) -> None:
    """The TTL key of a quiet symbol is gone; its last value is not."""
    settings = SimulatorSettings(tape=None, positions=())
    async with AsyncExitStack() as parts:
        simulator = await parts.enter_async_context(Simulator(settings))
        environment = ingest_environment(simulator, valkey.url)
        await parts.enter_async_context(program("ingest", **environment, PRICE_TTL_SECONDS="0.2"))
        url = await parts.enter_async_context(running_gateway(source))
        redis = await parts.enter_async_context(source.client("test"))
        trade = {"T": "t", "S": "IBM", "i": 7, "x": "N", "p": 182.5, "s": 100, "c": [" "], "z": "A"}
        async with open_stream(url, symbols="IBM") as first:

            async def shown() -> bool:
                await simulator.publish(dict(trade))
                return any(price["price"] == 182.5 for price in first.of("price"))

            await until(shown)
        await until(lambda: _gone(redis, "price:IBM"))
        async with running_gateway(source) as other, open_stream(other, symbols="IBM") as second:
            await second.until_kind("ready")
            assert [price["price"] for price in second.of("price")] == [182.5]
        await asyncio.sleep(0)


async def _gone(redis: Any, key: str) -> bool:
    return not await redis.exists(key)
