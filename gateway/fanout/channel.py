"""One topic in the hub: its newest frame, and who wants it how often."""

import asyncio
from typing import ClassVar

from gateway.fanout.lane import Lane
from gateway.wire import events, sse
from shared import message, topics
from shared.event_id import NEVER, EventId
from shared.topics import kind_of


class Channel:
    """A topic of which the newest value matters; a newcomer gets it from here, not from Redis."""

    __slots__ = (
        "event_id",
        "frame",
        "head",
        "idle_since",
        "lanes",
        "loaded",
        "named",
        "topic",
        "watchers",
    )

    ordered: ClassVar[bool] = False
    """Whether every event matters, so that none is conflated and a client may resume."""

    lane_type: ClassVar[type[Lane]] = Lane
    """What conflates it."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.head = sse.head_of(kind_of(topic))
        self.event_id: EventId = NEVER
        self.frame: bytes | None = None
        self.lanes: dict[float, Lane] = {}
        self.named: dict[str, tuple[EventId, bytes]] = {}
        self.watchers = 0
        self.idle_since = 0.0
        self.loaded = asyncio.Event()

    def take(self, event_id: EventId, payload: bytes, name: str | None = None) -> bool:
        """Take what was published, unless something newer, or this very event, is here already.

        An event with a name, such as ``gap``, is no value: it goes at once, and after what was
        before it.
        """
        if name is not None:
            return self._announce(name, event_id, payload)
        if event_id <= self.event_id:
            return False
        self.replace(event_id, b"%b%b\n\n" % (self.head, payload))
        return True

    def replace(self, event_id: EventId, frame: bytes) -> None:
        """Put a newer frame in the place of the last one."""
        self.event_id = event_id
        self.frame = frame
        for lane in self.lanes.values():
            lane.offer()

    def snapshot(self) -> bytes | None:
        """Return what a newcomer is given; None where there is nothing to say."""
        return self.no_value() if self.frame is None else self.frame

    def since(self, position: EventId) -> list[tuple[EventId, bytes]]:
        """Return what a client must be given that has everything up to a position."""
        news = [event for event in self.named.values() if event[0] > position]
        if self.frame is not None and self.event_id > position:
            news.append((self.event_id, self.frame))
        return news

    def packed(self) -> bytes | None:
        """Return the newest value as it was published; None before the first."""
        if self.frame is None:
            return None
        return message.pack(self.event_id, self.frame[len(self.head) : -len(b"\n\n")])

    def no_value(self) -> bytes | None:
        """Return what is said where there is no value: of price and account why, else nothing."""
        known = self.loaded.is_set()
        match kind_of(self.topic):
            case topics.PRICE:
                return events.no_price(
                    self.topic, "no_trade_seen" if known else "redis_unavailable"
                )
            case topics.ACCOUNT:
                return events.no_account(events.NOT_REPORTED if known else events.NOT_READ)
        return None

    def _announce(self, name: str, event_id: EventId, payload: bytes) -> bool:
        if event_id <= self.named.get(name, (NEVER,))[0]:
            return False
        frame = sse.event(name, payload)
        self.named[name] = (event_id, frame)
        for lane in self.lanes.values():
            lane.announce(event_id, frame)
        return True
