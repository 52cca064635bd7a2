"""One topic in the hub: its newest frame, and its clients by how often they want it."""

import asyncio
from collections.abc import Callable

from gateway import sse
from gateway.fanout.client import Client
from shared import message
from shared.event_id import NEVER, EventId
from shared.topics import kind_of


class Channel:
    """A topic that somebody watches, with the last frame so that a newcomer needs no Redis."""

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

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.head = sse.head_of(kind_of(topic))
        self.event_id: EventId = NEVER
        self.frame: bytes | None = None
        self.lanes: dict[float, Lane] = {}
        self.named: dict[str, NamedEvent] = {}
        self.watchers = 0
        self.idle_since = 0.0
        self.loaded = asyncio.Event()

    def accept(self, event_id: EventId, payload: bytes) -> bool:
        """Take a published value unless a newer one, or this very one, is here already."""
        if event_id <= self.event_id:
            return False
        self.event_id = event_id
        self.frame = b"%b%b\n\n" % (self.head, payload)
        for lane in self.lanes.values():
            lane.offer()
        return True

    def packed(self) -> bytes | None:
        """Return the newest value as it was published; None before the first."""
        if self.frame is None:
            return None
        return message.pack(self.event_id, self.frame[len(self.head) : -len(b"\n\n")])

    def announce(self, name: str, event_id: EventId, payload: bytes) -> bool:
        """Send an event that is no value, such as ``gap``: at once, and after what was before it.

        A client that does not read keeps the newest of each name, as it keeps the newest value.
        """
        event = self.named.setdefault(name, NamedEvent())
        if event_id <= event.event_id:
            return False
        event.event_id = event_id
        event.frame = sse.event(name, payload)
        for lane in self.lanes.values():
            lane.announce(event)
        return True


class NamedEvent:
    """The newest event of one name on a channel."""

    __slots__ = ("event_id", "frame")

    def __init__(self) -> None:
        self.event_id: EventId = NEVER
        self.frame: bytes | None = None


class Lane:
    """The clients of one channel that want the same interval, and therefore the same frames.

    Windows are aligned to the clock, so conflation happens once for all of them: the first value
    of a window goes at once, the last one when the window closes.
    """

    __slots__ = ("_cadence", "_due", "_joined", "_window", "channel", "clients")

    def __init__(self, channel: Channel, cadence: "Cadence") -> None:
        self.channel = channel
        self.clients: dict[Client, None] = {}
        self._cadence = cadence
        self._window = -1
        self._due = False
        self._joined: dict[Client, EventId] = {}

    def add(self, client: Client) -> None:
        """Add a client that has just been given the channel's frame."""
        self.clients[client] = None
        self.given(client)

    def given(self, client: Client) -> None:
        """Note that a client has the channel's newest frame before its window has closed."""
        if self._due:
            self._joined[client] = self.channel.event_id

    def remove(self, client: Client) -> None:
        """Remove a client; the last one takes the lane with it."""
        self.clients.pop(client, None)
        self._joined.pop(client, None)
        if not self.clients:
            self.channel.lanes.pop(self._cadence.interval, None)

    def offer(self) -> None:
        """Send the channel's new frame, or leave it to the end of the window."""
        window = self._cadence.window()
        # One ahead of the clock is the window too: its predecessor's timer fired a fraction early.
        if window not in (self._window, self._window - 1):
            self._window = window
            self._send()
        elif not self._due:
            self._due = True
            self._cadence.remind(self, self._window)

    def close_window(self, next_window: int) -> None:
        """Send the newest frame of the window that has just ended."""
        if not self._due:
            return
        if self._window < next_window:
            self._window = next_window
            self._send()
        else:  # the timer was late: what waits is already of the window that has begun
            self._cadence.remind(self, self._window)

    def announce(self, event: NamedEvent) -> None:
        """Send the frame that waits for the end of the window, if one does, then the event."""
        if self._due:
            self._send()
        for client in self.clients:
            if event.frame is not None:
                client.send(event, event.frame)

    def _send(self) -> None:
        self._due = False
        joined, self._joined = self._joined, {}
        frame = self.channel.frame
        if frame is None:
            return
        for client in self.clients:
            if joined and joined.get(client) == self.channel.event_id:
                continue
            client.send(self.channel, frame, self)


class Cadence:
    """The windows of one interval, in seconds; 0 means that every value is a window of its own."""

    def __init__(
        self,
        interval: float,
        clock: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self.interval = interval
        self._clock = clock
        self._call_later = call_later
        self._due: list[Lane] = []
        self._next_window = 0
        self._count = 0

    def window(self) -> int:
        """Return the number of the current window."""
        if not self.interval:
            self._count += 1
            return self._count
        return int(self._clock() / self.interval)

    def remind(self, lane: Lane, window: int) -> None:
        """Have the lane close its window when it ends."""
        if not self._due:
            self._next_window = window + 1
            wait = self._next_window * self.interval - self._clock()
            self._call_later(wait, self._close_windows)
        self._due.append(lane)

    def _close_windows(self) -> None:
        due, self._due = self._due, []
        # A timer may fire a fraction early; the window that it was set for has ended all the same.
        next_window = max(self._next_window, self.window())
        for lane in due:
            lane.close_window(next_window)
