"""One topic of bars: ended ones are ordered events, running ones are values."""

from collections.abc import Sequence

import msgspec

from gateway.fanout.ordered_channel import OrderedChannel
from gateway.fanout.own_ids import OwnIds
from gateway.wire.event import Event
from shared.bar import RUNNING
from shared.event_id import EventId
from shared.message import Message

_RUNNING_KEPT = 2
"""Until a bar's final version arrives, about a second after its end, the next one is running."""


class _Start(msgspec.Struct):
    timestamp: str


_decode = msgspec.json.Decoder(_Start).decode


class BarEvent(Event):
    """A bar; ``start`` is its time, RFC 3339. A running one is not a position."""

    __slots__ = ("start",)

    def __init__(self, published: Message, kind: str, *, is_position: bool) -> None:
        """Read the start of a published bar.

        Raises:
            msgspec.DecodeError: it has none.
        """
        super().__init__(published.event_id, published.body, kind, is_position=is_position)
        self.start = _decode(published.body).timestamp


class BarChannel(OrderedChannel):
    """A topic of bars. ``running`` is the running bar that was received last.

    A newcomer starts with the newest ended bar and the running ones after it. A chart can append a
    bar and replace one that it has, but not insert one. So the last value of a running bar does not
    wait for its window once the next bar runs: its final version will be older than that.
    """

    __slots__ = ("_ended", "_unended", "running")

    def __init__(self, topic: str, own_ids: OwnIds | None = None) -> None:
        super().__init__(topic, own_ids)
        self.running: BarEvent | None = None
        self._unended: dict[str, BarEvent] = {}
        """The newest version of each running bar, by its start."""
        self._ended: BarEvent | None = None
        """The newest ended bar as a value, which moves no cursor."""

    def event_of(self, published: Message) -> Event:
        """Return the event of a published message or of an entry of the history.

        Raises:
            msgspec.DecodeError: it is a bar that has no start.
        """
        if published.event is None:
            return BarEvent(published, self.kind, is_position=True)
        if published.event == RUNNING:
            return BarEvent(published, self.kind, is_position=False)
        return super().event_of(published)

    def add(self, event: Event) -> bool:
        """Keep an event and send it, unless it is not newer; a running bar waits for its window."""
        if not isinstance(event, BarEvent):
            return super().add(event)
        if not event.is_position:
            return self._run(event)
        if event.event_id <= self.event_id:
            return False
        self._end(event)
        return super().add(event)

    def replace(self, event: Event) -> None:
        """Send an ordered event at once."""
        self.event_id = event.event_id
        self.event = event
        for lane in self.lanes:
            lane.announce(event)

    def restore(self, stored: Message) -> None:
        """Take over a stored bar. Only a running one is news to clients: an ended one is an event.

        Raises:
            msgspec.DecodeError: it has no start.
        """
        event = self.event_of(stored)
        if isinstance(event, BarEvent):
            if event.is_position:
                self._end(event)
            else:
                self._run(event)

    def snapshot(self) -> Sequence[Event]:
        """Return the newest ended bar, and the running bars after it."""
        return (*(() if self._ended is None else (self._ended,)), *self.values())

    def values(self) -> Sequence[Event]:
        """Return the running bars, oldest first: a client that resumes may lack them."""
        ended = "" if self._ended is None else self._ended.start
        return [bar for start, bar in sorted(self._unended.items()) if start > ended]

    def since(self, position: EventId) -> list[Event]:
        """Return the events after a position, and the running bars that are newer than it."""
        newer = [bar for bar in self.values() if bar.event_id > position]
        return self.missed(position) + newer

    def missed(self, cursor: EventId) -> list[Event]:
        """Return the ordered events after a client's cursor."""
        return super().since(cursor)

    def start_over(self) -> None:
        """Forget all bars and announce that: those to come have lower ids."""
        super().start_over()
        self.running = self._ended = None
        self._unended.clear()

    def _run(self, event: BarEvent) -> bool:
        known = self._unended.get(event.start)
        is_old = known is not None and event.event_id <= known.event_id
        # It has ended meanwhile: a stored value was read late.
        if is_old or (self._ended is not None and event.start <= self._ended.start):
            return False
        if self.running is not None and self.running.start != event.start:
            for lane in self.lanes:
                lane.flush()
        self._unended[event.start] = self.running = event
        if len(self._unended) > _RUNNING_KEPT:
            del self._unended[min(self._unended)]
        for lane in self.lanes:
            lane.offer()
        return True

    def _end(self, event: BarEvent) -> None:
        """Let an ended bar take the place of its running version, and perhaps be the newest."""
        self._unended.pop(event.start, None)
        if self.running is not None and self.running.start == event.start:
            self.running = None
        newest = self._ended
        if newest is None or (event.start, event.event_id) > (newest.start, newest.event_id):
            value = Message(event.event_id, event.payload)
            self._ended = BarEvent(value, self.kind, is_position=False)
