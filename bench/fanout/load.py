"""The bench's handle on the load client's process."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.programs import ROOT

ANSWER_SECONDS = 60.0
END_SECONDS = 5.0
LINE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Figures:
    """The clients' reads since ``measure``; ``cpu`` in seconds since their start."""

    events: int
    reads: int
    bytes: int
    lost: int
    cpu: float


@dataclass(frozen=True)
class Opened:
    """The seconds until each stream was live; the earlier failed connections, counted by reason."""

    seconds: list[float]
    failures: dict[str, int]


class Load:
    """Clients in a separate process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def connect(
        self,
        requests: Sequence[tuple[str, int, str]],
        *,
        live_after: str,
        events: int,
        storm: bool = False,
        limit: float = 60.0,
    ) -> Opened:
        """Open streams; those that are lost before they are live are retried.

        Raises:
            AssertionError: not all were live within the limit.
        """
        answer = await self._ask(
            "connect",
            limit + ANSWER_SECONDS,
            requests=requests,
            live_after=live_after,
            events=events,
            storm=storm,
            limit=limit,
        )
        opened = Opened(**answer)
        assert len(opened.seconds) == len(requests), (
            f"{len(opened.seconds)} of {len(requests)} streams were live after {limit:g} s; "
            f"failures: {opened.failures}"
        )
        return opened

    async def measure(self, every: int = 1) -> Figures:
        """Count from zero, and record latencies in one of ``every`` reads."""
        return Figures(**await self._ask("measure", every=every))

    async def figures(self) -> Figures:
        """Return the reads since ``measure``."""
        return Figures(**await self._ask("figures"))

    async def latencies(self) -> list[float]:
        """Return the recorded latencies in ms."""
        return [each / 1000 for each in await self._ask("latencies")]

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    async def arrived(self) -> int:
        """Return the number of bars since ``measure``: chart clients have it."""
        return int(await self._ask("arrived"))

    async def arrivals(self) -> list[int]:
        """Return when each bar has arrived since ``measure``, unix µs; likewise."""
        return list(await self._ask("arrivals"))

    async def close(self) -> None:
        """Reset every connection."""
        if self._process.returncode is None:
            await self._ask("close")

    async def _ask(self, what: str, within: float = ANSWER_SECONDS, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **arguments}).encode() + b"\n")
        async with asyncio.timeout(within):
            line = await self._process.stdout.readline()
        assert line, "the load client has ended; its output is above"
        return json.loads(line)


@asynccontextmanager
async def load_client(module: str = "bench.fanout.load_client") -> AsyncIterator[Load]:
    """Run a load client; it ends when its input ends, even if this process is killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
    )
    try:
        yield Load(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
