"""The table of topics and clients. Nothing in it waits, so nothing can come between two steps."""

import asyncio
from collections.abc import Callable, Iterable

from gateway import events
from gateway.fanout.channel import Cadence, Channel, Lane
from gateway.fanout.client import Client
from gateway.fanout.flusher import Flusher
from gateway.fanout.sink import Sink
from shared import message
from shared.event_id import NEVER, EventId
from shared.topics import PRICE, kind_of

LINGER_SECONDS = 5.0
"""How long a channel outlives its last client, who is often about to come back."""


class Hub:
    """Frames each published value once and hands the same bytes to every client that watches.

    ``clock`` gives unix seconds: intervals are aligned to it so that gateways agree.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        flush_interval: float,
        clock: Callable[[], float],
    ) -> None:
        self.flusher = Flusher(loop, flush_interval)
        self.channels: dict[bytes, Channel] = {}
        self.clients: dict[Client, None] = {}
        self.newest: EventId = NEVER
        self.feed = Channel("feed")
        self.refused = 0
        self.on_change: list[Callable[[], None]] = []
        """Called when topics begin or cease to be watched."""
        self.farewell: Callable[[], bytes] | None = None
        """Once the gateway drains: what a stream that opens now is told at once."""
        self._loop = loop
        self._clock = clock
        self._cadences: dict[float, Cadence] = {}

    def watch(self, topics: Iterable[str]) -> list[Channel]:
        """Hold the channels of topics; each call is undone by one ``unwatch``."""
        channels, opened = [], False
        for topic in topics:
            key = topic.encode()
            channel = self.channels.get(key)
            if channel is None:
                channel = self.channels[key] = Channel(topic)
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

    def drop_idle(self) -> None:
        """Drop the channels that nobody has watched for a while."""
        limit = self._loop.time() - LINGER_SECONDS
        idle = [key for key, c in self.channels.items() if not c.watchers and c.idle_since < limit]
        for key in idle:
            del self.channels[key]
        if idle:
            self._tell_change()

    def open(self, stream_id: str, sink: Sink) -> Client:
        """Add a stream that watches nothing yet."""
        client = Client(stream_id, sink, self.flusher.add)
        self.clients[client] = None
        return client

    def join(self, client: Client, channels: Iterable[Channel], interval: float) -> None:
        """Give a client the stored value of each channel and everything from then on.

        One step without a wait: no value is missed between the two, and none comes twice.
        """
        for channel in channels:
            frame = channel.frame or _no_value(channel)
            if frame is not None:
                client.push(frame)
            lane = channel.lanes.get(interval)
            if lane is None:
                lane = channel.lanes[interval] = Lane(channel, self._cadence(interval))
            lane.add(client)
            client.lanes.append(lane)

    def leave(self, client: Client) -> None:
        """Remove a client and all that is kept for it; nothing more is written to it."""
        for lane in client.lanes:
            lane.remove(client)
        client.lanes.clear()
        client.pending.clear()
        client.held.clear()
        self.clients.pop(client, None)
        self.flusher.forget(client)

    def end(self, client: Client, farewell: bytes) -> None:
        """Say the last words to a client and let its request finish."""
        client.push(farewell)
        client.write_pending()
        self.leave(client)
        client.finish()

    def publish(self, topic: bytes, packed: bytes) -> None:
        """Take a message, live or stored; an older one than the newest known is refused.

        A named event (``gap``) goes to the topic's clients and leaves its value as it is.

        Raises:
            ValueError: the message is not one of ours.
        """
        channel = self.channels.get(topic)
        if channel is None:
            return
        event_id, payload, name = message.unpack(packed)
        if name is not None:
            if channel.announce(name, event_id, payload):
                self.advance(event_id)
        elif channel.accept(event_id, payload):
            self.advance(event_id)
        elif event_id < channel.event_id:
            self.refused += 1

    def loaded(self, topic: bytes) -> None:
        """Note that a topic's stored value has been read, whether there is one or not.

        Clients that were told that it could not be read are told that there is none.
        """
        channel = self.channels.get(topic)
        if channel is None or channel.loaded.is_set():
            return
        channel.loaded.set()
        nothing = None if channel.frame is not None else _no_value(channel)
        if nothing is not None:
            for lane in channel.lanes.values():
                for client in lane.clients:
                    client.push(nothing)

    def advance(self, event_id: EventId) -> None:
        """Note the highest id seen, which is the cursor of ``ready`` and ``heartbeat``."""
        self.newest = max(self.newest, event_id)

    def announce_feed(self, frame: bytes) -> None:
        """Tell every client about the upstream, and those to come."""
        self.feed.frame = frame
        for client in self.clients:
            if client.lanes:
                client.send(self.feed, frame)

    def broadcast(self, frame: bytes) -> None:
        """Send bytes to every client that reads."""
        for client in self.clients:
            if client.lanes and client.stalled_since is None:
                client.push(frame)

    def _tell_change(self) -> None:
        for listener in self.on_change:
            listener()

    def _cadence(self, interval: float) -> Cadence:
        cadence = self._cadences.get(interval)
        if cadence is None:
            cadence = Cadence(interval, self._clock, self._loop.call_later)
            self._cadences[interval] = cadence
        return cadence


def _no_value(channel: Channel) -> bytes | None:
    """Return what a stream says of a topic without a value: of a price why, of others nothing."""
    if kind_of(channel.topic) != PRICE:
        return None
    known = channel.loaded.is_set()
    return events.no_price(channel.topic, "no_trade_seen" if known else "redis_unavailable")
