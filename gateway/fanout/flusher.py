"""When clients are written to: at once when idle, in company under load."""

import asyncio

from gateway.fanout.client import Client
from gateway.fanout.cohort import Cohort

REST_PER_WORK = 2.0
"""After a flush that took t seconds the next waits REST_PER_WORK * t, up to the interval."""


class Flusher:
    """Collects cohorts with something pending and writes each client once per flush.

    The wait adapts to what the last flush cost: with few clients there is none to speak of, with
    thousands it grows to ``interval``, and a write then carries many events.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, interval: float) -> None:
        self._loop = loop
        self._interval = interval
        self._dirty: dict[Cohort, None] = {}
        self._not_before = 0.0
        self.stalled: dict[Client, None] = {}

    def add(self, cohort: Cohort) -> None:
        """Include a cohort in the coming flush."""
        if not self._dirty:
            delay = self._not_before - self._loop.time()
            if delay > 0:
                self._loop.call_later(delay, self.flush)
            else:
                self._loop.call_soon(self.flush)
        self._dirty[cohort] = None

    def flush(self) -> None:
        """Write to every client that has something pending."""
        began = self._loop.time()
        dirty, self._dirty = self._dirty, {}
        for cohort in dirty:
            for client in cohort.flush(began):
                self.stalled[client] = None
        ended = self._loop.time()
        self._not_before = ended + min(self._interval, (ended - began) * REST_PER_WORK)

    def forget(self, client: Client) -> None:
        """Drop a client that is gone."""
        self.stalled.pop(client, None)

    def wake_readers(self) -> None:
        """Wake the stalled clients that have read what was buffered for them."""
        for client in [client for client in self.stalled if not client.sink.buffered()]:
            del self.stalled[client]
            if client.cohort is not None:
                client.cohort.wake(client)

    def stalled_longer_than(self, seconds: float) -> list[Client]:
        """Return the clients that have not read for so long."""
        limit = self._loop.time() - seconds
        return [client for client in self.stalled if client.stall and client.stall.since < limit]
