"""The histories of ordered topics in Redis."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from redis.asyncio import Redis

from gateway.bus.refusal import refusing
from gateway.fanout.hub import Filling
from gateway.fanout.ordered_channel import Event, OrderedChannel
from shared import message
from shared.bus import keys
from shared.bus.redis_source import COMMAND_TIMEOUT_SECONDS
from shared.event_id import NEVER, EventId


class History:
    """Reads what was published before a gateway listened. A reading takes one round trip."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._reading = asyncio.Lock()

    async def fillings(
        self, channels: Sequence[OrderedChannel], cursor: EventId
    ) -> dict[OrderedChannel, Filling]:
        """Read what channels lack: what came after the newest event of each.

        A channel that is read for the first time begins after ``cursor``, or after the newest event
        there is where nothing has been heard yet.

        Raises:
            RedisError, OSError: Redis is away.
        """
        batch = self._client.pipeline(transaction=False)
        for channel in channels:
            key = keys.history_key(channel.topic)
            position = channel.event_id if channel.loaded.is_set() else cursor
            batch.xrange(key, count=1)
            batch.xlen(key)
            if position == NEVER:
                batch.xrevrange(key, count=1)
            else:
                batch.xrange(key, f"({position}")
        answers = await self._execute(batch)
        return {
            channel: _filling(channel, cursor, *answers[3 * index : 3 * index + 3])
            for index, channel in enumerate(channels)
        }

    async def extend(self, channels: Iterable[OrderedChannel], cursor: EventId) -> None:
        """Have in memory what is later than a cursor, as far as Redis has it.

        Raises:
            RedisError, OSError: Redis is away.
        """
        if not _short(channels, cursor):
            return
        async with self._reading:  # whoever comes at the same time finds it read
            short = _short(channels, cursor)
            floors = [channel.floor for channel in short]
            batch = self._client.pipeline(transaction=False)
            for channel in short:
                key = keys.history_key(channel.topic)
                batch.xrange(key, max=str(channel.floor))
                batch.xlen(key)
            answers = await self._execute(batch)
            for index, (channel, floor) in enumerate(zip(short, floors, strict=True)):
                entries, length = answers[2 * index : 2 * index + 2]
                if channel.floor == floor:  # else events have left memory meanwhile
                    channel.extend(_events(channel, entries), trimmed=length >= channel.length)

    @staticmethod
    async def _execute(batch: Any) -> list[Any]:
        async with asyncio.timeout(COMMAND_TIMEOUT_SECONDS):
            answers: list[Any] = await batch.execute()
            return answers


def _short(channels: Iterable[OrderedChannel], cursor: EventId) -> list[OrderedChannel]:
    return [channel for channel in channels if cursor < channel.floor and not channel.complete]


def _filling(
    channel: OrderedChannel, cursor: EventId, oldest: list[Any], length: int, entries: list[Any]
) -> Filling:
    stored = _events(channel, entries)
    first = _events(channel, oldest)
    if not channel.loaded.is_set():
        if cursor != NEVER:
            return Filling(cursor, stored, lost=False)
        return Filling(stored[-1].event_id if stored else NEVER, [], lost=False)
    position = channel.event_id
    # What was heard last is in the history, unless Redis has trimmed it, or lost its data.
    reaches_back = bool(first) and first[0].event_id <= position
    expected = bool(channel.history) or length >= channel.length
    return Filling(position, stored, lost=expected and not reaches_back)


def _events(channel: OrderedChannel, entries: list[Any]) -> list[Event]:
    events = []
    for event_id, fields in entries:
        with refusing(channel.topic.encode()):
            events.append(Event(*message.of_entry(event_id, fields)))
    return events
