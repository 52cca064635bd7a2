"""When clients are written to: at once when idle, together under load."""

import asyncio

from gateway.fanout.cohort import Client, Cohort, Stalled

REST_PER_WORK = 2.0
"""After a flush that took t seconds the next waits REST_PER_WORK * t, up to the interval."""


class Flusher:
    """Collects cohorts with pending frames and writes each client once per flush.

    The wait adapts to the cost of the last flush: with few clients it is negligible, with
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
                # Not at once: the reader may have more messages, which then share the write.
                self._loop.call_soon(self.flush)
        self._dirty[cohort] = None

    def flush(self) -> None:
        """Write to every client with pending bytes."""
        began = self._loop.time()
        # A flush may queue a cohort again; that one belongs to the next flush.
        dirty, self._dirty = self._dirty, {}
        for cohort in dirty:
            for client in cohort.flush(began):
                self.stalled[client] = None
        ended = self._loop.time()
        # Rest in proportion to the work: the reader of Redis needs the loop too, and the longer
        # events wait, the more of them share one write.
        self._not_before = ended + min(self._interval, (ended - began) * REST_PER_WORK)

    def forget(self, client: Client) -> None:
        """Forget a client that has left."""
        self.stalled.pop(client, None)

    def wake_readers(self) -> None:
        """Wake the stalled clients that have read their buffered bytes."""
        # All of them, not some: a client woken while bytes wait would stall again at once.
        for client in [client for client in self.stalled if not client.sink.buffered()]:
            del self.stalled[client]
            if client.cohort is not None:
                client.cohort.wake(client)

    def stalled_longer_than(self, seconds: float) -> list[Client]:
        """Return the clients that have not read for longer than a time."""
        limit = self._loop.time() - seconds
        return [
            client
            for client in self.stalled
            if isinstance(client.place, Stalled) and client.place.since < limit
        ]
