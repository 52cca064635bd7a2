"""The messages that wait to be sent on one connection.

Each control message is sent in an array of one. Consecutive data messages are sent in one array, so
that batches grow when the client is slow (docs.alpaca.markets/docs/streaming-market-data). Raw
frames are sent unchanged. Pure: no socket, no event loop.
"""

from collections import deque
from enum import Enum
from typing import Final, NamedTuple

from simulator.protocol.wire import Format, Message, Outgoing, encode, join

FRAME_BYTES: Final = 512 * 1024
"""The limit of a batch: common clients reject messages beyond 1 MiB."""


class Frame(NamedTuple):
    """One WebSocket message, whether it is text, and its number of data messages."""

    payload: bytes
    is_text: bool
    data_messages: int = 0


class _Kind(Enum):
    CONTROL = 0
    DATA = 1
    RAW_BINARY = 2
    RAW_TEXT = 3
    UPDATE = 4


class Outbox:
    """A bounded queue of encoded messages in the order of sending."""

    def __init__(self, form: Format, limit_bytes: int) -> None:
        self._form = form
        self._limit_bytes = limit_bytes
        self._waiting: deque[tuple[bytes, _Kind]] = deque()
        self._size = 0

    def add_control(self, message: Message) -> None:
        """Queue a control message; it does not count against the bound."""
        self._append(encode(message, self._form), _Kind.CONTROL)

    def add_raw(self, payload: bytes, *, is_text: bool) -> None:
        """Queue a whole frame of any content and length."""
        self._append(payload, _Kind.RAW_TEXT if is_text else _Kind.RAW_BINARY)

    def add_data(self, outgoing: Outgoing) -> bool:
        """Queue a data message; return False if the bound is reached and it was not queued."""
        encoded = outgoing.encoded(self._form)
        if self._size + len(encoded) > self._limit_bytes:
            return False
        self._append(encoded, _Kind.DATA)
        return True

    def add_update(self, payload: bytes) -> None:
        """Queue an update of the account, which is sent in a separate binary frame."""
        self._append(payload, _Kind.UPDATE)

    def clear(self) -> None:
        """Discard the queue."""
        self._waiting.clear()
        self._size = 0

    def take(self) -> Frame | None:
        """Remove and return the next frame: consecutive data messages, or one other message."""
        if not self._waiting:
            return None
        is_text = self._form is Format.JSON
        batch: list[bytes] = []
        size = 0
        while self._waiting and self._waiting[0][1] is _Kind.DATA and size < FRAME_BYTES:
            encoded, _ = self._waiting.popleft()
            batch.append(encoded)
            size += len(encoded)
        if batch:
            self._size -= size
            return Frame(join(batch, self._form), is_text, len(batch))
        encoded, kind = self._waiting.popleft()
        self._size -= len(encoded)
        if kind is _Kind.CONTROL:
            return Frame(join([encoded], self._form), is_text)
        return Frame(encoded, kind is _Kind.RAW_TEXT, int(kind is _Kind.UPDATE))

    def _append(self, encoded: bytes, kind: _Kind) -> None:
        self._waiting.append((encoded, kind))
        self._size += len(encoded)
