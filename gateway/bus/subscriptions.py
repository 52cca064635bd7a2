"""The topics of a stream: opened, resumed, and changed while it runs.

Each of these is the same operation: hold the channels of the topics, wait until their values are
in memory, then give them to the client.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from gateway.bus.barrier import Barrier
from gateway.bus.history import History
from gateway.bus.lease_watch import LeaseWatch
from gateway.bus.stream_changes import Change, Changed, Problem
from gateway.fanout.channel import Channel
from gateway.fanout.cohort import Client
from gateway.fanout.hub import Hub
from gateway.fanout.ordered_channel import OrderedChannel
from gateway.fanout.sink import Sink
from gateway.wire.event import Encoder
from gateway.wire.events import EndReason
from shared.bus.errors import BusError
from shared.event_id import EventId
from shared.topics import COMPANIONS, kind_of

SNAPSHOT_SECONDS = 2.0
"""How long a stream waits for the stored values of new topics. After that it starts without them,
and ``price: null`` states the reason."""


@dataclass(frozen=True, slots=True)
class StreamOpening:
    """A stream that was admitted: its topics with their intervals in seconds.

    ``greeting`` goes first. Only ``principal`` may change the stream. ``cursor`` is the newest
    event that the client has. ``on_end`` is called when the stream is over. ``is_allowed`` returns
    whether the principal still has the rights with which it was admitted.
    """

    stream_id: str
    intervals: Mapping[str, float]
    greeting: bytes
    encoder: Encoder
    principal: str
    on_end: Callable[[EndReason], None]
    cursor: EventId | None = None
    is_allowed: Callable[[], bool] = lambda: True


class Subscriptions:
    """Opens and changes the streams of this gateway. ``limit`` is the most topics of a stream."""

    def __init__(
        self, hub: Hub, history: History, lease: LeaseWatch, barrier: Barrier, *, limit: int
    ) -> None:
        self._hub = hub
        self._history = history
        self._lease = lease
        self._barrier = barrier
        self._limit = limit

    def open(self, opening: StreamOpening, sink: Sink) -> Client:
        """Add a stream to the hub. From now on it may leave; ``begin`` gives it its topics."""
        return self._hub.open(
            opening.stream_id,
            sink,
            opening.encoder,
            principal=opening.principal,
            on_end=opening.on_end,
        )

    def leave(self, client: Client) -> None:
        """Remove a stream whose peer has gone, or that has been served."""
        self._hub.leave(client)

    async def begin(self, client: Client, opening: StreamOpening) -> None:
        """Give a stream its topics, or end it with the reason why it cannot be served."""
        hub = self._hub
        if hub.is_draining:
            client.write(opening.greeting)
            hub.end(client, "shutdown")
            return
        # Its token was replaced while the stream was being opened.
        if not opening.is_allowed():
            client.write(opening.greeting)
            hub.end(client, "expired")
            return
        with ExitStack() as undo:
            # Its request is cancelled or fails. A stream that never joins would stay open in
            # silence, and keep its place among the gateway's streams.
            undo.callback(hub.leave, client)
            await self._give_topics(client, opening)
            undo.pop_all()

    async def _give_topics(self, client: Client, opening: StreamOpening) -> None:
        hub, greeting = self._hub, opening.greeting
        watched = hub.watch(opening.intervals)
        try:
            # The greeting does not wait for Redis: proxies and browsers give up on a response
            # that sends nothing.
            if not all(channel.loaded.is_set() for channel in watched):
                client.write(greeting)
                greeting = b""
                await _loaded(client, watched)
            resumed = opening.cursor is None or await self._read_from(opening.cursor, watched)
            if client.left:
                return
            if resumed:
                hub.join(client, watched, greeting=greeting, cursor=opening.cursor)
            else:
                # Live events would move the cursor past the events that could not be read.
                client.write(greeting)
                hub.end(client, "unavailable")
        finally:
            # The client took the channels over if it joined; otherwise they are released here.
            if client.cohort is None:
                hub.unwatch(watched)

    async def change(self, change: Change) -> Changed:
        """Give a stream other topics; the answer comes when their values are on their way."""
        hub = self._hub
        # The stream may have ended between the two gateways' messages.
        client = hub.clients.get(change.stream_id)
        # Another principal's stream looks like none, so that ids cannot be tried out.
        if client is None or client.principal != change.principal:
            return _rejected(change, "unknown_stream")
        added = hub.watch(change.add)
        try:
            await _loaded(client, added)
            # Read only now: during the wait the stream may have left, or changed again.
            if client.left:
                return _rejected(change, "unknown_stream")
            if client.cohort is None:
                return _rejected(change, "not_ready")
            kept = client.cohort.intervals
            for topic in change.remove:
                kept.pop(topic, None)
            intervals = kept | change.add
            if not intervals:
                return _rejected(change, "no_topics")
            if sum(kind_of(topic) not in COMPANIONS for topic in intervals) > self._limit:
                return _rejected(change, "too_many_topics")
            hub.join(client, hub.watch(intervals))
        finally:
            hub.unwatch(added)
        return Changed(question=change.question, intervals=intervals)

    async def _read_from(self, cursor: EventId, channels: Iterable[Channel]) -> bool:
        """Read the events after a cursor into memory; return False if Redis cannot be read."""
        ordered = [channel for channel in channels if isinstance(channel, OrderedChannel)]
        # Redis did not answer in time, so the history in memory has no known start.
        if _unloaded(ordered):
            return False
        try:
            # Of a leader that this gateway does not know yet, or of one that Redis has lost.
            if self._hub.own_ids.is_beyond(cursor):
                await self._lease.read()
            await self._history.extend(ordered, cursor, self._hub.cursor)
            return await self._reach(cursor)
        except BusError:
            return False

    async def _reach(self, cursor: EventId) -> bool:
        """Wait until the events up to a cursor have been received; return whether they are sent."""
        hub = self._hub
        # The client has read Redis, or another gateway has shown it, before this one's subscription
        # brings these events: to this client they would be sent a second time.
        if cursor <= hub.cursor or hub.own_ids.is_beyond(cursor):
            return True
        await self._barrier.reach()
        return not hub.is_buffering


def _unloaded(channels: Iterable[Channel]) -> list[Channel]:
    return [channel for channel in channels if not channel.loaded.is_set()]


async def _loaded(client: Client, channels: Iterable[Channel]) -> None:
    """Wait for the values of channels, for the limit at most and while the client stays."""
    waiting = _unloaded(channels)
    # A stream that left before this wait notifies no listener: the whole limit would pass.
    if not waiting or client.left:
        return
    loop = asyncio.get_running_loop()

    def stop_waiting() -> None:
        # A client may leave in the same turn of the loop in which the limit has passed. The limit
        # of a wait that is being cancelled must not be changed.
        if not limit.expired():
            limit.reschedule(loop.time())

    with suppress(TimeoutError):
        async with asyncio.timeout(SNAPSHOT_SECONDS) as limit:
            with client.on_leave(stop_waiting):
                for channel in waiting:
                    await channel.loaded.wait()


def _rejected(change: Change, problem: Problem) -> Changed:
    return Changed(question=change.question, problem=problem)
