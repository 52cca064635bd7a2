"""Clients with the same topics and intervals: what is sent to one is sent to all."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from gateway.fanout.client import Client, Stall
from gateway.fanout.lane import Lane
from gateway.fanout.sink import STALL_BYTES, chunk_of
from shared.event_id import EventId

if TYPE_CHECKING:
    from gateway.fanout.channel import Channel

NOTHING: frozenset[bytes] = frozenset()


class Joining(NamedTuple):
    """What a client that joins is given first: bytes of its own, then what it has not got.

    ``positions``: up to where it has a channel; ``cursor``: up to where it has ordered channels
    otherwise; ``seen``: frames that it has all the same; ``ready``: whether it is told that it has
    everything.
    """

    greeting: bytes = b""
    positions: "Mapping[Channel, EventId] | None" = None
    cursor: EventId | None = None
    seen: frozenset[bytes] = NOTHING
    ready: bool = True


class Cohort:
    """Its clients are written the same bytes, joined once per flush.

    ``fresh`` are newcomers with the frames that they have and that the others will be sent when a
    window closes; until then a newcomer is written to alone. ``queue`` has the cohort flushed;
    ``ready`` gives the bytes that end a snapshot.
    """

    __slots__ = ("fresh", "joining", "lanes", "members", "pending", "queue", "ready", "size")

    def __init__(
        self,
        lanes: tuple[Lane, ...],
        queue: Callable[["Cohort"], None],
        ready: Callable[[], bytes],
    ) -> None:
        self.lanes = lanes
        self.pending: list[bytes] = []
        self.members: dict[Client, None] = {}
        self.fresh: dict[Client, frozenset[bytes]] = {}
        self.joining: dict[Client, Joining] = {}
        self.size = 0
        """How many clients belong to it, stalled ones included."""
        self.queue = queue
        self.ready = ready

    def offer(self, frame: bytes) -> None:
        """Queue bytes for all clients that read."""
        if not self.pending:
            self.queue(self)
        self.pending.append(frame)

    def join(self, client: Client, joining: Joining) -> None:
        """Take a client in at the coming flush: between two writes there is nothing half sent."""
        self.joining[client] = joining
        self.queue(self)

    def wake(self, client: Client) -> None:
        """Take a client in again that reads again."""
        stall, client.stall = client.stall, None
        if stall is not None:
            self.join(client, Joining(positions=stall.positions, seen=stall.seen, ready=False))

    def remove(self, client: Client) -> None:
        """Forget a client, wherever it stands."""
        self.members.pop(client, None)
        self.fresh.pop(client, None)
        self.joining.pop(client, None)

    def unsent(self, client: Client) -> list[bytes]:
        """Return what waits to be written to a client."""
        if client in self.members:
            return self.pending
        if client in self.fresh:
            return _without(self.pending, self.fresh[client])
        return [self.joining[client].greeting] if client in self.joining else []

    @property
    def channels(self) -> "list[Channel]":
        """The channels of its topics; the last lane is the feed's."""
        return [lane.channel for lane in self.lanes[:-1]]

    def hand_over(self, client: Client) -> Joining:
        """Return how a client that reads joins another cohort, after what waits for it here."""
        if client in self.joining:
            return self.joining[client]
        client.write(b"".join(self.unsent(client)))
        return Joining(positions=self.positions(), seen=self.fresh.get(client, NOTHING))

    def positions(self) -> "dict[Channel, EventId]":
        """Return up to where a client has each channel that has been written everything."""
        return {lane.channel: lane.sent for lane in self.lanes}

    def flush(self, now: float) -> list[Client]:
        """Write what waits, take in who joins, and return who does not read."""
        stalled: list[Client] = []
        if self.pending:
            pending, self.pending = self.pending, []
            data = pending[0] if len(pending) == 1 else b"".join(pending)
            chunk = chunk_of(data)
            for client in self.members:
                sink = client.sink
                sink.write(data, chunk)
                if sink.buffered() > STALL_BYTES:
                    stalled.append(client)
            for client in stalled:
                self._stall(client, now, NOTHING)
            if self.fresh:
                stalled += self._write_fresh(pending, now)
        if self.joining:
            stalled += self._admit(now)
        return stalled

    def _write_fresh(self, pending: list[bytes], now: float) -> list[Client]:
        stalled = []
        due = self._due_frames()
        for client, seen in list(self.fresh.items()):
            client.write(b"".join(_without(pending, seen)))
            if client.sink.buffered() > STALL_BYTES:
                self._stall(client, now, seen)
                stalled.append(client)
            elif seen.isdisjoint(due):
                del self.fresh[client]
                self.members[client] = None
        return stalled

    def _admit(self, now: float) -> list[Client]:
        joining, self.joining = self.joining, {}
        seen = self._due_frames()
        ready = self.ready()
        snapshot: bytes | None = None
        stalled = []
        for client, entry in joining.items():
            if entry.positions is None and entry.cursor is None:
                if snapshot is None:
                    snapshot = b"".join(self._values())
                news = snapshot
            else:
                news = b"".join(_without(self._news(entry), entry.seen))
            client.write(entry.greeting + news + (ready if entry.ready else b""))
            if client.sink.buffered() > STALL_BYTES:
                self._stall(client, now, seen | entry.seen)
                stalled.append(client)
            elif seen:
                self.fresh[client] = seen | entry.seen
            else:
                self.members[client] = None
        return stalled

    def _due_frames(self) -> frozenset[bytes]:
        return frozenset(frame for lane in self.lanes if lane.due for frame in lane.waiting())

    def _values(self) -> Iterable[bytes]:
        values = (lane.channel.snapshot() for lane in self.lanes)
        return (value for value in values if value is not None)

    def _news(self, entry: Joining) -> list[bytes]:
        values: list[bytes] = []
        news: list[tuple[EventId, bytes]] = []
        positions = entry.positions or {}
        for lane in self.lanes:
            channel = lane.channel
            position = positions.get(channel, entry.cursor if channel.ordered else None)
            if position is not None:
                news += channel.since(position)
            elif (value := channel.snapshot()) is not None:
                values.append(value)
        news.sort(key=lambda event: event[0])
        return values + [frame for _, frame in news]

    def _stall(self, client: Client, now: float, seen: frozenset[bytes]) -> None:
        self.remove(client)
        client.stall = Stall(now, self.positions(), seen)


def _without(frames: list[bytes], seen: frozenset[bytes]) -> list[bytes]:
    return [frame for frame in frames if frame not in seen] if seen else frames
