"""One topic at one interval in one protocol: the same frames at the same moments."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from gateway.fanout.bar_channel import BarChannel
from gateway.fanout.cadence import Cadence
from gateway.fanout.channel import Channel
from gateway.fanout.table_channel import TableChannel
from gateway.wire.event import Encoder, Event
from shared.event_id import NEVER, EventId


class Receiver(Protocol):
    """A cohort, as its lanes see it."""

    pending: list[bytes]
    """The frames that wait for the next flush."""

    def queue(self) -> None:
        """Ask for a flush."""


class Lane:
    """The cohorts that watch a channel at one interval in one protocol.

    Conflation happens once for all of them: the first value of a window leaves at once, the last
    one when the window closes. ``sent`` is the id of the newest event that has left.
    """

    __slots__ = ("_cadence", "_window", "channel", "cohorts", "due", "encoder", "sent")

    def __init__(self, channel: Channel, cadence: Cadence, encoder: Encoder) -> None:
        self.channel = channel
        self.encoder = encoder
        self.cohorts: dict[Receiver, None] = {}
        self.due = False
        """Whether a value waits for the window to close."""
        # A lane starts when its first cohort does, whose snapshot holds everything up to here.
        self.sent: EventId = channel.event_id
        self._cadence = cadence
        self._window = -1
        channel.lanes[self] = None

    @property
    def interval(self) -> float:
        """Seconds between two values; 0 for every event."""
        return self._cadence.interval

    def attach(self, cohort: Receiver) -> None:
        """Send to a cohort from now on."""
        self.cohorts[cohort] = None

    def detach(self, cohort: Receiver) -> None:
        """Send to a cohort no more; after the last one the channel forgets the lane."""
        del self.cohorts[cohort]
        if not self.cohorts:
            del self.channel.lanes[self]

    def offer(self) -> None:
        """Send the channel's new value, or leave it to the end of the window."""
        window = self._cadence.window()
        # One ahead of the clock is the window too: its predecessor's timer fired a fraction early.
        if window not in (self._window, self._window - 1):
            self._window = window
            self._send_value()
        elif not self.due:
            self.due = True
            self._cadence.remind(self.close_window, self._window)

    def close_window(self, next_window: int) -> None:
        """Send the newest value of the window that has just ended."""
        # An event that is not a value has taken the waiting value with it.
        if not self.due:
            return
        if self._window < next_window:
            self._window = next_window
            self._send_value()
        else:  # the timer was late: the waiting value belongs to the window that has started
            self._cadence.remind(self.close_window, self._window)

    def flush(self) -> None:
        """Send the value that waits for the end of the window, if one does."""
        if self.due:
            self._send_value()

    def announce(self, event: Event) -> None:
        """Send the value that waits for the end of the window, if one does, then an event."""
        # A gap must not overtake the value that was published before it.
        self.flush()
        self.sent = max(self.sent, event.event_id)
        self.send(event.frame)

    def send(self, frame_of: Callable[[Encoder], bytes]) -> None:
        """Send a message that is not a value."""
        frame = frame_of(self.encoder)
        # The protocol may have no such message. An empty frame would still cause an empty write.
        if not frame:
            return
        for cohort in self.cohorts:
            if not cohort.pending:
                cohort.queue()
            cohort.pending.append(frame)

    def skip_to(self, position: EventId) -> None:
        """Treat events up to a position as sent."""
        self.sent = max(self.sent, position)

    def start_over(self) -> None:
        """Drop the value that waits, and send values with lower ids than before."""
        self.due = False
        self.sent = NEVER

    def waiting(self) -> list[bytes]:
        """Return the frames that leave when the window closes, if a value is due."""
        event = self.channel.event
        return [] if event is None else [event.frame(self.encoder)]

    def _send_value(self) -> None:
        self.due = False
        event = self.channel.event
        if event is None:
            return
        if event.event_id > self.sent:
            self.sent = event.event_id
        frame = event.frame(self.encoder)
        if not frame:
            return
        # The same loop as in ``send``: a call fewer for each event and lane; see bench/fanout.
        for cohort in self.cohorts:
            pending = cohort.pending
            if not pending:
                cohort.queue()
            pending.append(frame)


class TableLane(Lane):
    """The same for a table: when the window closes, every row that has changed in it leaves.

    ``sent`` is the newest change of the table that has left.
    """

    __slots__ = ()

    def start_over(self) -> None:
        """Send what waits all the same: changes are counted by the table, not by ids."""

    def waiting(self) -> list[bytes]:
        """Return every row that has changed since the last ones left, in its newest form."""
        return [event.frame(self.encoder) for event in self.channel.since(self.sent)]

    def _send_value(self) -> None:
        self.due = False
        rows = self.channel.since(self.sent)
        self.sent = self.channel.event_id
        for row in rows:
            self.send(row.frame)


class BarLane(Lane):
    """The same for bars: a running bar waits for the window to close, an ended one does not."""

    __slots__ = ()

    channel: BarChannel

    def waiting(self) -> list[bytes]:
        """Return the frame of the running bar."""
        event = self.channel.running
        return [] if event is None else [event.frame(self.encoder)]

    def _send_value(self) -> None:
        self.due = False
        event = self.channel.running
        # If it has ended meanwhile, its final version was sent.
        if event is not None:
            self.sent = max(self.sent, event.event_id)
            self.send(event.frame)


class Lanes:
    """The lanes in use. Cohorts that watch a channel alike share one.

    ``clock`` gives unix seconds; ``call_later`` calls a function after a number of seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self._clock = clock
        self._call_later = call_later
        self._cadences: dict[float, Cadence] = {}
        self._lanes: dict[tuple[Channel, float, Encoder], Lane] = {}

    def of(self, watched: Mapping[Channel, float], encoder: Encoder) -> tuple[Lane, ...]:
        """Return the lanes of channels, each at its interval in seconds, in one protocol."""
        return tuple(self._lane(channel, watched[channel], encoder) for channel in watched)

    def detach(self, lanes: Iterable[Lane], cohort: Receiver) -> None:
        """Send to a cohort no more, and drop the lanes that have no other."""
        for lane in lanes:
            lane.detach(cohort)
            if not lane.cohorts:
                del self._lanes[lane.channel, lane.interval, lane.encoder]

    def _lane(self, channel: Channel, interval: float, encoder: Encoder) -> Lane:
        lane = self._lanes.get((channel, interval, encoder))
        if lane is None:
            # Shared by all topics: one timer closes the windows of an interval.
            cadence = self._cadences.get(interval)
            if cadence is None:
                cadence = Cadence(interval, self._clock, self._call_later)
                self._cadences[interval] = cadence
            lane = _lane_of(channel, cadence, encoder)
            self._lanes[channel, interval, encoder] = lane
        return lane


def _lane_of(channel: Channel, cadence: Cadence, encoder: Encoder) -> Lane:
    if isinstance(channel, TableChannel):
        return TableLane(channel, cadence, encoder)
    if isinstance(channel, BarChannel):
        return BarLane(channel, cadence, encoder)
    return Lane(channel, cadence, encoder)
