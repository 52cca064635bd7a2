"""Clients come and go for a long time: do memory, files, tasks or keys still grow?

A simulator, an ingest, gateways and a Valkey, each a process. Clients come at random, 12 a second,
each with random topics of 512 symbols, 40 % of them with a ticket, nearly all with one change of
their topics, and stay for a random time. At equal intervals the size of each process is read. The
run fails if a figure grows in its second half, or if more than one request in a hundred fails.

In the first tenth of the time twice as many come: a process keeps the memory of its highest number
of open streams, and a higher one, by chance, in the second half would look like a leak.
"""

import argparse
import asyncio
import random
import sys
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

import httpx
import psutil

from bench.flatness import ENOUGH_SAMPLES, Allowance, growth, is_flat
from bench.tape_ingest import tape_ingest
from bench.visitors import Visitors, Visits
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from tests.ports import free_port
from tests.programs import program, ready

TOKEN = "a-token-for-the-soak-of-tapecast"  # noqa: S105 - of this run alone
CLIENTS_PER_SECOND = 12.0
SAMPLES = 60
CROWDED_SHARE = 0.1
"""The part of the time, at the start, in which twice as many clients come."""
MIB = 2**20

FAILURES_ALLOWED = 0.01
"""The share of requests that may fail: on a machine short of CPU a change may time out."""

ALLOWANCES = {
    "MiB": Allowance(2.0, 0.02),
    "files": Allowance(12.0, 0.1),
    "tasks": Allowance(12.0, 0.1),
    "keys": Allowance(20.0, 0.05),
    "clients": Allowance(12.0, 0.1),
}
"""Some files, tasks and connections serve requests under way, whose number is random."""

Sample = dict[str, dict[str, float]]
"""The figures of each process at one moment."""


@dataclass
class Soak:
    """What was measured: samples at equal intervals, and the answers that clients got."""

    samples: list[Sample] = field(default_factory=list)
    visits: Visits = field(default_factory=Visits)

    def series(self) -> dict[tuple[str, str], list[float]]:
        """Return the course of each figure, by process and name."""
        return {
            (process, name): [sample[process][name] for sample in self.samples]
            for process, figures in self.samples[-1].items()
            for name in figures
        }

    @property
    def grown(self) -> list[str]:
        """The figures that are not flat, in words."""
        return [
            f"{process}: {name} grew by {growth(values):.1f} in the second half"
            for (process, name), values in self.series().items()
            if not is_flat(values, ALLOWANCES[name])
        ]


class Sampler:
    """Reads the sizes of all processes."""

    def __init__(
        self, processes: Mapping[str, int], gateways: Mapping[str, str], source: RedisSource
    ) -> None:
        """``processes``: their ids by name; ``gateways``: their URLs by name."""
        self._processes = {name: psutil.Process(pid) for name, pid in processes.items()}
        self._gateways = gateways
        self._source = source

    async def look(self, http: httpx.AsyncClient) -> Sample:
        """Return the figures of this moment."""
        found: Sample = {
            name: {"MiB": process.memory_info().rss / MIB, "files": process.num_fds()}
            for name, process in self._processes.items()
        }
        for name, url in self._gateways.items():
            status = (await http.get(f"{url}/api/stream/status")).raise_for_status().json()
            own = status["gateways"][0]  # the answering one is first
            found[name]["tasks"] = own["tasks"]
            # Each stream is a file, and their number is random.
            found[name]["files"] -= own["clients"]
            if status["ingest"] is not None:
                found["ingest"]["tasks"] = status["ingest"]["tasks"]
        found["ingest"].setdefault("tasks", 0)
        async with self._source.client("soak") as redis:
            info = await redis.info()
            found["valkey"] |= {
                "keys": await redis.dbsize(),
                "clients": info["connected_clients"],
            }
        return found


async def measure(
    seconds: float,
    *,
    speed: float = 5.0,
    per_second: float = CLIENTS_PER_SECOND,
    gateways: int = 2,
    samples: int = SAMPLES,
    seed: int = 1,
    show: bool = False,
) -> Soak:
    """Start everything, let clients come and go, and end it again."""
    ports = [free_port() for _ in range(gateways)]
    urls = {f"gateway {number}": f"http://127.0.0.1:{p}" for number, p in enumerate(ports, 1)}
    async with AsyncExitStack() as parts:
        valkey = await parts.enter_async_context(ValkeyServer(free_port()))
        processes = await _start(parts, valkey, urls, speed)
        assert valkey.pid is not None
        sampler = Sampler({**processes, "valkey": valkey.pid}, urls, RedisSource(valkey.url))
        http = await parts.enter_async_context(
            httpx.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)
        )
        visitors = Visitors(ports, TOKEN, random.Random(seed))  # noqa: S311 - topics, no secret
        soak = Soak(visits=visitors.visits)
        coming = asyncio.create_task(visitors.come(per_second))
        crowd = asyncio.create_task(_for(CROWDED_SHARE * seconds, visitors.come(per_second)))
        try:
            for number in range(samples):
                await asyncio.wait([coming], timeout=seconds / samples)
                if coming.done():
                    break
                soak.samples.append(await sampler.look(http))
                if show:
                    _print_line(soak, (number + 1) * seconds / samples)
        finally:
            for task in (coming, crowd):
                task.cancel()
            await asyncio.wait([coming, crowd])
        for task in (coming, crowd):
            if not task.cancelled():
                task.result()
    return soak


async def _for(seconds: float, work: Coroutine[None, None, None]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await work


async def _start(
    parts: AsyncExitStack, valkey: ValkeyServer, urls: Mapping[str, str], speed: float
) -> dict[str, int]:
    """Start the programs; return their process ids by name."""
    market = await parts.enter_async_context(
        tape_ingest(valkey.url, speed, ALPACA_SYMBOL_LIMIT="10000", LOG_LEVEL="warning")
    )
    processes = {"simulator": market.simulator.process.pid, "ingest": market.ingest.process.pid}
    for name, url in urls.items():
        gateway = await parts.enter_async_context(
            program(
                "gateway",
                REDIS_URL=valkey.url,
                PORT=url.rpartition(":")[2],
                API_TOKEN=TOKEN,
                AUDIT_LOG="true",
                DRAIN_SECONDS="0",
                # One token and one address stand for all clients.
                MAX_STREAMS_PER_PRINCIPAL="100000",
                MAX_STREAMS_PER_ADDRESS="100000",
            )
        )
        processes[name] = gateway.process.pid
    for url in urls.values():
        await ready(url)
    return processes


def _print_line(soak: Soak, seconds: float) -> None:
    sample = soak.samples[-1]
    if len(soak.samples) == 1:
        names = [f"{process} {name}" for process, figures in sample.items() for name in figures]
        print("seconds, streams,", ", ".join(names))
    figures = [f"{value:.1f}" for each in sample.values() for value in each.values()]
    print(f"{seconds:.0f},", f"{soak.visits.open},", ", ".join(figures), flush=True)


def report(soak: Soak) -> str:
    """Return the course of each figure, the answers, and the verdict."""
    lines = [f"{'':22}{'start':>9}{'half':>9}{'end':>9}{'grown':>9}  in the second half"]
    for (process, name), values in soak.series().items():
        figures = (values[0], values[len(values) // 2], values[-1], growth(values))
        lines.append(f"{process + ' ' + name:22}" + "".join(f"{each:9.1f}" for each in figures))
    answers = ", ".join(f"{count} of {name}" for name, count in soak.visits.answers.most_common())
    verdict = [*soak.grown, *(f"{n} of {name}" for name, n in soak.visits.failures.items())]
    return "\n".join([*lines, answers, *(verdict or ["flat"])])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status: 0 if the second half is flat."""
    parser = argparse.ArgumentParser(prog="python -m bench soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--speed", type=float, default=5, help="the divisor of the tape's pauses")
    parser.add_argument("--clients", type=float, default=CLIENTS_PER_SECOND, help="a second")
    parser.add_argument("--gateways", type=int, default=2)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    soak = asyncio.run(
        measure(
            given.minutes * 60,
            speed=given.speed,
            per_second=given.clients,
            gateways=given.gateways,
            samples=max(given.samples, ENOUGH_SAMPLES),
            seed=given.seed,
            show=True,
        )
    )
    print(report(soak))
    return 1 if soak.grown or soak.visits.failure_share > FAILURES_ALLOWED else 0


if __name__ == "__main__":
    sys.exit(main())
