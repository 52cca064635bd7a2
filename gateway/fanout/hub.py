"""The table of topics and clients. Nothing in it waits, so nothing can come between two steps."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from gateway.fanout.bar_channel import BarChannel
from gateway.fanout.channel import Channel
from gateway.fanout.cohort import Client, Cohort, Joining
from gateway.fanout.flusher import Flusher
from gateway.fanout.lane import Lane, Lanes
from gateway.fanout.ordered_channel import OrderedChannel
from gateway.fanout.own_ids import OwnIds, UnverifiedIdError
from gateway.fanout.sink import Sink
from gateway.fanout.status_channel import StatusChannel
from gateway.fanout.table_channel import TableChannel
from gateway.wire import events
from gateway.wire.event import Encoder, Event
from gateway.wire.events import ByeReason, EndReason
from shared import message, rfc3339
from shared.event_id import NEVER, EventId
from shared.topics import BARS, EVERYTHING, ORDERED, STATUS

CHANNEL_LINGER_SECONDS = 5.0
"""How long a channel outlives its last client, which often reconnects within seconds."""

FEED = "feed"


class Filling(NamedTuple):
    """The events of an ordered topic that Redis has after ``position``.

    Redis has every event after ``floor``, and was empty at ``origin``; None if this is unknown.
    ``lost``: the floor lies after the position.
    """

    position: EventId
    events: list[Event]
    floor: EventId | None
    origin: EventId | None
    lost: bool


class Hub:
    """Frames each published event once per protocol and gives all its watchers the same bytes.

    ``clock`` gives unix seconds: intervals are aligned to it so that gateways agree. ``retry_ms``
    gives the time after which a client whose stream is ended may reconnect. ``on_change`` are
    called when a topic is added or dropped.
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
        """Up to where every client has the events of its ordered topics, or is about to."""
        self.own_ids = OwnIds()
        """The ids that are accepted: all, until the lease has been read."""
        self.feed = Channel(FEED)
        self.refused = 0
        self.started_over = 0
        self.retry_ms = retry_ms
        self._draining = False
        self._loop = loop
        self._clock = clock
        self._on_change = on_change
        self._lanes = Lanes(clock, loop.call_later)
        self._cohorts: dict[tuple[Lane, ...], Cohort] = {}
        self._buffering = False

    @property
    def is_buffering(self) -> bool:
        """Whether ordered events wait, because earlier ones may be missing."""
        return self._buffering

    @property
    def is_draining(self) -> bool:
        """Whether the gateway is about to end: it opens no stream."""
        return self._draining

    def drain(self) -> None:
        """Open no stream from now on; the open ones continue until they are ended."""
        self._draining = True

    def open(
        self,
        stream_id: str,
        sink: Sink,
        encoder: Encoder,
        *,
        principal: str = "",
        on_end: Callable[[EndReason], None] = lambda _: None,
    ) -> Client:
        """Add a stream that watches nothing yet; ``on_end`` is called when it leaves."""
        client = self.clients[stream_id] = Client(stream_id, sink, encoder, principal, on_end)
        return client

    def watch(self, intervals: Mapping[str, float]) -> dict[Channel, float]:
        """Hold the channels of topics; ``join`` takes them over, or ``unwatch`` releases them.

        ``intervals``: topics, each with its interval in seconds. Returns their channels likewise.
        """
        watched: dict[Channel, float] = {}
        opened = False
        for topic, interval in intervals.items():
            key = topic.encode()
            channel = self.channels.get(key)
            if channel is None:
                channel = self.channels[key] = _channel_of(topic, self.own_ids)
                opened = True
            channel.watchers += 1
            watched[channel] = interval
        # Once for all of them: a stream may bring hundreds of new topics.
        if opened:
            self._notify()
        return watched

    def unwatch(self, channels: Iterable[Channel]) -> None:
        """Release channels; one without watchers is dropped after a while."""
        now = self._loop.time()
        for channel in channels:
            channel.watchers -= 1
            channel.idle_since = now

    def join(
        self,
        client: Client,
        watched: Mapping[Channel, float],
        *,
        greeting: bytes = b"",
        cursor: EventId | None = None,
    ) -> None:
        """Give a client the channels that are held for it, each at its interval, and no others.

        A topic that it already has continues without a repetition. A new one starts with its
        value, or, if it is ordered, with the events after ``cursor``; then ``ready`` follows.
        """
        encoder = client.encoder
        # Equal lanes in equal order make the cohort, so clients with the same request share it.
        lanes = self._lanes.of({**watched, self.feed: 0.0}, encoder)
        after = self._cohort(lanes, encoder)
        before = client.cohort
        if before is None:
            after.add(client, Joining(greeting, cursor=cursor))
            return
        # Both may be the same cohort: it must not be released before the client is in it again.
        after.add(client, before.hand_over(client))
        self._release(before)

    def leave(self, client: Client, reason: EndReason = "left") -> None:
        """Remove a client and everything kept for it, and complete its response."""
        # The peer may vanish while its stream is being ended.
        if client.left:
            return
        client.note_left()
        del self.clients[client.stream_id]
        self.flusher.forget(client)
        cohort = client.cohort
        if cohort is not None:
            cohort.remove(client)
            self._release(cohort)
        client.sink.close()
        client.on_end(reason)

    def end(self, client: Client, reason: ByeReason) -> None:
        """Send a client its pending frames and a ``bye``, and remove it."""
        unsent = client.cohort.unsent(client) if client.cohort else []
        bye = events.Bye(str(self.cursor), reason, self.retry_ms())
        client.write(b"".join([*unsent, client.encoder.bye(bye)]))
        self.leave(client, reason)

    def drop_idle(self) -> None:
        """Drop the channels that no client has watched for a while."""
        limit = self._loop.time() - CHANNEL_LINGER_SECONDS
        idle = [key for key, c in self.channels.items() if not c.watchers and c.idle_since < limit]
        # The subscriber and the claims compare what they have with this table afterwards.
        for key in idle:
            del self.channels[key]
        if idle:
            self._notify()

    def publish(self, topic: bytes, packed: bytes, *, stored: bool = False) -> None:
        """Apply a message, live or stored; one older than the newest known is rejected.

        Raises:
            ValueError: the message is not one of Tapecast's.
            UnverifiedIdError: the lease, as it was read last, has not given such an id.
        """
        # Redis still delivers messages of topics that were dropped a moment ago.
        channel = self.channels.get(topic)
        if channel is None:
            return
        event_id, payload, name = message.unpack(packed)
        own = self.own_ids
        # Two comparisons of numbers for almost every event; the call is for the others.
        is_unusual = event_id[0] != own.epoch or event_id[1] > own.last_seq
        if is_unusual and not own.accepts(event_id, stored=stored):
            raise UnverifiedIdError(event_id)
        if channel.apply(event_id, payload, name):
            # Comparisons and not max(), here and in the lanes: a third of the time, for each event.
            if event_id > self.newest:
                self.newest = event_id
            # A stored value says nothing about the events before it, nor does a live one while
            # ordered events are buffered: a client that resumed there would miss some.
            if event_id > self.cursor and not (stored or self._buffering):
                self.cursor = event_id
        # The same event again is usual: it was stored and published. An older one is a fault of
        # the publisher, such as a leader that was replaced.
        elif event_id < channel.event_id:
            self.refused += 1

    def buffer(self) -> None:
        """Buffer ordered events, and stop the cursor: earlier events may be missing."""
        self._buffering = True
        for channel in self.channels.values():
            if isinstance(channel, OrderedChannel):
                channel.buffer()

    def start_over(self) -> None:
        """Forget every event: the ids of those to come are lower than the ids of those shown."""
        for channel in self.channels.values():
            channel.start_over()
        for cohort in self._cohorts.values():
            cohort.start_over()
        self.newest = self.cursor = NEVER
        self.started_over += 1
        self.buffer()

    def fill(self, fillings: Mapping[OrderedChannel, Filling]) -> None:
        """Send the events that Redis has and the buffered ones, in the order of ids."""
        found: list[tuple[OrderedChannel, Event]] = []
        for channel, filling in fillings.items():
            stored, floor = filling.events, filling.floor
            if not channel.loaded.is_set():
                channel.begin(filling.position, floor, origin=filling.origin)
            elif filling.lost and floor is not None:
                channel.lose(stored[0] if stored else None, floor)
            found += [(channel, each) for each in stored + channel.release()]
        # Over all topics: a client's cursor is one id for all of them, so an event that left late
        # would be before the cursor of a client that disconnects in between.
        for channel, event in sorted(found, key=lambda each: each[1].event_id):
            channel.add(event)

    def loaded(self, topics: Iterable[bytes], newest: EventId, *, is_waiting: bool = False) -> None:
        """Note that the stored values of topics have been read, whether there were any or not.

        ``newest`` is the highest id in Redis by then; everything published before it was read has
        been received here. ``is_waiting``: for some topics it is unknown whether events are lost,
        so the cursor stands still.
        """
        if not is_waiting:
            self._buffering = False
            self.newest = self.cursor = max(self.newest, newest)
        for topic in topics:
            channel = self.channels.get(topic)
            # Dropped meanwhile, or read again after a loss of Redis.
            if channel is None or channel.loaded.is_set():
                continue
            channel.loaded.set()
            # Clients that did not wait for Redis were sent "redis_unavailable" in the snapshot.
            if channel.lanes and channel.event is None and (nothing := channel.no_value()):
                for lane in channel.lanes:
                    lane.send(nothing.frame)

    def mark_unclaimed(self, topics: Iterable[str], reason: str) -> None:
        """Call the symbols of topics that could not be claimed ``stale``, with the reason."""
        now = rfc3339.from_unix(self._clock())
        for topic in topics:
            channel = self.channels.get(topic.encode())
            if isinstance(channel, StatusChannel):
                channel.mark(self.newest, reason, now)

    def unmark_claimed(self) -> None:
        """Show the published states of all symbols again: every topic is claimed."""
        for channel in self.channels.values():
            if isinstance(channel, StatusChannel):
                channel.unmark(self.newest)

    def announce_feed(self, feed: events.Feed) -> None:
        """Send every client the state of the upstream, and keep it for clients to come."""
        event_id = EventId(0, self.feed.event_id.seq + 1)
        self.feed.replace(Event(event_id, events.encode(feed), FEED))

    def send_heartbeat(self, heartbeat: events.Heartbeat) -> None:
        """Send a heartbeat to every client that reads."""
        # Every client has the feed, so its lanes reach all of them. A stalled client is not sent
        # heartbeats: they would be outdated when it wakes.
        cursor = self.cursor
        for lane in self.feed.lanes:
            lane.send(lambda encoder: encoder.heartbeat(cursor, heartbeat))

    def _cohort(self, lanes: tuple[Lane, ...], encoder: Encoder) -> Cohort:
        cohort = self._cohorts.get(lanes)
        if cohort is None:
            ready = partial(self._ready, encoder)
            cohort = self._cohorts[lanes] = Cohort(lanes, encoder, self.flusher.add, ready)
            for lane in lanes:
                lane.attach(cohort)
        return cohort

    def _release(self, cohort: Cohort) -> None:
        """Release the channels that a client held through a cohort, and the cohort if it is empty.

        The client has been removed from it.
        """
        self.unwatch(cohort.channels)
        if not cohort.is_empty:
            return
        del self._cohorts[cohort.lanes]
        self._lanes.detach(cohort.lanes, cohort)

    def _notify(self) -> None:
        for listener in self._on_change:
            listener()

    def _ready(self, encoder: Encoder) -> bytes:
        now = rfc3339.from_unix(self._clock())
        return encoder.ready(self.cursor, events.Ready(str(self.cursor), now))


def _channel_of(topic: str, own_ids: OwnIds) -> Channel:
    kind, _, key = topic.partition(":")
    if kind in BARS:
        return BarChannel(topic, own_ids)
    if kind in ORDERED:
        return OrderedChannel(topic, own_ids)
    if kind == STATUS:
        return StatusChannel(topic)
    return TableChannel(topic) if key == EVERYTHING else Channel(topic)
