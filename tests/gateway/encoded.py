"""Events as the encoder may be given them, and their bytes in pieces, for tests by hypothesis."""

from dataclasses import dataclass

import msgspec
from hypothesis import strategies as st

from gateway.wire import sse
from shared.event_id import MAX_DIGITS, EventId

KINDS = [
    *("hello", "ready", "heartbeat", "feed", "gap", "bye", "status", "correction", "cancel"),
    *("price", "trade", "quote", "book", "news", "position", "reload"),
    *("bar.1Min", "bar.5Min", "bar.15Min", "bar.1Hour", "bar.1Day"),
]

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True)
"""The names of events: any that ``message.unpack`` accepts."""

numbers = st.integers(0, 10**MAX_DIGITS - 1)
texts = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["\n\n", "\r", "\r\n", "\x00", "\x0b\x0c\x1c\x85", "\u2028\u2029", "\ufeff", ": x", "id: 1"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@dataclass(frozen=True)
class Sent:
    """One event as it is given to the encoder."""

    kind: str
    value: dict[str, object]
    cursor: EventId | None
    retry_ms: int | None

    @property
    def id(self) -> str:
        """The event's own ``id:``, or nothing."""
        return "" if self.cursor is None else str(self.cursor)

    def encoded(self) -> bytes:
        data = msgspec.json.encode(self.value)
        return sse.event(self.kind, data, cursor=self.cursor, retry_ms=self.retry_ms)


events = st.builds(
    Sent,
    st.sampled_from(KINDS) | names,
    st.dictionaries(texts, values, max_size=4),
    st.none() | st.builds(EventId, numbers, numbers),
    st.none() | st.integers(0, 600_000),
)
streams = st.lists(events, min_size=1, max_size=6)
sizes = st.integers(1, 400)


def pieces_of(sent: list[Sent], size: int) -> list[bytes]:
    """Return the bytes of a stream in the pieces in which a network might deliver them."""
    data = b"".join(each.encoded() for each in sent)
    return [data[at : at + size] for at in range(0, len(data), size)]
