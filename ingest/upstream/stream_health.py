"""The state of a connection to Alpaca, as the ingest's status reports it."""

import asyncio
import time
from collections.abc import Callable

from shared.ingest_status import FeedState


class StreamHealth:
    """One connection's state. ``changed`` is set at every change; ``clock`` gives unix seconds."""

    def __init__(self, changed: asyncio.Event, clock: Callable[[], float] = time.time) -> None:
        self.state: FeedState = "connecting"
        self.reason: str | None = None
        self.code: int | None = None
        self.since = clock()
        self.reconnects = 0
        self._changed = changed
        self._clock = clock

    @property
    def live(self) -> bool:
        """Whether the connection is open and authenticated."""
        return self.state == "live"

    @property
    def failed(self) -> bool:
        """Whether the connection has ended permanently."""
        return self.state == "failed"

    def set(self, state: FeedState, reason: str | None = None, code: int | None = None) -> None:
        """Set the state. ``code`` is Alpaca's or HTTP's, of the error that led to it."""
        # Another reason in the same state does not restart ``since``: an operator asks for how long
        # there has been no connection, not for how long the newest attempt has failed.
        if state != self.state:
            self.since = self._clock()
        if (state, reason) != (self.state, self.reason):
            self.state, self.reason, self.code = state, reason, code
            self._changed.set()

    def note_subscription(self) -> None:
        """Request a new status, because the subscribed symbols have changed."""
        self._changed.set()
