"""One stream: where its bytes go, and where it stands."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gateway.fanout.sink import Sink, chunk_of
from shared.event_id import EventId

if TYPE_CHECKING:
    from gateway.fanout.channel import Channel
    from gateway.fanout.cohort import Cohort


class Stall(NamedTuple):
    """Where a client stopped to read: how far it has each channel, and ``seen`` frames beyond."""

    since: float
    positions: "Mapping[Channel, EventId]"
    seen: frozenset[bytes]


class Client:
    """A stream. It has no task and no queue: what it is sent is its cohort's.

    A client that does not read is *stalled*: from then on nothing is kept for it but how far it
    has got, and on waking it is given what is newer.
    """

    __slots__ = (
        "channels",
        "cohort",
        "left",
        "on_end",
        "on_leave",
        "principal",
        "sink",
        "stall",
        "stream_id",
    )

    def __init__(
        self, stream_id: str, sink: Sink, principal: str, on_end: Callable[[], None]
    ) -> None:
        self.stream_id = stream_id
        self.principal = principal
        self.on_end = on_end
        """What gives its place back."""
        self.sink = sink
        self.channels: Sequence[Channel] = ()
        """What it holds until it joins a cohort, which holds them then."""
        self.cohort: Cohort | None = None
        self.stall: Stall | None = None
        self.left = False
        self.on_leave: Callable[[], None] | None = None
        """Who waits for it to leave."""

    def write(self, data: bytes) -> None:
        """Send bytes that belong to this stream alone, if there are any."""
        if data:
            self.sink.write(data, chunk_of(data))
