"""What wants one topic at one interval: the same frames at the same moments."""

from typing import TYPE_CHECKING

from gateway.fanout.cadence import Cadence
from shared.event_id import EventId

if TYPE_CHECKING:
    from gateway.fanout.channel import Channel
    from gateway.fanout.cohort import Cohort


class Lane:
    """The cohorts that want a channel's frames at one interval.

    Conflation happens once for all of them: the first value of a window goes at once, the last one
    when the window closes. ``sent`` is the id of the newest event that has left.
    """

    __slots__ = ("_cadence", "_window", "channel", "cohorts", "due", "sent")

    def __init__(self, channel: "Channel", cadence: Cadence) -> None:
        self.channel = channel
        self.cohorts: dict[Cohort, None] = {}
        self.due = False
        self.sent: EventId = channel.event_id
        self._cadence = cadence
        self._window = -1

    @property
    def interval(self) -> float:
        """Seconds between two values; 0 for every event."""
        return self._cadence.interval

    def attach(self, cohort: "Cohort") -> None:
        """Send to a cohort from now on."""
        self.cohorts[cohort] = None

    def detach(self, cohort: "Cohort") -> None:
        """Send to a cohort no more; the last one takes the lane with it."""
        del self.cohorts[cohort]
        if not self.cohorts:
            del self.channel.lanes[self._cadence.interval]

    def offer(self) -> None:
        """Send the channel's new frame, or leave it to the end of the window."""
        window = self._cadence.window()
        # One ahead of the clock is the window too: its predecessor's timer fired a fraction early.
        if window not in (self._window, self._window - 1):
            self._window = window
            self._send()
        elif not self.due:
            self.due = True
            self._cadence.remind(self, self._window)

    def close_window(self, next_window: int) -> None:
        """Send the newest frame of the window that has just ended."""
        if not self.due:
            return
        if self._window < next_window:
            self._window = next_window
            self._send()
        else:  # the timer was late: what waits is already of the window that has begun
            self._cadence.remind(self, self._window)

    def announce(self, event_id: EventId, frame: bytes) -> None:
        """Send the frame that waits for the end of the window, if one does, then an event."""
        if self.due:
            self._send()
        self.sent = max(self.sent, event_id)
        self.tell(frame)

    def tell(self, frame: bytes) -> None:
        """Send bytes that are no value."""
        for cohort in self.cohorts:
            cohort.offer(frame)

    def waiting(self) -> list[bytes]:
        """Return what leaves when the window closes, if something is due."""
        return [] if self.channel.frame is None else [self.channel.frame]

    def _send(self) -> None:
        self.due = False
        channel = self.channel
        frame = channel.frame
        if frame is None:
            return
        self.sent = max(self.sent, channel.event_id)
        # Written out, since it runs for every event and client; see bench/fanout.
        for cohort in self.cohorts:
            pending = cohort.pending
            if not pending:
                cohort.queue(cohort)
            pending.append(frame)


class TableLane(Lane):
    """The same for a table: when the window closes, every row that has changed in it leaves.

    ``sent`` is the newest change of the table that has left.
    """

    __slots__ = ()

    def waiting(self) -> list[bytes]:
        """Return every row that has changed since the last ones left, in its newest form."""
        return [frame for _, frame in self.channel.since(self.sent)]

    def _send(self) -> None:
        self.due = False
        rows = self.waiting()
        self.sent = self.channel.event_id
        for row in rows:
            self.tell(row)
