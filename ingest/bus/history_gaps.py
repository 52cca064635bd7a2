"""Holes in the histories: what happened while nobody led, or nobody watched."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from redis.asyncio import Redis

from ingest.bus.announcer import Announcer
from ingest.demand.wanted import Demand
from shared import rfc3339, trade
from shared.bus import keys
from shared.bus.redis_source import REDIS_ERRORS
from shared.topics import TRADE, key_of, kind_of

LOOK_SECONDS = 1.0

RECENT_SECONDS = 300.0
"""Of a tape that was recorded not longer ago the missing prints are fetched."""


class _Event(msgspec.Struct):
    """The times that ordered events carry; a ``gap`` carries ``to``."""

    timestamp: str | None = None
    updated_at: str | None = None
    to: str | None = None


_decode = msgspec.json.Decoder(_Event).decode
_decode_print = msgspec.json.Decoder(trade.Trade).decode


class HistoryGaps:
    """Announces a ``gap`` when a topic with a history begins to be watched again.

    A tape may be completed instead: ``catch_up`` takes a symbol and since when (unix s).
    """

    def __init__(
        self,
        client: Redis,
        demand: Demand,
        announcer: Announcer,
        catch_up: Callable[[str, float], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._demand = demand
        self._announcer = announcer
        self._catch_up = catch_up
        self._clock = clock
        self._recorded: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Look at what is watched until cancelled."""
        while True:
            watched = self._demand.recorded_topics()
            with suppress(*REDIS_ERRORS):  # the lease reports the loss
                for topic in sorted(watched - self._recorded):
                    await self._resume(topic)
                    self._recorded |= {topic}
                self._recorded &= watched
            await self._demand.wait_for_change(LOOK_SECONDS)

    async def _resume(self, topic: str) -> None:
        is_tape = kind_of(topic) == TRADE
        count = keys.HISTORY_LENGTHS[TRADE] if is_tape else 1
        entries: Any = await self._client.xrevrange(keys.history_key(topic), count=count)
        recorded = _newest_time(entries)
        if is_tape:
            self._announcer.recent.recall(key_of(topic), _prints(entries))
        if recorded is None:
            return
        now, (text, since) = self._clock(), recorded
        if is_tape and now - since < RECENT_SECONDS:
            self._catch_up(key_of(topic), since)
        else:
            self._announcer.gap([topic], text, rfc3339.from_unix(now), "not_recorded")


def _newest_time(entries: Sequence[Any]) -> tuple[str, float] | None:
    """Return the time of the newest entry, as it stands there and in unix seconds."""
    for _, fields in entries[:1]:
        with suppress(ValueError):  # of another version
            event = _decode(fields[b"data"])
            text = event.to or event.timestamp or event.updated_at or ""
            return text, rfc3339.to_nanoseconds(text) / 1e9
    return None


def _prints(entries: Sequence[Any]) -> list[trade.Trade]:
    """Return the prints among the entries, oldest first."""
    prints = []
    for _, fields in reversed(entries):
        with suppress(msgspec.DecodeError):
            if b"event" not in fields:
                prints.append(_decode_print(fields[b"data"]))
    return prints
