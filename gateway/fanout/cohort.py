"""Streams, and the cohorts of those that are sent the same bytes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from gateway.fanout.channel import Channel
from gateway.fanout.lane import Lane
from gateway.fanout.own_ids import VOID
from gateway.fanout.sink import STALL_BYTES, Sink
from gateway.wire.event import Encoder, Event
from gateway.wire.events import EndReason
from shared.event_id import EventId

NO_FRAMES: frozenset[bytes] = frozenset()


class Joining(NamedTuple):
    """The client waits for the next flush, which writes the bytes that it still lacks.

    ``greeting``: bytes for it alone, which go first; ``positions``: up to where it has a channel;
    ``cursor``: up to where it has the ordered channels not in ``positions``; ``seen``: later
    frames that it has too; ``ready``: whether the end of the snapshot is announced.
    """

    greeting: bytes = b""
    positions: Mapping[Channel, EventId] | None = None
    cursor: EventId | None = None
    seen: frozenset[bytes] = NO_FRAMES
    ready: bool = True


class Fresh(NamedTuple):
    """The client is written to alone: its snapshot held frames that the members still await.

    ``seen`` are these frames. They leave for the members when a window closes.
    """

    seen: frozenset[bytes]


class Member(NamedTuple):
    """The client is sent exactly what every other member is sent."""


class Stalled(NamedTuple):
    """The client does not read, and nothing is kept for it but how far it has got.

    ``since``: when it stopped, in the loop's time; ``positions``: up to where it has each channel;
    ``seen``: later frames that it has too.
    """

    since: float
    positions: Mapping[Channel, EventId]
    seen: frozenset[bytes]


Place = Joining | Fresh | Member | Stalled
"""Where a client stands in its cohort: Joining → (Fresh →) Member → Stalled → Joining."""

MEMBER = Member()


class Client:
    """A stream. It has no task and no queue: the frames that it is sent are its cohort's.

    ``encoder`` is its protocol, ``principal`` the name of the principal that may change it.
    ``on_end`` gives its place in the gateway back; it gets the reason of the end.
    """

    __slots__ = (
        "_leave_listeners",
        "cohort",
        "encoder",
        "left",
        "on_end",
        "place",
        "principal",
        "sink",
        "stream_id",
    )

    def __init__(
        self,
        stream_id: str,
        sink: Sink,
        encoder: Encoder,
        principal: str,
        on_end: Callable[[EndReason], None],
    ) -> None:
        self.stream_id = stream_id
        self.sink = sink
        self.encoder = encoder
        self.principal = principal
        self.on_end = on_end
        # The hub sets both when the stream has got its topics; until then it only has a greeting.
        self.cohort: Cohort | None = None
        self.place: Place | None = None
        """None until it joins a cohort."""
        self.left = False
        self._leave_listeners: list[Callable[[], None]] | None = None

    def write(self, data: bytes) -> None:
        """Send bytes that belong to this stream alone, if there are any."""
        if data:
            self.sink.write(data, self.encoder.packet(data))

    @contextmanager
    def on_leave(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call a listener if the stream ends within the context; there may be several."""
        # Made on demand: ten thousand streams wait for nothing most of the time.
        listeners = self._leave_listeners = self._leave_listeners or []
        listeners.append(listener)
        try:
            yield
        finally:
            listeners.remove(listener)

    def note_left(self) -> None:
        """Note that the stream has ended, and call the listeners."""
        self.left = True
        for listener in self._leave_listeners or ():
            listener()


class Cohort:
    """Clients with the same topics, intervals and protocol: one sequence of bytes for all.

    The last of ``lanes`` is the feed's. ``queue`` asks for a flush of the cohort; ``ready`` gives
    the bytes that end a snapshot.
    """

    __slots__ = (
        "_encoder",
        "_queue",
        "_ready",
        "fresh",
        "joining",
        "lanes",
        "members",
        "pending",
        "stalled",
    )

    def __init__(
        self,
        lanes: tuple[Lane, ...],
        encoder: Encoder,
        queue: Callable[["Cohort"], None],
        ready: Callable[[], bytes],
    ) -> None:
        self.lanes = lanes
        self.pending: list[bytes] = []
        # One index for each place, so that a flush iterates over the members alone.
        self.joining: dict[Client, None] = {}
        self.fresh: dict[Client, None] = {}
        self.members: dict[Client, None] = {}
        self.stalled: dict[Client, None] = {}
        self._encoder = encoder
        self._queue = queue
        self._ready = ready

    @property
    def is_empty(self) -> bool:
        """Whether no client belongs to it."""
        return not (self.members or self.joining or self.fresh or self.stalled)

    @property
    def intervals(self) -> dict[str, float]:
        """The topics of its clients, each with its interval in seconds."""
        return {lane.channel.topic: lane.interval for lane in self.lanes[:-1]}

    @property
    def channels(self) -> list[Channel]:
        """The channels of its clients' topics."""
        return [lane.channel for lane in self.lanes[:-1]]

    def queue(self) -> None:
        """Ask for a flush."""
        self._queue(self)

    def add(self, client: Client, place: Joining | Stalled) -> None:
        """Add a client; one that joins is admitted at the coming flush."""
        # Between two flushes nothing is half sent, so the snapshot and the live events that follow
        # it neither overlap nor leave a hole.
        client.cohort = self
        self._move(client, place)
        if isinstance(place, Joining):
            self._queue(self)

    def remove(self, client: Client) -> None:
        """Forget a client, wherever it stands."""
        self._index(client.place).pop(client, None)
        client.cohort = client.place = None

    def wake(self, client: Client) -> None:
        """Admit a stalled client again: it reads."""
        stalled = client.place
        if isinstance(stalled, Stalled):
            self.add(client, Joining(positions=stalled.positions, seen=stalled.seen, ready=False))

    def hand_over(self, client: Client) -> Joining | Stalled:
        """Write the frames that wait for a client, remove it, and return how it joins another."""
        place = client.place
        joining: Joining | Stalled
        if isinstance(place, Joining | Stalled):
            joining = place  # it was written nothing here, or has only its positions
        else:
            client.write(b"".join(self.unsent(client)))
            seen = place.seen if isinstance(place, Fresh) else NO_FRAMES
            joining = Joining(positions=self.positions(), seen=seen)
        self.remove(client)
        return joining

    def start_over(self) -> None:
        """Forget up to where the clients have the channels: all these positions are void.

        In an ordered channel the client lacks events that are forgotten now.
        """
        for client in [*self.joining, *self.stalled]:
            place = client.place
            if isinstance(place, Joining | Stalled) and place.positions is not None:
                void = {each: VOID for each in place.positions if each.ordered}
                self._move(client, place._replace(positions=void, seen=NO_FRAMES))

    def unsent(self, client: Client) -> list[bytes]:
        """Return the frames that wait to be written to a client."""
        match client.place:
            case Member():
                return self.pending
            case Fresh(seen):
                return _without(self.pending, seen)
            case Joining(greeting=greeting):
                return [greeting]
        return []

    def positions(self) -> dict[Channel, EventId]:
        """Return up to where a client has each channel if nothing waits for it."""
        return {lane.channel: lane.sent for lane in self.lanes}

    def flush(self, now: float) -> list[Client]:
        """Write the pending frames, admit the joining clients; return those that do not read."""
        stalled: list[Client] = []
        if self.pending:
            pending, self.pending = self.pending, []
            # Joined and packed once for the cohort. A write costs about 8 µs, most of it the
            # kernel's, which is why events share one.
            data = pending[0] if len(pending) == 1 else b"".join(pending)
            packet = self._encoder.packet(data)
            for client in self.members:
                sink = client.sink
                sink.write(data, packet)
                if sink.buffered() > STALL_BYTES:
                    stalled.append(client)
            # After the loop, which must not change the dictionary that it iterates over.
            for client in stalled:
                self._stall(client, now, NO_FRAMES)
            if self.fresh:
                stalled += self._write_fresh(pending, now)
        # Last: the snapshot of a joining client holds the frames that were just written.
        if self.joining:
            stalled += self._admit(now)
        return stalled

    def _write_fresh(self, pending: list[bytes], now: float) -> list[Client]:
        stalled = []
        due = self._due_frames()
        for client in list(self.fresh):
            seen = client.place.seen if isinstance(client.place, Fresh) else NO_FRAMES
            client.write(b"".join(_without(pending, seen)))
            if client.sink.buffered() > STALL_BYTES:
                self._stall(client, now, seen)
                stalled.append(client)
            # Once no frame that it has is still to be sent, it differs from no member.
            elif seen.isdisjoint(due):
                self._move(client, MEMBER)
        return stalled

    def _admit(self, now: float) -> list[Client]:
        # A snapshot holds the values that wait for their windows to close. Sent again with the
        # members' frames, they would arrive twice.
        due = self._due_frames()
        ready = self._ready()
        snapshot: bytes | None = None
        stalled = []
        for client in list(self.joining):
            entry = client.place
            if not isinstance(entry, Joining):
                continue
            if entry.positions is None and entry.cursor is None:
                # Made once for all newcomers: after a gateway's loss thousands come at once.
                if snapshot is None:
                    snapshot = b"".join(self._values())
                news = snapshot
            else:
                news = b"".join(_without(self._news(entry), entry.seen))
            client.write(entry.greeting + news + (ready if entry.ready else b""))
            seen = due | entry.seen
            if client.sink.buffered() > STALL_BYTES:
                self._stall(client, now, seen)
                stalled.append(client)
            else:
                self._move(client, Fresh(seen) if due else MEMBER)
        return stalled

    def _due_frames(self) -> frozenset[bytes]:
        return frozenset(frame for lane in self.lanes if lane.due for frame in lane.waiting())

    def _values(self) -> Iterable[bytes]:
        events = [event for lane in self.lanes for event in lane.channel.snapshot()]
        return [event.frame(self._encoder) for event in events]

    def _news(self, entry: Joining) -> list[bytes]:
        """Return the values of channels that are new to a client, then the events it has missed."""
        values: list[Event] = []
        news: list[Event] = []
        running: list[Event] = []
        positions = entry.positions or {}
        for lane in self.lanes:
            channel = lane.channel
            position = positions.get(channel)
            if position is not None:
                news += channel.since(position)
            # The cursor is a position among ordered events only. A merge topic has no history, so
            # its newest value is all that a returning client can lack.
            elif entry.cursor is None or not channel.ordered:
                values += channel.snapshot()
            else:
                news += channel.missed(entry.cursor)
                running += channel.values()
        # Ordered events leave in the order of their ids over all topics of the stream. A running
        # bar follows the bars before it, which a chart could not insert.
        news.sort(key=lambda event: event.event_id)
        return [event.frame(self._encoder) for event in values + news + running]

    def _stall(self, client: Client, now: float, seen: frozenset[bytes]) -> None:
        self._move(client, Stalled(now, self.positions(), seen))

    def _move(self, client: Client, place: Place) -> None:
        """Put a client into a place, and out of the one before."""
        if client.place is not None:
            self._index(client.place).pop(client, None)
        client.place = place
        self._index(place)[client] = None

    def _index(self, place: Place | None) -> dict[Client, None]:
        """Return the clients that stand in such a place."""
        match place:
            case Joining():
                return self.joining
            case Fresh():
                return self.fresh
            case Stalled():
                return self.stalled
        return self.members


def _without(frames: list[bytes], seen: frozenset[bytes]) -> list[bytes]:
    return [frame for frame in frames if frame not in seen] if seen else frames
