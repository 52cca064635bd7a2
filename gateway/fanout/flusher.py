"""When clients are written to: at once when idle, in company under load."""

import asyncio

from gateway.fanout.client import Client

STALL_BYTES = 64 * 1024
"""A client with more than this waiting in the process does not read; see ``Client``."""

REST_PER_WORK = 2.0
"""After a flush that took t seconds the next waits REST_PER_WORK * t, up to the interval."""


class Flusher:
    """Collects clients with something pending and writes each once per flush.

    The wait adapts to what the last flush cost: with few clients there is none to speak of, with
    thousands it grows to ``interval``, and a write then carries many events.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, interval: float) -> None:
        self._loop = loop
        self._interval = interval
        self._dirty: dict[Client, None] = {}
        self._not_before = 0.0
        self.stalled: dict[Client, None] = {}

    def add(self, client: Client) -> None:
        """Include a client in the coming flush."""
        if not self._dirty:
            delay = self._not_before - self._loop.time()
            if delay > 0:
                self._loop.call_later(delay, self.flush)
            else:
                self._loop.call_soon(self.flush)
        self._dirty[client] = None

    def flush(self) -> None:
        """Write to every client that has something pending."""
        began = self._loop.time()
        dirty, self._dirty = self._dirty, {}
        for client in dirty:
            client.write_pending()
            if client.sink.buffered() > STALL_BYTES and client.stalled_since is None:
                client.stalled_since = began
                self.stalled[client] = None
        ended = self._loop.time()
        self._not_before = ended + min(self._interval, (ended - began) * REST_PER_WORK)

    def forget(self, client: Client) -> None:
        """Drop a client that is gone."""
        self._dirty.pop(client, None)
        self.stalled.pop(client, None)

    def wake_readers(self) -> None:
        """Wake the stalled clients that have read what was buffered for them."""
        for client in [client for client in self.stalled if not client.sink.buffered()]:
            del self.stalled[client]
            client.wake()

    def stalled_longer_than(self, seconds: float) -> list[Client]:
        """Return the clients that have not read for so long."""
        limit = self._loop.time() - seconds
        return [c for c in self.stalled if c.stalled_since is not None and c.stalled_since < limit]
