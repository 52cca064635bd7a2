"""Ticks through one server to its clients for a period, and their cost."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import psutil

from bench.fanout import machine
from bench.fanout.load import Figures, Load, Opened
from bench.fanout.publisher import publish_evenly
from bench.fanout.servers import Server
from bench.fanout.workload import Audience, Tape
from bench.percentiles import percentile

OPEN_SECONDS = 120.0
WARM_UP_SECONDS = 0.5
QUIET_SECONDS = 0.4
SETTLE_SECONDS = 120.0
"""The limit for the delivery of the warm-up by a server that cannot keep up."""

LAST_SECONDS = 0.5
"""The time for the last ticks to arrive before the window closes."""

SAMPLES = 200_000
"""The approximate number of recorded latencies."""


@dataclass(frozen=True)
class Latency:
    """From publication to reading, in ms."""

    p50: float
    p99: float
    p999: float
    samples: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Return the percentiles of latencies in ms."""
        p50, p99, p999 = (percentile(values, share) for share in (0.5, 0.99, 0.999))
        return cls(p50, p99, p999, len(values))


@dataclass(frozen=True)
class Traffic:
    """A window of ``seconds``; CPU in seconds of user and system time.

    ``offered``: the events if each client gets each tick of its symbols. ``elsewhere``: the CPU of
    other programs on the machine, in cores. ``growth``: of the server's RSS, in bytes.
    """

    server: str
    clients: int
    seconds: float
    offered: int
    delivered: int
    lost: int
    cpu: float
    client_cpu: float
    elsewhere: float
    growth: int
    latency: Latency

    @property
    def cpu_per_event(self) -> float:
        """The server's CPU per event that has arrived, in µs."""
        return self.cpu / self.delivered * 1e6

    @property
    def core(self) -> float:
        """The share of a core that the server has used."""
        return self.cpu / self.seconds

    @property
    def share_delivered(self) -> float:
        """Delivered divided by offered."""
        return self.delivered / self.offered


@dataclass(frozen=True)
class Plan:
    """The ticks and their audience, at ``rate`` ticks a second over all ``symbols``."""

    audience: Audience
    symbols: Sequence[str]
    rate: float
    seconds: float

    @property
    def events(self) -> float:
        """The approximate number of events offered."""
        watched = sum(len(each) for each in self.audience.watched)
        return self.rate * self.seconds * watched / len(self.symbols)


async def open_streams(
    server: Server,
    load: Load,
    audience: Audience,
    tape: Tape,
    *,
    interval: float = 0,
    storm: bool = False,
) -> Opened:
    """Store a value of every symbol and open the streams."""
    await server.publisher.store(tape.one_of_each())
    return await load.connect(
        server.requests(audience, interval),
        live_after=server.live_after,
        events=len(audience.watched[0]),
        storm=storm,
        limit=OPEN_SECONDS,
    )


async def run_traffic(
    server: Server, load: Load, plan: Plan, tape: Tape, others: Sequence[psutil.Process]
) -> Traffic:
    """Publish to open streams for the planned time, after a warm-up.

    ``others`` are the bench's processes other than the server's and the clients'.
    """
    await publish_evenly(tape, server.publisher, plan.rate, min(WARM_UP_SECONDS, plan.seconds))
    await _quiet(load)
    tape.published.clear()
    first = await load.measure(every=max(1, round(plan.events / SAMPLES)))
    began, busy, cpu, rss = time.perf_counter(), machine.busy_seconds(), server.cpu, server.rss
    used = machine.cpu_seconds(others)
    await publish_evenly(tape, server.publisher, plan.rate, plan.seconds)
    offered = tape.offered(plan.audience)
    last = await _delivered(load, offered)
    cpu, client_cpu = server.cpu - cpu, last.cpu - first.cpu
    used = cpu + client_cpu + machine.cpu_seconds(others) - used
    seconds = time.perf_counter() - began
    return Traffic(
        server=server.name,
        clients=len(plan.audience.watched),
        seconds=seconds,
        offered=offered,
        delivered=last.events,
        lost=last.lost - first.lost,
        cpu=cpu,
        client_cpu=client_cpu,
        elsewhere=max(0.0, machine.busy_seconds() - busy - used) / seconds,
        growth=server.rss - rss,
        latency=Latency.of(await load.latencies()),
    )


async def _quiet(load: Load) -> None:
    """Wait until the warm-up has been delivered."""
    async with asyncio.timeout(SETTLE_SECONDS):
        seen = -1
        while (events := (await load.figures()).events) != seen:
            seen = events
            await asyncio.sleep(QUIET_SECONDS)


async def _delivered(load: Load, offered: int) -> Figures:
    """Wait a moment for the last events."""
    loop = asyncio.get_running_loop()
    until = loop.time() + LAST_SECONDS
    while True:
        figures = await load.figures()
        if figures.events >= offered or loop.time() > until:
            return figures
        await asyncio.sleep(0.02)
