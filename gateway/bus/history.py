"""The histories of ordered topics in Redis."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis

from gateway.bus.malformed import MalformedData
from gateway.bus.recording import Recording
from gateway.fanout.hub import Filling
from gateway.fanout.ordered_channel import OrderedChannel
from gateway.wire.event import Event
from shared import message
from shared.bus.beginning import SINCE, Beginning
from shared.bus.errors import bus_errors
from shared.bus.keys import Keyspace
from shared.event_id import NEVER, EventId


class History:
    """Reads events that were published before this gateway subscribed, in one round trip each."""

    def __init__(self, client: Redis, keyspace: Keyspace, malformed: MalformedData) -> None:
        self._client = client
        self._keyspace = keyspace
        self._malformed = malformed
        self._reading = asyncio.Lock()

    async def fillings(
        self, channels: Sequence[OrderedChannel], cursor: EventId, until: str = "+"
    ) -> dict[OrderedChannel, Filling]:
        """Read the events that channels lack: those after the newest event of each.

        A channel that is read for the first time starts after ``cursor``, or, if this gateway has
        received no event yet, after the newest event in its history. Entries later than ``until``
        are not ours. A channel that was read before is left out if it is unknown how far back
        Redis has its events: they may be lost, and the ingest will note it before it publishes the
        next one.

        Raises:
            BusError: Redis is unreachable.
        """
        if not channels:
            return {}
        reads = []
        for channel in channels:
            position = channel.event_id if channel.loaded.is_set() else cursor
            # With no position to continue from, only the newest id is of interest.
            reads.append((until,) if position == NEVER else (f"({position}", until))
        recording, stored = await self._read(channels, cursor, reads)
        found = {
            channel: _filling(channel, cursor, recording.since, entries)
            for channel, entries in zip(channels, stored, strict=True)
        }
        return {channel: filling for channel, filling in found.items() if filling is not None}

    async def extend(
        self, channels: Iterable[OrderedChannel], cursor: EventId, received: EventId
    ) -> None:
        """Read into memory the events after a cursor, as far back as Redis has them.

        ``received``: up to where this gateway has received events.

        Raises:
            BusError: Redis is unreachable.
        """
        if not _short(channels, cursor):
            return
        # After a gateway has died its clients resume at the same moment. The first reads; the
        # others wait, and then find the events in memory.
        async with self._reading:
            short = _short(channels, cursor)
            joints = [channel.joint for channel in short]
            reads = [("-", str(joint)) for joint in joints]
            recording, stored = await self._read(short, received, reads)
            for channel, joint, entries in zip(short, joints, stored, strict=True):
                # If events have left memory during the read, the entries do not join up with
                # the rest. A later request reads again.
                if entries.complete_after is not None and channel.joint == joint:
                    earlier = [e for e in entries.events if entries.complete_after < e.event_id]
                    channel.extend(earlier, entries.complete_after, origin=recording.since)

    async def _read(
        self,
        channels: Sequence[OrderedChannel],
        received: EventId,
        reads: Sequence[tuple[str, ...]],
    ) -> tuple[Recording, list["_Stored"]]:
        """Read the facts and a part of each history, in one step.

        A part is given by its bounds; a single bound stands for the newest entry.
        """
        keyspace, topics = self._keyspace, [channel.topic for channel in channels]
        # In a transaction: between two reads Redis could lose its data, and empty histories would
        # be taken for complete ones.
        batch: Any = self._client.pipeline(transaction=True)
        batch.hmget(keyspace.histories, [SINCE, *topics])
        batch.mget([keyspace.published])
        for topic, bounds in zip(topics, reads, strict=True):
            key = keyspace.history(topic)
            batch.xrange(key, count=1)
            batch.xlen(key)
            if len(bounds) == 1:
                batch.xrevrange(key, max=bounds[0], count=1)
            else:
                batch.xrange(key, *bounds)
        with bus_errors():
            # A history of another type must not keep the gateway from all the others.
            answers: list[Any] = await batch.execute(raise_on_error=False)
        noted, published, *parts = answers
        recording = self._recording(topics, noted, published).known_to(received)
        return recording, [
            self._stored(channel, recording, *parts[3 * index : 3 * index + 3])
            for index, channel in enumerate(channels)
        ]

    def _recording(self, topics: Sequence[str], noted: Any, published: Any) -> Recording:
        since, newest = None, NEVER
        beginnings: dict[str, Beginning] = {}
        where = self._keyspace.histories.encode()
        # An answer that is an error is neither: the hash is a key of another type.
        fields = noted if isinstance(noted, list) else [None] * (len(topics) + 1)
        with self._malformed.skipping(where):
            since = None if fields[0] is None else EventId.parse(fields[0])
        with self._malformed.skipping(where):
            newest = NEVER if published[0] is None else EventId.parse(published[0])
        for topic, field in zip(topics, fields[1:], strict=True):
            if field is not None:
                with self._malformed.skipping(where):
                    beginnings[topic] = Beginning.parse(field)
        return Recording(since, newest, beginnings)

    def _stored(
        self,
        channel: OrderedChannel,
        recording: Recording,
        first: Any,
        length: Any,
        entries: Any,
    ) -> "_Stored":
        where = channel.topic.encode()
        # The key is of another type.
        if isinstance(first, Exception):
            self._malformed.note(where, first)
            first, length, entries = [], 0, []
        oldest = None
        for entry in first:
            with self._malformed.skipping(where):
                oldest = EventId.parse(entry[0])
        limit = channel.length
        events = self._events(channel, entries)
        # The publish script notes the newest id in the same step, so later entries are not its own.
        # An id from far ahead would silence the topic here.
        if recording.published != NEVER:
            events = [event for event in events if event.event_id <= recording.published]
            if oldest is not None and oldest > recording.published:
                oldest = None
        return _Stored(events, recording.complete_after(channel.topic, oldest, length, limit))

    def _events(self, channel: OrderedChannel, entries: list[Any]) -> list[Event]:
        events = []
        for event_id, fields in entries:
            with self._malformed.skipping(channel.topic.encode()):
                events.append(channel.event_of(message.of_entry(event_id, fields)))
        return events


class _Stored(NamedTuple):
    """Events of a history, and the position after which Redis has every one; None if unknown."""

    events: list[Event]
    complete_after: EventId | None


def _short(channels: Iterable[OrderedChannel], cursor: EventId) -> list[OrderedChannel]:
    """Return the channels whose memory does not reach back to a cursor while Redis' might."""
    return [
        channel
        for channel in channels
        if not channel.complete and (channel.floor is None or cursor < channel.floor)
    ]


def _filling(
    channel: OrderedChannel, cursor: EventId, origin: EventId | None, stored: _Stored
) -> Filling | None:
    """Return the events that a channel lacks; None if it is unknown whether some are lost."""
    complete_after = stored.complete_after
    if not channel.loaded.is_set():
        position, events = cursor, stored.events
        if cursor == NEVER and events:
            position, events = events[-1].event_id, []
        floor = None if complete_after is None else max(position, complete_after)
        # A new channel has lost nothing: no client has seen an event of it here.
        return Filling(position, events, floor, origin, lost=False)
    if complete_after is None:
        return None
    # Every event of the topic up to the cursor was received here, whether there was any or not.
    position = max(channel.event_id, cursor)
    if complete_after <= position:
        return Filling(position, stored.events, complete_after, origin, lost=False)
    events = [event for event in stored.events if event.event_id > complete_after]
    return Filling(position, events, complete_after, origin, lost=True)
