"""The tape at its speed: publishes at the simulator, and looks at its sessions each time."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from simulator.service import Simulator
from tests.chaos.invariants import Complain
from tests.chaos.tape import BUSY, PROBE, QUIET, Tape

TICK_SECONDS = 0.025
TICKS_PER_PROBE = 4


class Trading:
    """Trades until it is closed. ``symbols`` are those that trade all the time."""

    def __init__(self, tape: Tape, simulator: Simulator, complain: Complain) -> None:
        self.symbols = [*BUSY]
        self.messages = 0
        self._tape = tape
        self._simulator = simulator
        self._complain = complain
        self._closed = False

    async def run(self) -> None:
        """Publish forty messages a second, and ten of the probe."""
        tick = 0
        while not self._closed:
            await self._publish(self._tape.anything(self.symbols, time.time_ns()))
            if tick % TICKS_PER_PROBE == 0:
                await self._publish(self._tape.trade(PROBE, time.time_ns()))
            tick += 1
            await asyncio.sleep(TICK_SECONDS)

    async def one_of(self, symbols: Sequence[str]) -> None:
        """Trade each of these once."""
        for symbol in symbols:
            await self._publish(self._tape.trade(symbol, time.time_ns()))

    def some_trades(self) -> list[dict[str, Any]]:
        """Return a trade of each busy symbol, for a frame that the caller sends."""
        return [self._tape.trade(symbol, time.time_ns()) for symbol in BUSY]

    async def open(self) -> None:
        """Trade everything once, so that everything is known."""
        await self.one_of((PROBE, *BUSY, *QUIET))

    async def close(self) -> None:
        """Trade the busy symbols a last time."""
        self._closed = True
        await self.one_of((PROBE, *self.symbols))

    async def _publish(self, message: dict[str, Any]) -> None:
        self.messages += 1
        await self._simulator.publish(message)
        self.check_sessions()

    def check_sessions(self) -> None:
        """Complain of a second session at the simulator."""
        state: Any = self._simulator.state()["endpoints"]
        iex = state["iex"]
        if iex["sessions_peak"] > 1:
            self._complain(f"a second session at the simulator: {iex}")
