"""One topic of which every event matters, with the newest of them in memory."""

from collections import deque
from collections.abc import Sequence
from typing import ClassVar

from gateway.fanout.channel import Channel
from gateway.fanout.own_ids import OwnIds
from gateway.wire import events
from gateway.wire.event import Event
from shared.bus import keys
from shared.event_id import NEVER, EventId
from shared.gap import GAP
from shared.message import Message


class OrderedChannel(Channel):
    """A topic with a history. Nothing of it is conflated; a loss is announced.

    Events that arrive while the history is being read are buffered, so that they follow it.
    All events later than ``floor`` are in ``history``; None if it is unknown since when they are.
    ``origin`` is the floor that Redis' own data has: nothing was ever published before it, as far
    as Redis can know.
    """

    __slots__ = ("buffered", "complete", "floor", "history", "length", "origin", "own_ids")

    ordered: ClassVar[bool] = True

    def __init__(self, topic: str, own_ids: OwnIds | None = None) -> None:
        super().__init__(topic)
        self.own_ids = own_ids or OwnIds()
        self.history: deque[Event] = deque()
        self.floor: EventId | None = NEVER
        self.origin: EventId | None = None
        self.complete = False
        """Whether ``history`` reaches back as far as Redis'."""
        self.buffered: list[Event] | None = []
        """Events that wait for the history; None while events are passed on at once."""
        self.length = keys.HISTORY_LENGTHS[self.kind]

    def apply(self, event_id: EventId, payload: bytes, name: str | None = None) -> bool:
        """Apply an event that is later than all before it, or buffer it for the moment."""
        event = self.event_of(Message(event_id, payload, name))
        if self.buffered is not None:
            self.buffered.append(event)
            return True
        return self.add(event)

    def event_of(self, published: Message) -> Event:
        """Return the event of a published message or of an entry of the history."""
        name = published.event or self.kind
        return Event(published.event_id, published.body, name, is_position=True)

    def add(self, event: Event) -> bool:
        """Keep an event and send it, unless it is not later than all before it."""
        # Stored and live events overlap after each reading of the history.
        if event.event_id <= self.event_id:
            return False
        self.history.append(event)
        # As long as Redis' own history: a client that resumes here gets as much as it would there.
        while len(self.history) > self.length:
            self.floor = self.history.popleft().event_id
        self.replace(event)
        return True

    def buffer(self) -> None:
        """Buffer the events that come from now on: earlier ones may be missing."""
        if self.buffered is None:
            self.buffered = []

    def release(self) -> list[Event]:
        """Return the buffered events, and buffer no more."""
        buffered, self.buffered = self.buffered or [], None
        return buffered

    @property
    def joint(self) -> EventId:
        """The position up to which events can be put before those in memory."""
        if self.floor is not None:
            return self.floor
        return before(self.history[0].event_id) if self.history else self.event_id

    def lacks(self, position: EventId) -> bool:
        """Return whether events after a position may be missing in memory.

        0-0 is the position of a client that has never seen an event: it lacks none if everything
        since the origin is here.
        """
        if position == NEVER:
            return self.floor != self.origin
        if self.floor is None:
            return not self.history or position < self.joint
        return position < self.floor

    def begin(
        self, position: EventId, floor: EventId | None, *, origin: EventId | None = None
    ) -> None:
        """Start after a position: no client that watches now was promised the events before it."""
        self.event_id, self.floor, self.origin = position, floor, origin
        for lane in self.lanes:
            lane.skip_to(position)

    def extend(
        self, earlier: Sequence[Event], floor: EventId, *, origin: EventId | None = None
    ) -> None:
        """Put the events that Redis has up to ``joint`` before those in memory.

        ``floor``: Redis has every later event.
        """
        if floor <= self.joint:
            self.history.extendleft(reversed(earlier))
            self.floor = floor
        # Redis has lost events that are in memory, or has lost some before this gateway could see
        # that it has.
        elif self.floor is None:
            while self.history and self.history[0].event_id <= floor:
                self.history.popleft()
            self.floor = floor
        self.origin = origin
        # Redis gets no older events than these, so it need not be asked again.
        self.complete = True

    def lose(self, first: Event | None, floor: EventId) -> None:
        """Announce to the clients that events before ``first``, or before now, are lost.

        ``floor``: all later events are known.
        """
        gap = self._gap(self.event_id, first)
        for lane in self.lanes:
            lane.send(gap.frame)
        # The events in memory lie before the hole. A client that resumes there must be sent the
        # gap too, so they are forgotten and the floor moves up.
        self.history.clear()
        self.floor = floor
        self.complete = True

    def snapshot(self) -> Sequence[Event]:
        """Return nothing: a newcomer starts with live events."""
        return ()

    def since(self, position: EventId) -> list[Event]:
        """Return the events after a position, led by a ``gap`` if some are not here."""
        # The client saw events of an epoch that this Redis has never had, or has lost.
        if self.own_ids.is_beyond(position):
            return [self._gap(self.event_id, None)]
        found = []
        for event in reversed(self.history):
            if event.event_id <= position:
                break
            found.append(event)
        # The events in between have left memory. For a client that resumes, the history in Redis
        # was read before; one that did not read for a while is only sent the gap.
        if self.lacks(position):
            found.append(self._gap(position, self.history[0] if self.history else None))
        return found[::-1]

    def start_over(self) -> None:
        """Forget all events and announce that: those to come have lower ids."""
        super().start_over()
        self.history.clear()
        self.floor, self.origin = NEVER, None
        self.complete = False
        self.buffered = []

    def packed(self) -> None:
        """Return nothing: a history is not written back to Redis."""

    def _gap(self, position: EventId, first: Event | None) -> Event:
        payload = events.lost(self.topic, position, None if first is None else first.payload)
        return Event(position, payload, GAP)


def before(event_id: EventId) -> EventId:
    """Return the greatest id that is less, within the epoch."""
    return EventId(event_id.epoch, event_id.seq - 1)
