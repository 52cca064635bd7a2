"""Which frame of a recorded connection answers which request. Pure."""

from collections import deque
from typing import Final

import msgpack
import msgspec

from simulator.capture.capture_file import Frame

_CONTROL: Final = frozenset({"success", "error", "subscription"})
_ACCOUNT_CONTROL: Final = frozenset({"authorization", "listening"})

GREETING: Final = -1
"""In place of the number of a request: the frame greets the client."""


class Dialogue:
    """Follows a connection from its opening; requests count from 0.

    Alpaca answers requests in order. Data that were on their way may come before an answer.
    """

    def __init__(self) -> None:
        self.requests = 0
        self._unanswered: deque[int] = deque()

    def on_sent(self) -> int:
        """Note a request of the client; return its number."""
        self._unanswered.append(self.requests)
        self.requests += 1
        return self.requests - 1

    def on_received(self, frame: Frame) -> int | None:
        """Note a frame; return the number of the request that it answers, `GREETING`, or None."""
        # Only a control message can be either, and data need not be decoded otherwise.
        if self.requests and not self._unanswered:
            return None
        if not is_control(frame):
            return None
        return self._unanswered.popleft() if self.requests else GREETING


def is_control(frame: Frame) -> bool:
    """Return whether a frame is a control message of any of Alpaca's streams."""
    try:
        message = msgspec.json.decode(frame.payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            message = msgpack.unpackb(frame.payload, strict_map_key=False)
        except (msgpack.exceptions.UnpackException, ValueError, RecursionError):
            return False
    first = message[0] if isinstance(message, list) and message else message
    if not isinstance(first, dict):
        return False
    return (
        first.get("T") in _CONTROL
        or first.get("stream") in _ACCOUNT_CONTROL
        or first.get("action") == "error"
    )
