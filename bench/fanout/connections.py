"""Ten thousand idle clients: the memory per client, and the time to admit all at once."""

import asyncio
from dataclasses import dataclass

from bench.fanout.load import Load
from bench.fanout.servers import Server
from bench.fanout.traffic import open_streams
from bench.fanout.workload import Audience, Tape
from bench.percentiles import percentile

SETTLE_SECONDS = 3.0


@dataclass(frozen=True)
class Idle:
    """RSS of a server in bytes, with one client and with all."""

    server: str
    clients: int
    before: int
    after: int
    lost: int

    @property
    def per_connection(self) -> float:
        """The bytes per client."""
        return (self.after - self.before) / self.clients


async def idle(server: Server, load: Load, audience: Audience, tape: Tape) -> Idle:
    """Open the streams, a limited number at a time, and measure the server's growth."""
    first, rest = Audience(audience.watched[:1]), Audience(audience.watched[1:])
    await open_streams(server, load, first, tape)  # makes a server load its modules
    before = server.rss
    await open_streams(server, load, rest, tape)
    await asyncio.sleep(SETTLE_SECONDS)
    figures = await load.figures()
    return Idle(server.name, len(rest.watched), before, server.rss, figures.lost)


@dataclass(frozen=True)
class Storm:
    """Seconds until half, 99 % and all of the clients were live; CPU seconds in that time.

    ``again``: the number of connections that were lost before their stream was live, and retried.
    """

    server: str
    clients: int
    half: float
    most: float
    all: float
    again: int
    cpu: float
    client_cpu: float


async def storm(server: Server, load: Load, audience: Audience, tape: Tape) -> Storm:
    """Connect all clients at once to a server that has had no request yet."""
    before, first = server.cpu, await load.measure()
    opened = await open_streams(server, load, audience, tape, storm=True)
    seconds, last = opened.seconds, await load.figures()
    return Storm(
        server=server.name,
        clients=len(seconds),
        half=percentile(seconds, 0.5),
        most=percentile(seconds, 0.99),
        all=max(seconds),
        again=sum(opened.failures.values()),
        cpu=server.cpu - before,
        client_cpu=last.cpu - first.cpu,
    )
