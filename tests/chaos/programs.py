"""The processes under test: ours, started again whenever a fault has ended them, and Valkey."""

import asyncio
import os
import signal
import time
from contextlib import suppress

import psutil
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError

from shared.bus.valkey_server import ValkeyServer
from tests.chaos.follower import Complain
from tests.limits import LIMIT_SECONDS
from tests.programs import Program, program
from tests.services import until

RESTART_SECONDS = 0.2
FIRST_SAMPLE = 2
GROWTH_BYTES = 100 * 2**20
"""How much memory a process may take beyond what it began with."""


class Service:
    """One of our programs. ``run`` keeps it alive; only a fault may end it."""

    def __init__(self, name: str, complain: Complain, *arguments: str, **environment: str) -> None:
        self.name = name
        self.starts = 0
        self.memory: list[int] = []
        """The memory of the present process in bytes, sampled."""
        self.peak_memory = 0
        self._arguments, self._environment = arguments, environment
        self._complain = complain
        self._running: Program | None = None
        self._sent: signal.Signals | None = None

    @property
    def pid(self) -> int | None:
        """Its process id; None between two processes."""
        return None if self._running is None else self._running.process.pid

    async def run(self) -> None:
        """Start it and start it again, until cancelled; then end it."""
        while True:
            async with program(*self._arguments, **self._environment) as running:
                self.starts += 1
                self._sent, self._running, self.memory = None, running, []
                try:
                    status = await running.process.wait()
                finally:
                    self._running = None
                    _signal(running, signal.SIGCONT)
                self._judge(status, running)
            await asyncio.sleep(RESTART_SECONDS)

    def _judge(self, status: int, running: Program) -> None:
        expected = {None: (), signal.SIGTERM: (0,), signal.SIGKILL: (-signal.SIGKILL,)}[self._sent]
        is_unborn = not running.output and status == -signal.SIGTERM  # it was still loading
        if status not in expected and not (self._sent is signal.SIGTERM and is_unborn):
            told = "by itself" if self._sent is None else f"after {self._sent.name}"
            self._complain(
                f"{self.name} ended {told} with status {status}:\n{running.output[-3000:]}"
            )

    async def end(self, by: signal.Signals) -> float:
        """Kill it, or ask it to end and see that it does; return when the signal was sent."""
        sent, running = time.monotonic(), self._running
        if running is not None:
            if self._sent is not signal.SIGKILL:
                self._sent = by
            _signal(running, by)
            try:
                await running.ended()
            except AssertionError as hangs:
                self._complain(f"{self.name} after {by.name}: {hangs}")
        return sent

    async def is_back(self, starts: int) -> None:
        """Wait until it has been started again, after so many starts, and has said something."""

        def is_back() -> bool:
            return self.starts > starts and self._running is not None and bool(self._running.output)

        await until(is_back)

    async def pause(self, seconds: float) -> float:
        """Stop it, and let it continue; return the time at which it did."""
        if (running := self._running) is not None:
            _signal(running, signal.SIGSTOP)
            try:
                await asyncio.sleep(seconds)
            finally:
                _signal(running, signal.SIGCONT)
        return time.monotonic()

    def sample_memory(self) -> None:
        """Measure; complain of what grows without limit."""
        if self.pid is None:
            return
        with suppress(psutil.Error):
            self.memory.append(psutil.Process(self.pid).memory_info().rss)
            self.peak_memory = max(self.peak_memory, self.memory[-1])
        if self.memory and self.memory[-1] > self.first_memory + GROWTH_BYTES:
            self._complain(f"{self.name} grew from {self.first_memory} to {self.memory[-1]} bytes")

    @property
    def first_memory(self) -> int:
        """What the present process took once it had loaded everything."""
        return self.memory[min(FIRST_SAMPLE, len(self.memory) - 1)]

    def output(self) -> str:
        """Return the last words so far of the present process."""
        return "" if self._running is None else self._running.output[-3000:]


class Valkey:
    """A Valkey that faults may take away, one at a time; it comes back empty."""

    def __init__(self, server: ValkeyServer) -> None:
        self._server = server
        self._hurt = asyncio.Lock()

    async def die(self, seconds: float) -> float:
        """Kill it with all its data, start it again after a while; return when it was back."""
        async with self._hurt:
            self._server.kill()
            try:
                await self._server.stop()
                await asyncio.sleep(seconds)
            finally:
                await self._server.start()
            return time.monotonic()

    async def fill(self, seconds: float) -> float:
        """Let it have no memory for a while; return when it had some again.

        Raises:
            AssertionError: it accepted a write meanwhile, so that nothing was tested.
        """
        async with self._hurt:
            await self._command("CONFIG", "SET", "maxmemory", "1")
            try:
                if not await self._is_full():
                    raise AssertionError("a Valkey with no memory accepts a write")
                await asyncio.sleep(seconds)
            finally:
                await self._command("CONFIG", "SET", "maxmemory", "0")
            return time.monotonic()

    async def _is_full(self) -> bool:
        try:
            await self._command("SET", "chaos:full", "1")
        except OutOfMemoryError:
            return True
        return False

    async def _command(self, *command: str) -> None:
        """Send it a command until it answers: another fault may end the connection."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while True:
                with suppress(RedisConnectionError):
                    async with Redis.from_url(self._server.url) as redis:
                        await redis.execute_command(*command)  # type: ignore[no-untyped-call]
                        return

    async def pause(self, seconds: float) -> float:
        """Stop it, and let it continue; return the time at which it did."""
        async with self._hurt:
            os.kill(self._server.pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(seconds)
            finally:
                os.kill(self._server.pid, signal.SIGCONT)
            return time.monotonic()


def _signal(running: Program, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        running.send(number)
