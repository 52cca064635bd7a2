"""Our programs as separate processes, with the given environment and nothing else of ours."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator
from tests.limits import LIMIT_SECONDS

ROOT = Path(__file__).parents[1]
OURS = {
    "PYTHONPATH": str(ROOT),
    "PYTHONFAULTHANDLER": "1",
    "AUDIT_LOG": "false",  # ten thousand streams are twenty thousand lines, which no test reads
    "LAME_DUCK_SECONDS": "0",  # no balancer has to notice that a gateway ends
}


class Program:
    """A running process; ``output`` holds what it has printed so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._lines: list[str] = []
        self._reading = asyncio.create_task(self._read())

    @property
    def output(self) -> str:
        """Everything that it has printed."""
        return "".join(self._lines)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end and for its last words; return its exit status.

        Raises:
            AssertionError: it does not end; the message holds what it said and where it hangs.
        """
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                status = await self.process.wait()
        except TimeoutError:
            self.send(signal.SIGABRT)  # faulthandler says where it hangs
            await self.process.wait()
            await self._reading
            raise AssertionError(f"it does not end; it said:\n{self.output}") from None
        await self._reading
        return status

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self._lines.append(line.decode())


@asynccontextmanager
async def program(*arguments: str, **environment: str) -> AsyncIterator[Program]:
    """Run ``python -m`` with arguments, in a folder without any ``.env``; end it with SIGTERM."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with TemporaryDirectory(prefix="tapecast-") as folder:
        running = Program(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *arguments,
                cwd=folder,
                env={**kept, **OURS, **environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        )
        try:
            yield running
        finally:
            with suppress(ProcessLookupError):
                running.process.terminate()
            await running.ended()


def ingest_environment(simulator: Simulator, redis_url: str) -> dict[str, str]:
    """Return what an ingest needs to use a simulator."""
    return {
        "REDIS_URL": redis_url,
        "ALPACA_PAPER_API_KEY": DEFAULT_KEY,
        "ALPACA_PAPER_SECRET_KEY": DEFAULT_SECRET,
        "ALPACA_STREAM_URL": simulator.stream_url,
        "ALPACA_DATA_URL": simulator.rest_url,
        "ALPACA_TRADING_URL": simulator.rest_url,
    }


async def ready(url: str, path: str = "/readyz") -> None:
    """Wait until a gateway, or by another path a simulator, can serve."""
    async with asyncio.timeout(LIMIT_SECONDS), httpx.AsyncClient() as client:
        while True:
            with suppress(httpx.TransportError):
                if (await client.get(url + path)).status_code == httpx.codes.OK:
                    return
            await asyncio.sleep(0.05)
