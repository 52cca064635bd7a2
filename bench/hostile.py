"""A hundred thousand hostile requests beside open streams: none gets in, and the streams continue.

A gateway with five tokens, a Valkey and an attacker, each a process. 200 streams receive 40 prices
a second and measure their age on arrival: before, during and after the attack, in one run. The
attacker has a low priority (``--nice``), because two cores serve everything: the streams should
wait for the gateway's own work, not for the attacker's. How long the gateway itself waited for a
core is measured too (Linux: ``/proc/PID/schedstat``), as a check of that.
"""

import argparse
import asyncio
import math
import os
import secrets
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import psutil

from bench.hostile_load import Answers, Task
from bench.percentiles import percentile
from bench.steady_streams import Prices, SteadyStreams
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.cancellation import cancel
from tests.ports import free_port
from tests.programs import Program, program, ready

ROOT = Path(__file__).parents[1]
SCOPES = ("", " market", " positions", " account", " orders")
FACTOR = 2.0
"""How many times later than before the slowest hundredth of the prices may come."""

FLOOR_MS = 5.0
"""A p99 below counts as this: so short times are the kernel's scheduling, not the gateway's."""

PUBLIC_SUCCESS = frozenset({"odd path", "mutated bytes", "smuggling"})
"""Kinds of attack of which some are requests of the page, which need no token."""


@dataclass
class Phase:
    """One part of the run. ``late`` are ages in ms; the other figures are shares of one core."""

    name: str
    late: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0
    waited: float = 0.0

    @property
    def p99(self) -> float:
        """The age that 99 % of the prices did not exceed."""
        return percentile(self.late, 0.99)


@dataclass
class Measured:
    """The result of a run. ``log`` is everything that the gateway has logged."""

    phases: list[Phase]
    answers: Answers
    streams: SteadyStreams
    tokens: list[str]
    unauthorized: int
    mib: tuple[float, float]
    log: str

    @property
    def factor(self) -> float:
        """How many times later prices came during the attack than before."""
        before, during, _ = (max(phase.p99, FLOOR_MS) for phase in self.phases)
        return during / before

    @property
    def faults(self) -> list[str]:
        """The violations, in words."""
        served = {
            f"{kind}: {count}x {status}"
            for kind, counts in self.answers.answers.items()
            for status, count in counts.items()
            if status.startswith("5") or (status.startswith("2") and kind not in PUBLIC_SUCCESS)
        }
        found = [
            *self.answers.broken_in,
            *self.answers.leaks,
            *sorted(served),
            *(f"a token in the log: {line}" for line in self.log.splitlines() if self._leaks(line)),
        ]
        if "Traceback" in self.log:
            found.append("a traceback in the log")
        if self.streams.ended or self.streams.gaps:
            found.append(f"{self.streams.ended} streams ended, {self.streams.gaps} gaps")
        return found

    def _leaks(self, line: str) -> bool:
        return any(token in line for token in self.tokens)


class Meter:
    """Measures phases: the streams' lateness, and the gateway's use of a core."""

    def __init__(self, streams: SteadyStreams, gateway: psutil.Process) -> None:
        self._streams = streams
        self._gateway = gateway
        self.phases: list[Phase] = []

    async def measure(self, name: str, work: asyncio.Task[object]) -> None:
        """Measure while some work lasts."""
        loop = asyncio.get_running_loop()
        self._streams.take_late()
        began, cpu, waited = loop.time(), self._cpu(), self._waited()
        await work
        seconds = loop.time() - began
        self.phases.append(
            Phase(
                name,
                self._streams.take_late(),
                seconds,
                (self._cpu() - cpu) / seconds,
                (self._waited() - waited) / seconds,
            )
        )

    def _cpu(self) -> float:
        times = self._gateway.cpu_times()
        return times.user + times.system

    def _waited(self) -> float:
        """Return for how many seconds the gateway had work and no core."""
        try:
            return int(Path(f"/proc/{self._gateway.pid}/schedstat").read_text().split()[1]) / 1e9
        except OSError:  # no Linux
            return math.nan


@dataclass(frozen=True)
class Terms:
    """What a run is made of; ``nice`` is the attacker's priority."""

    requests: int
    streams: int
    per_second: float
    at_once: int
    quiet_seconds: float
    seed: int
    nice: int = 0


async def measure(terms: Terms) -> Measured:
    """Start everything, attack, and end it again."""
    tokens = [secrets.token_urlsafe(24) for _ in SCOPES]
    async with AsyncExitStack() as parts:
        valkey = await parts.enter_async_context(ValkeyServer(free_port()))
        port = free_port()
        gateway = await _gateway(parts, valkey.url, port, tokens)
        client = await parts.enter_async_context(RedisSource(valkey.url).client("bench"))
        steady = SteadyStreams(port, tokens[0])
        process = psutil.Process(gateway.process.pid)
        meter = Meter(steady, process)
        task = Task(
            port=port,
            tokens=tokens,
            secrets=[*tokens, valkey.url],
            requests=terms.requests,
            per_second=terms.per_second,
            at_once=terms.at_once,
            seed=terms.seed,
            nice=terms.nice,
        )
        running = [
            asyncio.create_task(steady.run(terms.streams)),
            asyncio.create_task(Prices(client).run()),
        ]
        try:
            await steady.until_ready(terms.streams)
            answers, mib = await _phases(meter, process, task, terms.quiet_seconds)
            unauthorized = await _unauthorized(port, tokens[0])
        finally:
            ended = steady.ended
            await cancel(*running)
        steady.ended = ended
        return Measured(meter.phases, answers, steady, tokens, unauthorized, mib, gateway.output)


async def _phases(
    meter: Meter, gateway: psutil.Process, task: Task, quiet_seconds: float
) -> tuple[Answers, tuple[float, float]]:
    """Measure before, during and after the attack; return its answers, and MiB around it."""
    small = gateway.memory_info().rss / 2**20
    await meter.measure("before", asyncio.create_task(asyncio.sleep(quiet_seconds)))
    attack = asyncio.create_task(_attack(task))
    await meter.measure("during", attack)
    large = gateway.memory_info().rss / 2**20
    await meter.measure("after", asyncio.create_task(asyncio.sleep(quiet_seconds)))
    return attack.result(), (small, large)


async def _gateway(
    parts: AsyncExitStack, redis_url: str, port: int, tokens: Sequence[str]
) -> Program:
    entries = [token + scopes for token, scopes in zip(tokens, SCOPES, strict=True)]
    gateway = await parts.enter_async_context(
        program(
            "gateway",
            REDIS_URL=redis_url,
            PORT=str(port),
            API_TOKEN=",".join(entries),
            ACCESS_LOG="true",
            AUDIT_LOG="true",
            DRAIN_SECONDS="0",
        )
    )
    await ready(f"http://127.0.0.1:{port}")
    return gateway


async def _attack(task: Task) -> Answers:
    attacker = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.hostile_load",
        msgspec.json.encode(task).decode(),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await attacker.communicate()
    return msgspec.json.decode(printed, type=Answers)


async def _unauthorized(port: int, token: str) -> int:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http:
        status = await http.get(f"http://127.0.0.1:{port}/api/stream/status")
    return int(status.json()["unauthorized"])


def report(measured: Measured) -> str:
    """Return the figures and the verdict."""
    lines = [f"{'':8}{'p50 ms':>9}{'p99 ms':>9}{'prices':>10}{'CPU':>7}{'no core':>9}"]
    lines += [
        f"{phase.name:8}{percentile(phase.late, 0.5):9.1f}{phase.p99:9.1f}{len(phase.late):10}"
        f"{phase.cpu:7.0%}{phase.waited:9.1%}"
        for phase in measured.phases
    ]
    for kind, counts in sorted(measured.answers.answers.items()):
        statuses = ", ".join(f"{count}x {status}" for status, count in sorted(counts.items()))
        lines.append(f"{kind:18}{statuses}")
    sent = sum(sum(counts.values()) for counts in measured.answers.answers.values())
    seconds = measured.phases[1].seconds or math.nan
    small, large = measured.mib
    lines.append(
        f"{sent} requests in {seconds:.0f} s ({sent / seconds:.0f} a second), "
        f"{measured.unauthorized} wrong tokens and tickets counted, "
        f"RSS {small:.0f} → {large:.0f} MiB"
    )
    lines.append(f"p99 during the attack: {measured.factor:.2f} times that before (< {FACTOR:g})")
    return "\n".join(
        [*lines, *(measured.faults[:20] or ["no request got in, and no secret leaked"])]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status: 0 if the requirements are met."""
    parser = argparse.ArgumentParser(prog="python -m bench hostile", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--rate", type=float, default=700, help="requests a second")
    parser.add_argument("--at-once", type=int, default=512, help="the most requests under way")
    parser.add_argument("--quiet-seconds", type=float, default=15, help="before and after")
    parser.add_argument("--nice", type=int, default=10, help="the attacker's priority, to 19")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    measured = asyncio.run(
        measure(
            Terms(
                given.requests,
                given.streams,
                given.rate,
                given.at_once,
                given.quiet_seconds,
                given.seed,
                given.nice,
            )
        )
    )
    print(report(measured))
    return 1 if measured.faults or measured.factor >= FACTOR else 0


if __name__ == "__main__":
    sys.exit(main())
