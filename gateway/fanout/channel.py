"""One topic in the hub: its newest event, and the lanes that pass it on."""

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from gateway.wire import events
from gateway.wire.event import Encoder, Event
from shared import message
from shared.event_id import NEVER, EventId
from shared.gap import GAP
from shared.topics import ACCOUNT, PRICE


class Outlet(Protocol):
    """A lane, as its channel sees it."""

    def offer(self) -> None:
        """Pass the channel's new value on, now or when the window closes."""

    def flush(self) -> None:
        """Pass the value that waits on now."""

    def announce(self, event: Event) -> None:
        """Pass on an event that is not a value, after the value that waits."""

    def start_over(self) -> None:
        """Drop the value that waits, and pass on values with lower ids than before."""

    def send(self, frame_of: Callable[[Encoder], bytes]) -> None:
        """Pass on a message that the channel does not keep."""

    def skip_to(self, position: EventId) -> None:
        """Treat events up to a position as sent."""


class Channel:
    """A topic whose newest value matters; a newcomer gets it from here, not from Redis."""

    __slots__ = (
        "event",
        "event_id",
        "idle_since",
        "key",
        "kind",
        "lanes",
        "loaded",
        "named",
        "topic",
        "watchers",
    )

    ordered: ClassVar[bool] = False
    """Whether every event matters, so that none is conflated and a client may resume."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.kind, _, self.key = topic.partition(":")
        self.event_id: EventId = NEVER
        """The id of the newest event, or the position that the channel starts after."""
        self.event: Event | None = None
        self.lanes: dict[Outlet, None] = {}
        # Compared among themselves only: a gap may carry an older id than the newest value.
        self.named: dict[str, Event] = {}
        """The newest event of each name that is not a value, such as ``gap``."""
        self.watchers = 0
        self.idle_since = 0.0
        self.loaded = asyncio.Event()
        """Set once the stored value has been read from Redis."""

    def apply(self, event_id: EventId, payload: bytes, name: str | None = None) -> bool:
        """Apply a published event; return False if this one or a newer one is here already.

        An event with a name, such as ``gap``, is not a value. It leaves at once, after the values
        that were published before it.
        """
        if name is not None:
            return self._announce(Event(event_id, payload, name))
        # The subscription starts before the stored value is read, so either may arrive first, and
        # the same event may arrive twice. The newer id wins.
        if event_id <= self.event_id:
            return False
        self.replace(Event(event_id, payload, self.kind))
        return True

    def replace(self, event: Event) -> None:
        """Replace the newest event."""
        self.event_id = event.event_id
        self.event = event
        for lane in self.lanes:
            lane.offer()

    def start_over(self) -> None:
        """Forget all events and announce that: those to come have lower ids."""
        gap = Event(self.event_id, events.started_over(self.topic, self.event_id), GAP)
        self.event_id, self.event = NEVER, None
        self.named.clear()
        self.loaded.clear()
        for lane in self.lanes:
            lane.start_over()
            lane.send(gap.frame)

    def snapshot(self) -> Sequence[Event]:
        """Return the events that a newcomer starts with."""
        event = self.no_value() if self.event is None else self.event
        return () if event is None else (event,)

    def missed(self, cursor: EventId) -> list[Event]:
        """Return the ordered events after a client's cursor."""
        return self.since(cursor)

    def values(self) -> Sequence[Event]:
        """Return the values that follow them: a cursor is no position among values."""
        return ()

    def since(self, position: EventId) -> list[Event]:
        """Return the events that a client lacks if it has everything up to a position."""
        # For a client that did not read for a while: one value at most, however many it missed.
        found = [event for event in self.named.values() if event.event_id > position]
        if self.event is not None and self.event_id > position:
            found.append(self.event)
        return found

    def packed(self) -> bytes | None:
        """Return the newest value as it was published; None before the first."""
        # For a Redis that has lost its data: the value must be byte for byte the ingest's.
        event = self.event
        return None if event is None else message.pack(event.event_id, event.payload)

    def no_value(self) -> Event | None:
        """Return the event that states why there is no value; None if the kind has no such event.

        A client must be able to distinguish a symbol without trades from an unreachable Redis.
        """
        known = self.loaded.is_set()
        if self.kind == PRICE:
            reason: events.NoPriceReason = "no_trade_seen" if known else "redis_unavailable"
            return Event(NEVER, events.no_price(self.key, reason), PRICE)
        if self.kind == ACCOUNT:
            words = events.NOT_REPORTED if known else events.NOT_READ
            return Event(NEVER, events.no_account(words), ACCOUNT)
        return None

    def _announce(self, event: Event) -> bool:
        last = self.named.get(event.name)
        if last is not None and event.event_id <= last.event_id:
            return False
        # Kept for clients that do not read at present: they get it when they wake.
        self.named[event.name] = event
        for lane in self.lanes:
            lane.announce(event)
        return True
