"""One topic of which every event matters, with the newest of them in memory."""

from collections import deque
from typing import ClassVar, NamedTuple

from gateway.fanout.channel import Channel
from gateway.wire import events, sse
from shared.bus import keys
from shared.event_id import NEVER, EventId
from shared.topics import kind_of


class Event(NamedTuple):
    """One event as it was published; ``name`` is None where the topic's kind names it."""

    event_id: EventId
    payload: bytes
    name: str | None = None


class OrderedChannel(Channel):
    """A topic with a history. Nothing of it is conflated; a loss is announced.

    What is published while the history is being read is held back, so that it comes after it.
    All events later than ``floor`` are in ``history``.
    """

    __slots__ = ("complete", "floor", "held", "history", "length")

    ordered: ClassVar[bool] = True

    def __init__(self, topic: str) -> None:
        super().__init__(topic)
        self.history: deque[tuple[EventId, bytes]] = deque()
        self.floor: EventId = NEVER
        self.complete = False
        """Whether ``history`` reaches back as far as Redis'."""
        self.held: list[Event] | None = []
        self.length = keys.HISTORY_LENGTHS[kind_of(topic)]

    def take(self, event_id: EventId, payload: bytes, name: str | None = None) -> bool:
        """Take an event that is later than all before it, or hold it back for the moment."""
        if self.held is not None:
            self.held.append(Event(event_id, payload, name))
            return True
        return self.add(Event(event_id, payload, name))

    def add(self, event: Event) -> bool:
        """Keep an event and send it, unless it is not later than all before it."""
        if event.event_id <= self.event_id:
            return False
        frame = self._frame_of(event)
        self.history.append((event.event_id, frame))
        while len(self.history) > self.length:
            self.floor = self.history.popleft()[0]
        self.replace(event.event_id, frame)
        return True

    def hold(self) -> None:
        """Hold back what comes from now on: something before it may be missing."""
        if self.held is None:
            self.held = []

    def release(self) -> list[Event]:
        """Return what was held back, and hold back no more."""
        held, self.held = self.held or [], None
        return held

    def begin(self, position: EventId) -> None:
        """Begin after a position: what was before it is nobody's who watches now."""
        self.event_id = self.floor = position
        for lane in self.lanes.values():
            lane.sent = max(lane.sent, position)

    def extend(self, earlier: list[Event], *, trimmed: bool) -> None:
        """Put what Redis has up to ``floor`` before it; ``trimmed``: Redis has had more once."""
        self.history.extendleft((e.event_id, self._frame_of(e)) for e in reversed(earlier))
        if not trimmed:
            self.floor = NEVER
        elif earlier:
            self.floor = before(earlier[0].event_id)
        self.complete = True

    def lose(self, first: Event | None) -> None:
        """Tell the clients that something is missing before ``first``, or before now."""
        gap = events.lost(self.topic, self.event_id, first.payload if first else None)
        for lane in self.lanes.values():
            lane.tell(gap)
        self.history.clear()
        self.floor = self.event_id if first is None else before(first.event_id)
        self.complete = True

    def snapshot(self) -> None:
        """Return nothing: a newcomer begins with what comes."""

    def since(self, position: EventId) -> list[tuple[EventId, bytes]]:
        """Return every event after a position, led by a ``gap`` where some are not here."""
        found = []
        for event in reversed(self.history):
            if event[0] <= position:
                break
            found.append(event)
        if position < self.floor:
            first = sse.data_of(self.history[0][1]) if self.history else None
            found.append((position, events.lost(self.topic, position, first)))
        return found[::-1]

    def packed(self) -> None:
        """Return nothing: a history is not given back to Redis."""

    def _frame_of(self, event: Event) -> bytes:
        return sse.event(event.name or kind_of(self.topic), event.payload, cursor=event.event_id)


def before(event_id: EventId) -> EventId:
    """Return the greatest id that is less, within the epoch."""
    return EventId(event_id.epoch, event_id.seq - 1)
