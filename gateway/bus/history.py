"""The histories of ordered topics in Redis."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from redis.asyncio import Redis

from gateway.bus.malformed import skipping_malformed
from gateway.fanout.hub import Filling
from gateway.fanout.ordered_channel import OrderedChannel
from gateway.wire.event import Event
from shared import message
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace
from shared.event_id import NEVER, EventId


class History:
    """Reads events that were published before this gateway subscribed, in one round trip each."""

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        self._client = client
        self._keyspace = keyspace
        self._reading = asyncio.Lock()

    async def fillings(
        self, channels: Sequence[OrderedChannel], cursor: EventId, until: str = "+"
    ) -> dict[OrderedChannel, Filling]:
        """Read the events that channels lack: those after the newest event of each.

        A channel that is read for the first time starts after ``cursor``, or, if this gateway has
        received no event yet, after the newest event in its history. Entries later than ``until``
        are not ours.

        Raises:
            BusError: Redis is unreachable.
        """
        batch = self._client.pipeline(transaction=False)
        for channel in channels:
            key = self._keyspace.history(channel.topic)
            position = channel.event_id if channel.loaded.is_set() else cursor
            # The oldest entry and the length show whether the history still reaches back to the
            # position, or Redis has trimmed or lost some entries after it.
            batch.xrange(key, count=1)
            batch.xlen(key)
            if position == NEVER:
                # There is no position to continue from: only the newest id is of interest.
                batch.xrevrange(key, max=until, count=1)
            else:
                batch.xrange(key, f"({position}", until)
        answers = await self._execute(batch)
        return {
            channel: _filling(channel, cursor, *answers[3 * index : 3 * index + 3])
            for index, channel in enumerate(channels)
        }

    async def extend(self, channels: Iterable[OrderedChannel], cursor: EventId) -> None:
        """Read into memory the events after a cursor, as far back as Redis has them.

        Raises:
            BusError: Redis is unreachable.
        """
        if not _short(channels, cursor):
            return
        # After a gateway has died its clients resume at the same moment. The first reads; the
        # others wait, and then find the events in memory.
        async with self._reading:
            short = _short(channels, cursor)
            floors = [channel.floor for channel in short]
            batch = self._client.pipeline(transaction=False)
            for channel in short:
                key = self._keyspace.history(channel.topic)
                batch.xrange(key, max=str(channel.floor))
                batch.xlen(key)
            answers = await self._execute(batch)
            for index, (channel, floor) in enumerate(zip(short, floors, strict=True)):
                entries, length = answers[2 * index : 2 * index + 2]
                # If events have left memory during the read, the entries do not join up with
                # the rest. A later request reads again.
                if channel.floor == floor:
                    channel.extend(_events(channel, entries), trimmed=length >= channel.length)

    @staticmethod
    async def _execute(batch: Any) -> list[Any]:
        with bus_errors():
            answers: list[Any] = await batch.execute()
            return answers


def _short(channels: Iterable[OrderedChannel], cursor: EventId) -> list[OrderedChannel]:
    """Return the channels whose memory does not reach back to a cursor while Redis' might."""
    return [channel for channel in channels if cursor < channel.floor and not channel.complete]


def _filling(
    channel: OrderedChannel, cursor: EventId, oldest: list[Any], length: int, entries: list[Any]
) -> Filling:
    stored = _events(channel, entries)
    first = _events(channel, oldest)
    if not channel.loaded.is_set():
        # A new channel has lost nothing: no client has seen an event of it here.
        if cursor != NEVER:
            return Filling(cursor, stored, lost=False)
        return Filling(stored[-1].event_id if stored else NEVER, [], lost=False)
    position = channel.event_id
    # The channel's newest event is still in the history, unless Redis has trimmed it or has lost
    # its data. A topic of which neither side has ever had an event has lost none.
    reaches_back = bool(first) and first[0].event_id <= position
    expected = bool(channel.history) or length >= channel.length
    return Filling(position, stored, lost=expected and not reaches_back)


def _events(channel: OrderedChannel, entries: list[Any]) -> list[Event]:
    events = []
    for event_id, fields in entries:
        with skipping_malformed(channel.topic.encode()):
            events.append(channel.event_of(message.of_entry(event_id, fields)))
    return events
