"""A standby's question whether it would reach Alpaca, asked while the leader does not."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from ingest.reach import UpstreamReach

PROBE_PAUSE_SECONDS = 1.0
"""Probes count as connection attempts at Alpaca."""


class Greeted(Protocol):
    """A connection that can be tried without a session."""

    async def greets(self) -> bool:
        """Return whether Alpaca greets a new connection, which is closed again."""


class AlpacaProbe:
    """Connects as far as Alpaca's greeting, and closes: without keys it uses no slot."""

    def __init__(
        self,
        connect: Callable[[], Greeted],
        reach: UpstreamReach,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._reach = reach
        self._monotonic = monotonic
        self._requested = asyncio.Event()

    def request(self) -> None:
        """Ask soon."""
        self._requested.set()

    async def run(self) -> None:
        """Ask whenever it is requested, until cancelled."""
        while True:
            await self._requested.wait()
            started = self._monotonic()
            was_greeted = await self._connect().greets()
            self._reach.on_attempt(self._monotonic() - started, was_greeted=was_greeted)
            await asyncio.sleep(PROBE_PAUSE_SECONDS)
            self._requested.clear()  # the standby requests it again while the leader needs it
