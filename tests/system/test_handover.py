"""Two ingests as processes: however the leader goes, the other leads, and no price goes back."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from shared import ingest_status, message, rfc3339
from shared.bus.errors import REDIS_ERRORS
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.ingest_status import IngestStatus
from shared.topics import DAY_BAR, topic
from simulator.service import Simulator, SimulatorSettings
from tests.event_stream import EventStream, open_stream
from tests.keyspace import KEYSPACE
from tests.link import Link
from tests.programs import Program, ingest_environment, program
from tests.services import running_gateway, until
from tests.simulator.client import endpoint_state

SYMBOLS = "SPY,IBM"
BY_HAND = "CALM"
"""Trades only when a test says so."""

ONLY_FIRST = set("Z4PG")
"""A print that counts only as the first of its day gives way to an earlier one of another kind."""


class Pair:
    """An ingest that leads, one that stands by, and a client that watches."""

    def __init__(self, simulator: Simulator, redis: Redis, url: str, stream: EventStream) -> None:
        self.url = url
        self.simulator = simulator
        self.redis = redis
        self.stream = stream
        self.leader: Program
        self.standby: Program

    async def status(self) -> IngestStatus | None:
        try:
            stored = await self.redis.get(KEYSPACE.ingest_status)
        except REDIS_ERRORS:
            return None
        return None if stored is None else ingest_status.decode(stored)

    async def epoch(self) -> int:
        return int(await self.redis.get(KEYSPACE.epoch) or 0)

    async def until_standby_is_known(self) -> None:
        """Wait until the leader has renewed its lease while the other one stood by."""
        renewed = 0

        async def has_renewed() -> bool:
            nonlocal renewed
            left = await self.redis.pttl(KEYSPACE.lease)
            renewed, before = left, renewed
            return 0 < before < left and await self.redis.exists(KEYSPACE.standby) > 0

        await until(has_renewed)

    async def until_led_by(self, running: Program) -> IngestStatus:
        """Wait until a process leads and is live; return what it reports."""
        found: list[IngestStatus] = []

        async def leads() -> bool:
            status = await self.status()
            pid = f"-{running.process.pid}-"
            if status is not None and status.state == "live" and pid in status.ingest_id:
                found.append(status)
            return bool(found)

        await until(leads)
        return found[-1]

    async def until_led_anew(self, epoch: int) -> None:
        """Wait until an ingest leads under another epoch."""

        async def leads() -> bool:
            return await self.epoch() > epoch and await self.status() is not None

        await until(leads)

    async def until_looked_up(self) -> None:
        """Wait until REST was asked about the symbol traded by hand, whose bar Redis lacks."""
        bars = KEYSPACE.bars(topic(DAY_BAR, BY_HAND))

        async def is_known() -> bool:
            return bool(await self.redis.exists(bars))

        path = "/api/stream/bars"
        async with open_stream(self.url, path, symbols=BY_HAND, timeframe="1Day"):
            await until(is_known)

    async def until_shown(self, price: float) -> None:
        """Wait until the client has a price of the symbol traded by hand."""
        await self.stream.until(
            lambda s: any((p["symbol"], p["price"]) == (BY_HAND, price) for p in s.of("price"))
        )

    async def moves_on(self) -> None:
        """Wait for prices newer than all so far."""
        seen = max(order(price) for price in self.stream.of("price"))
        await self.stream.until(lambda s: any(order(p) > seen for p in s.of("price")))

    async def trade(self, price: float, *, seconds_ago: float = 0, odd_lot: bool = False) -> None:
        """Trade the symbol that is traded by hand."""
        at = time.time_ns() - int(seconds_ago * 1e9)
        conditions = ["@", "I"] if odd_lot else ["@"]
        symbol = {"T": "t", "S": BY_HAND, "i": at // 1000, "x": "V", "z": "C"}
        await self.simulator.publish({**symbol, "p": price, "s": 10, "c": conditions, "t": at})

    def sessions(self) -> tuple[int, dict[str, int]]:
        """Return the peak of open connections at Alpaca, and the rejected ones."""
        state = endpoint_state(self.simulator)
        return state["connections_peak"], state["refused"]


def order(price: dict[str, Any]) -> tuple[int, ...]:
    return tuple(map(int, price["event_id"].split("-")))


def assert_nothing_went_back(stream: EventStream) -> None:
    assert not stream.ended
    assert len(stream.of("hello")) == 1
    for symbol in (*SYMBOLS.split(","), BY_HAND):
        prices = [p for p in stream.of("price") if p["symbol"] == symbol]
        ids = [order(price) for price in prices]
        assert ids == sorted(set(ids))
        traded = [
            p for p in prices if p["timestamp"] and not ONLY_FIRST.intersection(p["conditions"])
        ]
        times = [rfc3339.to_nanoseconds(p["timestamp"]) for p in traded]
        assert times == sorted(times)
        assert len(times) > 2 or symbol == BY_HAND


@asynccontextmanager
async def pair(
    source: RedisSource,
    leaders: Callable[[Simulator], dict[str, str]] = lambda _: {},
    **simulated: Any,
) -> AsyncIterator[Pair]:
    """Run all of it; ``leaders`` returns the part of its environment that only the leader has."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        simulator = await enter(Simulator(SimulatorSettings(speed=20, **simulated)))
        redis = await enter(source.client("test"))
        url = await enter(running_gateway(source))
        stream = await enter(open_stream(url, symbols=f"{SYMBOLS},{BY_HAND}", interval="0"))
        made = Pair(simulator, redis, url, stream)
        environment = ingest_environment(simulator, source.url)
        made.leader = await enter(program("ingest", **(environment | leaders(simulator))))
        await made.until_led_by(made.leader)
        made.standby = await enter(program("ingest", **environment))
        await until(lambda: "standing_by" in made.standby.output)
        await stream.until(lambda s: sum(p["price"] is not None for p in s.of("price")) > 5)
        try:
            yield made
        finally:
            for running in (made.leader, made.standby):
                assert "Traceback" not in running.output, running.output
        assert_nothing_went_back(stream)


async def test_a_clean_stop_hands_over_without_a_refusal(source: RedisSource) -> None:
    async with pair(source, ghost_seconds=90) as both:
        both.leader.send(signal.SIGTERM)
        await both.until_led_by(both.standby)
        assert await both.leader.ended() == 0
        await both.moves_on()

        assert both.sessions() == (1, {})


async def test_a_killed_leader_is_followed(source: RedisSource) -> None:
    async with pair(source) as both:
        before = await both.epoch()
        both.leader.send(signal.SIGKILL)
        await both.until_led_by(both.standby)
        await both.moves_on()

        assert await both.epoch() > before
        assert both.sessions() == (1, {})


async def test_a_dead_sessions_slot_is_waited_for_and_the_status_says_so(
    source: RedisSource,
) -> None:
    async with pair(source, ghost_seconds=3600) as both:
        both.leader.send(signal.SIGKILL)

        async def waits_for_the_slot() -> bool:
            status = await both.status()
            return status is not None and "another session holds Alpaca's slot" in str(
                status.reason
            )

        await until(waits_for_the_slot)
        both.simulator.end_ghosts()
        await both.until_led_by(both.standby)
        await both.moves_on()
        peak, refused = both.sessions()
        assert peak == 1
        assert set(refused) == {"406"}


async def test_a_paused_leader_that_wakes_publishes_nothing_and_stands_by(
    source: RedisSource,
) -> None:
    async with pair(source, ping_seconds=1) as both, listening(both.redis) as heard:
        old = await both.epoch()
        await until(lambda: bool(heard))
        both.leader.send(signal.SIGSTOP)
        try:
            await both.until_led_by(both.standby)
        finally:
            both.leader.send(signal.SIGCONT)
        await until(lambda: "lease_lost" in both.leader.output)
        await both.moves_on()
        new = await both.epoch()

        epochs = [message.unpack(each).event_id.epoch for each in heard]
        assert epochs == sorted(epochs)
        assert {old, new} == set(epochs)
        both.standby.send(signal.SIGTERM)
        await both.until_led_by(both.leader)
        await both.moves_on()


async def test_prices_go_on_after_a_redis_that_lost_everything(
    valkey: ValkeyServer, source: RedisSource
) -> None:
    async with pair(source) as both:
        before = await both.epoch()
        valkey.kill()
        await valkey.stop()
        await asyncio.sleep(0.5)
        await valkey.start()
        await both.redis.connection_pool.disconnect()
        await both.until_led_anew(before)
        await both.moves_on()
        state = endpoint_state(both.simulator)  # in either order of the old leader and the standby
        assert state["sessions"] <= 1
        assert set(state["refused"]) <= {"406"}


async def test_a_leader_that_is_cut_from_alpaca_hands_over_to_a_standby_that_is_not(
    source: RedisSource,
) -> None:
    async with Link() as link:

        def by_link(simulator: Simulator) -> dict[str, str]:
            link.lead_to(simulator.port)
            return {"ALPACA_STREAM_URL": f"ws://127.0.0.1:{link.port}"}

        async with pair(source, by_link) as both:
            before = await both.epoch()
            link.cut(reset=True)
            await both.until_led_by(both.standby)
            await both.moves_on()

            assert await both.epoch() > before
            assert "a standby reaches Alpaca" in both.leader.output
            assert endpoint_state(both.simulator)["sessions_peak"] == 1
            link.repair()


async def test_a_leader_that_is_cut_from_redis_frees_the_slot_for_the_standby(
    valkey: ValkeyServer, source: RedisSource
) -> None:
    async with Link() as link:
        link.lead_to(valkey.port)

        def by_link(_: Simulator) -> dict[str, str]:
            return {"REDIS_URL": f"redis://127.0.0.1:{link.port}"}

        async with pair(source, by_link) as both:
            await both.until_standby_is_known()
            link.cut()
            await both.until_led_by(both.standby)
            await both.moves_on()
            await until(lambda: "lease_lost" in both.leader.output)

            assert endpoint_state(both.simulator)["sessions_peak"] == 1
            link.repair()


async def test_a_redis_that_stalls_costs_no_connection(
    valkey: ValkeyServer, source: RedisSource
) -> None:
    async with pair(source) as both:
        before = await both.epoch()
        os.kill(valkey.pid, signal.SIGSTOP)
        try:
            await until(lambda: "redis_unreachable" in both.leader.output)
            await until(lambda: "unreachable" in both.standby.output)
        finally:
            os.kill(valkey.pid, signal.SIGCONT)
        await both.moves_on()

        assert await both.epoch() == before
        assert both.sessions() == (1, {})


async def test_an_emptied_redis_deposes_nobody(source: RedisSource) -> None:
    async with pair(source) as both:
        for _ in range(3):
            before = await both.epoch()
            await both.redis.flushall()
            await both.until_led_anew(before)
            await both.until_led_by(both.leader)
            await both.moves_on()

        assert both.sessions() == (1, {})
        assert endpoint_state(both.simulator)["connections_total"] == 1
        assert "lease_lost" not in both.leader.output


async def test_nothing_goes_back_though_leader_and_redis_are_lost_and_rest_knows_less(
    source: RedisSource,
) -> None:
    """REST's latest trade does not count; all that it has beside it is a bar minutes old."""
    async with pair(source) as both:
        await until(lambda: BY_HAND in endpoint_state(both.simulator)["trades"])
        await both.trade(9.0, seconds_ago=180)
        await both.until_shown(9.0)
        await both.trade(10.0)
        await both.until_shown(10.0)
        await both.trade(11.0, odd_lot=True)
        both.leader.send(signal.SIGKILL)
        await both.redis.flushall()
        await both.until_led_by(both.standby)
        await both.until_looked_up()
        await both.moves_on()

        shown = [p["price"] for p in both.stream.of("price") if p["symbol"] == BY_HAND]
        assert shown[-1] == 10.0
        assert both.sessions() == (1, {})


@asynccontextmanager
async def listening(redis: Redis) -> AsyncIterator[list[bytes]]:
    """Collect everything published on the channel of a price."""
    heard: list[bytes] = []
    pubsub = redis.pubsub()
    await pubsub.subscribe("price:SPY")

    async def listen() -> None:
        while True:
            received = await pubsub.get_message(timeout=None)
            if received is not None and received["type"] == "message":
                heard.append(received["data"])

    task = asyncio.create_task(listen())
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.wait([task])
        await pubsub.aclose()  # type: ignore[no-untyped-call]
