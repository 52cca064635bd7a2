"""Holes in the histories: what happened while nobody led, or nobody watched."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
from redis.asyncio import Redis

from ingest.bus.announcer import Announcer
from ingest.demand.wanted import Demand
from shared import keys, rfc3339
from shared.redis_source import REDIS_ERRORS

LOOK_SECONDS = 1.0


class _Event(msgspec.Struct):
    """The times that ordered events carry; a ``gap`` carries ``to``."""

    timestamp: str | None = None
    updated_at: str | None = None
    to: str | None = None


_decode = msgspec.json.Decoder(_Event).decode


class HistoryGaps:
    """Announces a ``gap`` when a topic with a history begins to be watched again."""

    def __init__(
        self,
        client: Redis,
        demand: Demand,
        announcer: Announcer,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._demand = demand
        self._announcer = announcer
        self._clock = clock
        self._recorded: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Look at what is watched until cancelled."""
        while True:
            watched = self._demand.recorded_topics()
            with suppress(*REDIS_ERRORS):  # the lease reports the loss
                for topic in sorted(watched - self._recorded):
                    await self._announce(topic)
                    self._recorded |= {topic}
                self._recorded &= watched
            await self._demand.wait_for_change(LOOK_SECONDS)

    async def _announce(self, topic: str) -> None:
        entries: Any = await self._client.xrevrange(keys.history_key(topic), count=1)
        for _, fields in entries:
            with suppress(msgspec.DecodeError):  # of another version
                event = _decode(fields[b"data"])
                since = event.to or event.timestamp or event.updated_at
                if since is not None:
                    until = rfc3339.from_unix(self._clock())
                    self._announcer.gap([topic], since, until, "not_recorded")
