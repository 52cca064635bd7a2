"""The outline of a capture: its connections and its REST exchanges, from one reading of the file.

The data frames stay in the file, which may be larger than the memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simulator.capture.capture_file import CaptureError, CaptureFile, Frame, Record
from simulator.capture.dialogue import GREETING, Dialogue
from simulator.capture.exchange import Exchange


@dataclass(eq=False)
class RecordedConnection:
    """One attempt to connect: its greeting, and the answers to its requests, in order.

    `status` is HTTP's if the upgrade was rejected. `began` and `requests` are times (monotonic ns).
    """

    number: int
    path: str
    stream: str
    began: int
    was_refused: bool = False
    status: int | None = None
    greeting: list[Frame] = field(default_factory=list)
    answers: dict[int, Frame] = field(default_factory=dict)
    requests: list[int] = field(default_factory=list)

    @property
    def is_lost(self) -> bool:
        """Whether it never was: Alpaca, or the network, gave no answer at all."""
        return self.was_refused and self.status is None


@dataclass(frozen=True)
class Outline:
    """A capture as far as it is in memory. Times are monotonic ns, `start_at` Unix ns.

    It starts with the first connection.
    """

    feed: str
    start: int
    start_at: int
    end: int
    records: int
    is_torn: bool
    connections: Mapping[int, RecordedConnection]
    exchanges: Sequence[Exchange]

    def acts(self) -> list[int]:
        """Return the times of all connections and requests."""
        acts = [[each.began, *each.requests] for each in self.connections.values()]
        return sorted(at for each in acts for at in each)

    def by_path(self) -> dict[str, list[RecordedConnection]]:
        """Return the connections of each stream, in order, by the stream's path."""
        found: dict[str, list[RecordedConnection]] = {}
        for each in self.connections.values():
            if each.is_lost:  # nothing of it can be replayed
                continue
            found.setdefault(each.path, []).append(each)
        return found


def outline_of(file: CaptureFile) -> Outline:
    """Read a capture once.

    Raises:
        CaptureError: it cannot be read, or has no connection.
    """
    connections: dict[int, RecordedConnection] = {}
    dialogues: dict[int, Dialogue] = {}
    exchanges: list[Exchange] = []
    header: Record | None = None
    first: Record | None = None
    count, end = 0, 0
    for record in file.records():
        header = header or record
        count, end = count + 1, record.monotonic
        if first is None and record.kind == "connect":
            first = record
        if record.kind == "rest":
            exchanges.append(Exchange.of(record))
        elif record.kind in ("connect", "refused"):
            connections[record.connection] = _connection(record)
            dialogues[record.connection] = Dialogue()
        elif record.connection in connections:
            _follow(connections[record.connection], dialogues[record.connection], record)
    if header is None or first is None:
        raise CaptureError(f"{file.path}: no connection was recorded")
    return Outline(
        feed=header.feed or "",
        start=first.monotonic,
        start_at=first.at,
        end=end,
        records=count,
        is_torn=file.is_torn,
        connections=connections,
        exchanges=exchanges,
    )


def _connection(record: Record) -> RecordedConnection:
    return RecordedConnection(
        number=record.connection,
        path=record.path,
        stream=record.stream,
        began=record.monotonic,
        was_refused=record.kind == "refused",
        status=record.status,
    )


def _follow(connection: RecordedConnection, dialogue: Dialogue, record: Record) -> None:
    if record.kind == "sent":
        dialogue.on_sent()
        connection.requests.append(record.monotonic)
    elif record.kind == "received":
        answered = dialogue.on_received(record.frame)
        if answered == GREETING:
            connection.greeting.append(record.frame)
        elif answered is not None:
            connection.answers[answered] = record.frame
