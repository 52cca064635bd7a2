"""One stream's place in the hub: what it watches and what waits to be written to it."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from gateway.fanout.sink import Sink
from shared.event_id import EventId


class Moving(Protocol):
    """What a client watches, as far as a client has to know it: a channel, or a named event."""

    event_id: EventId
    frame: bytes | None


class Place(Protocol):
    """Where a client stands in line for a channel's frames: a lane."""

    def remove(self, client: "Client") -> None:
        """Leave the line."""

    def given(self, client: "Client") -> None:
        """Note that a client has the channel's newest frame before its window has closed."""


class Client:
    """A stream. It has no task and no queue of its own: frames are shared bytes.

    A client that does not read is *stalled*: from then on only the names of the channels that
    moved are kept, and on waking it gets the newest frame of each.
    """

    __slots__ = (
        "_queue_for_flush",
        "ended",
        "held",
        "lanes",
        "pending",
        "sink",
        "stalled_since",
        "stream_id",
    )

    def __init__(
        self, stream_id: str, sink: Sink, queue_for_flush: Callable[["Client"], None]
    ) -> None:
        self.stream_id = stream_id
        self.sink = sink
        self.lanes: list[Place] = []
        self.pending: list[bytes] = []
        self.held: dict[Moving, Place | None] = {}
        self.stalled_since: float | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue_for_flush = queue_for_flush

    def send(self, channel: Moving, frame: bytes, lane: Place | None = None) -> None:
        """Queue a channel's newest frame for the coming flush."""
        if self.stalled_since is None:
            self.push(frame)
        else:
            self.held[channel] = lane

    def push(self, frame: bytes) -> None:
        """Queue bytes that belong to this stream alone."""
        if not self.pending:
            self._queue_for_flush(self)
        self.pending.append(frame)

    def write_pending(self) -> None:
        """Write everything queued in one piece."""
        if self.pending:
            self.sink.write(self.pending[0] if len(self.pending) == 1 else b"".join(self.pending))
            self.pending.clear()

    def wake(self) -> None:
        """Queue the newest frame of every channel that moved while the client was stalled."""
        self.stalled_since = None
        held, self.held = self.held, {}
        for channel, lane in sorted(held.items(), key=lambda each: each[0].event_id):
            if channel.frame is not None:
                self.push(channel.frame)
            if lane is not None:
                lane.given(self)

    def finish(self) -> None:
        """Let the stream's request finish: it was ended, or the peer is gone."""
        if not self.ended.done():
            self.ended.set_result(None)
