"""A connection's state as others see it."""

import time
from collections.abc import Callable

from shared.ingest_status import FeedState


class FeedHealth:
    """``on_change`` hears every change. ``clock`` gives unix seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.state: FeedState = "connecting"
        self.reason: str | None = None
        self.code: int | None = None
        self.since = clock()
        self.reconnects = 0
        self.on_change: Callable[[], None] = lambda: None
        self._clock = clock

    @property
    def live(self) -> bool:
        """Whether the connection stands."""
        return self.state == "live"

    def set(self, state: FeedState, reason: str | None = None, code: int | None = None) -> None:
        """Note a state; ``code`` is that of the error that has led to it, Alpaca's or HTTP's."""
        if state != self.state:
            self.since = self._clock()
        if (state, reason) != (self.state, self.reason):
            self.state, self.reason, self.code = state, reason, code
            self.on_change()
