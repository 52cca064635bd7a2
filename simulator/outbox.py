"""What waits to be sent on one connection.

Control messages leave alone, in arrays of one; data messages that wait side by side leave in
one array, so that batches grow when the client is slow (docs.alpaca.markets/docs/
streaming-market-data). Pure: no socket, no event loop.
"""

from collections import deque
from typing import Final, NamedTuple

from simulator.wire import Format, Message, Outgoing, encode, join

FRAME_BYTES: Final = 512 * 1024
"""A longer batch is cut here: common clients refuse messages beyond 1 MiB."""


class Frame(NamedTuple):
    """One WebSocket message, and how many data messages are in it."""

    payload: bytes
    data_messages: int


class Outbox:
    """A bounded queue of encoded messages in the order in which they have to leave."""

    def __init__(self, form: Format, limit_bytes: int) -> None:
        self._form = form
        self._limit_bytes = limit_bytes
        self._waiting: deque[tuple[bytes, bool]] = deque()
        self._size = 0

    def add_control(self, message: Message) -> None:
        """Queue a control message; it does not count against the bound."""
        self._append(encode(message, self._form), is_data=False)

    def add_data(self, outgoing: Outgoing) -> bool:
        """Queue a data message; False if the bound is reached and it was not taken."""
        encoded = outgoing.encoded(self._form)
        if self._size + len(encoded) > self._limit_bytes:
            return False
        self._append(encoded, is_data=True)
        return True

    def clear(self) -> None:
        """Forget everything that waits."""
        self._waiting.clear()
        self._size = 0

    def take(self) -> Frame | None:
        """Return the next frame to send: a control message, or all data up to the next one."""
        if not self._waiting:
            return None
        batch: list[bytes] = []
        size = 0
        while self._waiting and self._waiting[0][1] and size < FRAME_BYTES:
            encoded, _ = self._waiting.popleft()
            batch.append(encoded)
            size += len(encoded)
        if batch:
            self._size -= size
            return Frame(join(batch, self._form), len(batch))
        encoded, _ = self._waiting.popleft()
        self._size -= len(encoded)
        return Frame(join([encoded], self._form), 0)

    def _append(self, encoded: bytes, *, is_data: bool) -> None:
        self._waiting.append((encoded, is_data))
        self._size += len(encoded)
