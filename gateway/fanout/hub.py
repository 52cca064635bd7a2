"""The table of topics and clients. Nothing in it waits, so nothing can come between two steps."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from gateway.fanout.cadence import Cadence
from gateway.fanout.channel import Channel
from gateway.fanout.client import Client
from gateway.fanout.cohort import Cohort, Joining
from gateway.fanout.flusher import Flusher
from gateway.fanout.lane import Lane
from gateway.fanout.ordered_channel import Event, OrderedChannel
from gateway.fanout.sink import Sink
from gateway.fanout.table_channel import TableChannel
from gateway.wire import events
from gateway.wire.events import ByeReason
from shared import message, rfc3339
from shared.event_id import NEVER, EventId
from shared.topics import EVERYTHING, ORDERED, key_of, kind_of

LINGER_SECONDS = 5.0
"""How long a channel outlives its last client, who is often about to come back."""


class Filling(NamedTuple):
    """What Redis has of an ordered topic after ``position``; ``lost``: it does not reach back."""

    position: EventId
    events: list[Event]
    lost: bool


class Hub:
    """Frames each published value once and hands the same bytes to every client that watches.

    ``clock`` gives unix seconds: intervals are aligned to it so that gateways agree. ``retry_ms``
    gives the time after which a client that is sent away may come back. ``on_change`` are called
    when a topic is added or dropped.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        flush_interval: float,
        clock: Callable[[], float],
        retry_ms: Callable[[], int],
        on_change: Sequence[Callable[[], None]] = (),
    ) -> None:
        self.flusher = Flusher(loop, flush_interval)
        self.channels: dict[bytes, Channel] = {}
        self.clients: dict[str, Client] = {}
        self.newest: EventId = NEVER
        """The highest id seen."""
        self.cursor: EventId = NEVER
        """Up to where every client has every event of its ordered topics, or is about to."""
        self.feed = Channel("feed")
        self.refused = 0
        self.draining = False
        """Whether streams are ended, also those that only open now."""
        self._loop = loop
        self._clock = clock
        self._on_change = on_change
        self.retry_ms = retry_ms
        self._cadences: dict[float, Cadence] = {}
        self._cohorts: dict[tuple[Lane, ...], Cohort] = {}
        self._holding = False

    def open(
        self,
        stream_id: str,
        sink: Sink,
        principal: str = "",
        on_end: Callable[[], None] = lambda: None,
    ) -> Client:
        """Add a stream that watches nothing yet. ``principal``: who may change it.

        ``on_end`` is called when it leaves.
        """
        client = self.clients[stream_id] = Client(stream_id, sink, principal, on_end)
        return client

    def watch(self, topics: Iterable[str]) -> list[Channel]:
        """Hold the channels of topics; each call is undone by one ``unwatch``."""
        channels, opened = [], False
        for topic in topics:
            key = topic.encode()
            channel = self.channels.get(key)
            if channel is None:
                channel = self.channels[key] = _channel_of(topic)
                opened = True
            channel.watchers += 1
            channels.append(channel)
        if opened:
            self._tell_change()
        return channels

    def unwatch(self, channels: Iterable[Channel]) -> None:
        """Let go of channels; those that nobody holds are dropped after a while."""
        for channel in channels:
            channel.watchers -= 1
            channel.idle_since = self._loop.time()

    def join(
        self,
        client: Client,
        intervals: Sequence[float],
        *,
        greeting: bytes = b"",
        cursor: EventId | None = None,
    ) -> None:
        """Give a client the stored value of each channel that it holds and all from then on.

        ``intervals``, in seconds, go with its channels; of ordered ones it is given what is later
        than ``cursor``.
        """
        cohort = self._enter(client, client.channels, intervals)
        client.channels = ()
        cohort.join(client, Joining(greeting, cursor=cursor))

    def change(
        self, client: Client, channels: Sequence[Channel], intervals: Sequence[float]
    ) -> None:
        """Give a client that has joined other channels, which are held for it already.

        What stays is not repeated, what is new begins with its value and ends with ``ready``.
        """
        before = client.cohort
        if before is None:
            raise ValueError(f"{client.stream_id} has not joined")
        after = self._enter(client, channels, intervals)
        joining = None if client.stall else before.hand_over(client)
        self._exit(client, before)
        if joining is not None:
            after.join(client, joining)

    def leave(self, client: Client) -> None:
        """Remove a client and all that it holds, and complete its response."""
        if client.left:
            return
        client.left = True
        del self.clients[client.stream_id]
        self.flusher.forget(client)
        cohort, client.cohort = client.cohort, None
        if cohort is not None:
            self._exit(client, cohort)
        self.unwatch(client.channels)
        client.channels = ()
        client.sink.close()
        if client.on_leave is not None:
            client.on_leave()
        client.on_end()

    def end(self, client: Client, reason: ByeReason) -> None:
        """Say goodbye to a client, after what was waiting for it."""
        unsent = client.cohort.unsent(client) if client.cohort else []
        client.write(b"".join([*unsent, events.bye(self.cursor, reason, self.retry_ms())]))
        self.leave(client)

    def drop_idle(self) -> None:
        """Drop the channels that nobody has watched for a while."""
        limit = self._loop.time() - LINGER_SECONDS
        idle = [key for key, c in self.channels.items() if not c.watchers and c.idle_since < limit]
        for key in idle:
            del self.channels[key]
        if idle:
            self._tell_change()

    def publish(self, topic: bytes, packed: bytes, *, stored: bool = False) -> None:
        """Take a message, live or stored; an older one than the newest known is refused.

        Raises:
            ValueError: the message is not one of ours.
        """
        channel = self.channels.get(topic)
        if channel is None:
            return
        event_id, payload, name = message.unpack(packed)
        if channel.take(event_id, payload, name):
            self.newest = max(self.newest, event_id)
            if not (stored or self._holding):
                self.cursor = max(self.cursor, event_id)
        elif event_id < channel.event_id:
            self.refused += 1

    def hold(self) -> None:
        """Hold ordered events back, and the cursor: what came before them may be missing."""
        self._holding = True
        for channel in self.channels.values():
            if isinstance(channel, OrderedChannel):
                channel.hold()

    def fill(self, fillings: Mapping[OrderedChannel, Filling]) -> None:
        """Send what Redis has and what was held back, in the order of ids over all topics."""
        found: list[tuple[EventId, OrderedChannel, Event]] = []
        for channel, (position, stored, lost) in fillings.items():
            if not channel.loaded.is_set():
                channel.begin(position)
            elif lost:
                channel.lose(stored[0] if stored else None)
            found += [(each.event_id, channel, each) for each in stored + channel.release()]
        for _, channel, event in sorted(found, key=lambda each: each[0]):
            channel.add(event)

    def loaded(self, topics: Iterable[bytes], newest: EventId) -> None:
        """Note that topics have been read, whether there is something or not.

        ``newest`` is the highest id in Redis by then; what was published before it was read has
        been heard here.
        Clients that were told that a value could not be read are told that there is none.
        """
        self._holding = False
        self.newest = self.cursor = max(self.newest, newest)
        for topic in topics:
            channel = self.channels.get(topic)
            if channel is None or channel.loaded.is_set():
                continue
            channel.loaded.set()
            nothing = None if channel.frame is not None else channel.no_value()
            if nothing is not None:
                for lane in channel.lanes.values():
                    lane.tell(nothing)

    def announce_feed(self, frame: bytes) -> None:
        """Tell every client about the upstream, and those to come."""
        self.feed.replace(EventId(0, self.feed.event_id.seq + 1), frame)

    def broadcast(self, frame: bytes) -> None:
        """Send bytes to every client that reads."""
        for lane in self.feed.lanes.values():
            lane.tell(frame)

    def _enter(
        self, client: Client, channels: Sequence[Channel], intervals: Sequence[float]
    ) -> Cohort:
        wanted = [self._lane(*each) for each in zip(channels, intervals, strict=True)]
        lanes = (*wanted, self._lane(self.feed, 0.0))
        cohort = self._cohorts.get(lanes)
        if cohort is None:
            cohort = self._cohorts[lanes] = Cohort(lanes, self.flusher.add, self._ready)
            for lane in lanes:
                lane.attach(cohort)
        cohort.size += 1
        client.cohort = cohort
        return cohort

    def _exit(self, client: Client, cohort: Cohort) -> None:
        cohort.remove(client)
        cohort.size -= 1
        self.unwatch(cohort.channels)
        if not cohort.size:
            del self._cohorts[cohort.lanes]
            for lane in cohort.lanes:
                lane.detach(cohort)

    def _ready(self) -> bytes:
        return events.ready(self.cursor, rfc3339.from_unix(self._clock()))

    def _tell_change(self) -> None:
        for listener in self._on_change:
            listener()

    def _lane(self, channel: Channel, interval: float) -> Lane:
        lane = channel.lanes.get(interval)
        if lane is None:
            cadence = self._cadences.get(interval)
            if cadence is None:
                cadence = Cadence(interval, self._clock, self._loop.call_later)
                self._cadences[interval] = cadence
            lane = channel.lanes[interval] = channel.lane_type(channel, cadence)
        return lane


def _channel_of(topic: str) -> Channel:
    if kind_of(topic) in ORDERED:
        return OrderedChannel(topic)
    return TableChannel(topic) if key_of(topic) == EVERYTHING else Channel(topic)
