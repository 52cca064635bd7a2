"""The scenes: the servers and the traffic that each measures."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import psutil
from redis.asyncio import Redis

from bench.fanout import machine
from bench.fanout.connections import idle, storm
from bench.fanout.load import Load
from bench.fanout.results import Results
from bench.fanout.servers import OURS, Server, Start, gateways
from bench.fanout.slow import Slow, slow_client
from bench.fanout.traffic import Plan, Traffic, open_streams, run_traffic
from bench.fanout.workload import Audience, Tape, symbols

TICKS, LIGHT_TICKS, LONE_TICKS, PEERS_TICKS = 2000, 50, 20, 100
"""Ticks a second: of scenes b c f g, of the light load, of the one topic, of f for all servers."""

ROUNDS = 3
"""For scene a, in turns: its servers differ less than the machine does from minute to minute."""

WATCHED, OF = 20, 100
IDLE_CLIENTS = 10_000
INTERVAL = 0.25
SLOW_TIMES, SLOW_SECONDS = 1.5, 20.0
"""A factor, and a limit in seconds: a gateway disconnects clients that do not read for 30 s."""

T = TypeVar("T")


@dataclass
class Bench:
    """The context that all scenes share. ``most`` is the requested limit of clients."""

    load: Load
    redis: Redis
    url: str
    starts: dict[str, Start]
    others: Sequence[psutil.Process]
    pinned: bool
    seconds: float
    most: int

    async def each(self, measure: Callable[[Server], Awaitable[T]], *only: str) -> list[T]:
        """Start one server after the other and measure it."""
        found = []
        for name, start in self.starts.items():
            if not only or name in only:
                found.append(await self.one(start, measure))
        return found

    async def one(self, start: Start, measure: Callable[[Server], Awaitable[T]]) -> T:
        """Start a server and measure it; several processes share all cores."""
        async with start() as server:
            if self.pinned and len(server.processes) == 1:
                machine.give_first_core(server.processes)
            elif self.pinned:
                machine.give_all_cores(server.processes)
            try:
                return await measure(server)
            except BaseException as error:
                error.add_note(f"while {server.name} was measured")
                raise
            finally:
                await self.load.close()

    def audience(self, clients: int, each: int = WATCHED, of: int = OF) -> Audience:
        """Return clients with their symbols, as many as the limit allows."""
        return Audience.drawn(min(clients, self.most), symbols(of), each)

    def plan(self, clients: int, rate: float) -> Plan:
        """Return the traffic of 100 symbols."""
        return Plan(self.audience(clients), symbols(OF), rate, self.seconds)

    def traffic(self, plan: Plan, interval: float = 0) -> Callable[[Server], Awaitable[Traffic]]:
        """Return a function that measures traffic through a server."""

        async def measure(server: Server) -> Traffic:
            tape = new_tape(plan.symbols)
            await open_streams(server, self.load, plan.audience, tape, interval=interval)
            return await run_traffic(server, self.load, plan, tape, self.others)

        return measure


def new_tape(traded: Sequence[str]) -> Tape:
    """Return the publisher for one server."""
    return Tape(traded, time.time_ns)


async def one_topic(bench: Bench, results: Results) -> None:
    """Scene a: for each server the round with the median CPU per event."""
    plan = Plan(bench.audience(1000, 1, 1), symbols(1), LONE_TICKS, bench.seconds)
    rounds = [await bench.each(bench.traffic(plan)) for _ in range(ROUNDS)]
    results.lone = [
        sorted(of_one, key=lambda traffic: traffic.cpu_per_event)[ROUNDS // 2]
        for of_one in zip(*rounds, strict=True)
    ]


async def many_topics(bench: Bench, results: Results) -> None:
    """Scene b."""
    results.busy_250 = await bench.each(bench.traffic(bench.plan(250, TICKS)))
    results.busy_1000 = await bench.each(bench.traffic(bench.plan(1000, TICKS)))
    results.light = await bench.each(bench.traffic(bench.plan(100, LIGHT_TICKS)))


async def conflated(bench: Bench, results: Results) -> None:
    """Scene c."""
    results.conflated = await bench.each(bench.traffic(bench.plan(1000, TICKS), INTERVAL))


async def ten_thousand(bench: Bench, results: Results) -> None:
    """Scene d."""
    audience = bench.audience(IDLE_CLIENTS)
    results.idle = await bench.each(
        lambda server: idle(server, bench.load, audience, new_tape(symbols(OF)))
    )


async def all_at_once(bench: Bench, results: Results) -> None:
    """Scene e."""
    audience = bench.audience(IDLE_CLIENTS)
    results.storm = await bench.each(
        lambda server: storm(server, bench.load, audience, new_tape(symbols(OF)))
    )


async def one_slow(bench: Bench, results: Results) -> None:
    """Scene f: this gateway with the traffic of b, then all servers with less."""
    seconds = min(SLOW_TIMES * bench.seconds, SLOW_SECONDS)

    def measure(rate: float) -> Callable[[Server], Awaitable[Slow]]:
        plan = Plan(bench.audience(1000), symbols(OF), rate, seconds)
        return lambda server: slow_client(
            server, bench.load, plan, new_tape(plan.symbols), bench.others
        )

    results.slow = await bench.each(measure(TICKS), OURS)
    results.slow_peers = await bench.each(measure(PEERS_TICKS))


async def several_gateways(bench: Bench, results: Results) -> None:
    """Scene g."""
    measure = bench.traffic(bench.plan(1000, TICKS))
    for count in (1, 2, 4):
        start = partial(gateways, bench.redis, bench.url, count)
        results.several.append((count, await bench.one(start, measure)))


SCENES: dict[str, Callable[[Bench, Results], Awaitable[None]]] = {
    "a": one_topic,
    "b": many_topics,
    "c": conflated,
    "d": ten_thousand,
    "e": all_at_once,
    "f": one_slow,
    "g": several_gateways,
}
