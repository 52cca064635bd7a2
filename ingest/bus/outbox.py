"""What waits to be published. Bounded: where Redis is slow or away, newer prices replace older."""

import asyncio
from collections import deque
from typing import NamedTuple

BOUND = 20_000


class Publication(NamedTuple):
    """An event without its id yet. ``traded``: it happened just now, so the TTL key is due."""

    topic: str
    body: bytes
    traded: bool


class Outbox:
    """A queue of publications of merge topics, in order."""

    def __init__(self, bound: int = BOUND) -> None:
        self.waiting = asyncio.Event()
        self.conflated = 0
        self._bound = bound
        self._queue: deque[Publication] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    def offer(self, publication: Publication) -> None:
        """Queue a publication; beyond the bound only the newest of each topic is kept."""
        if len(self._queue) >= self._bound:
            newest = {each.topic: each for each in self._queue}
            self.conflated += len(self._queue) - len(newest)
            self._queue = deque(newest.values())
        self._queue.append(publication)
        self.waiting.set()

    def take(self, limit: int) -> list[Publication]:
        """Remove and return the oldest publications."""
        taken = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
        if not self._queue:
            self.waiting.clear()
        return taken

    def clear(self) -> None:
        """Forget everything."""
        self._queue.clear()
        self.waiting.clear()
