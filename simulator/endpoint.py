"""One stream endpoint (`/v2/iex`, …): its open connections and what has happened on it."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from simulator.subscription import Feed
from simulator.wire import Outgoing


class Listener(Protocol):
    """A connection, as the endpoint sees it."""

    @property
    def authenticated(self) -> bool:
        """Whether it holds the endpoint's slot."""

    @property
    def trades(self) -> list[str]:
        """The symbols of its trades channel."""

    def offer(self, messages: Sequence[Outgoing]) -> None:
        """Queue those messages that it subscribed to."""

    def close(self, code: int) -> None:
        """End it with this WebSocket close code."""


class Endpoint:
    """Fans messages out to its connections, and counts."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.messages_sent = 0
        self.refused: Counter[int] = Counter()
        self._listeners: set[Listener] = set()
        self._connections_total = 0
        self._connections_peak = 0
        self._sessions_total = 0

    def attach(self, listener: Listener) -> None:
        """Take in a connection that has just been accepted."""
        self._listeners.add(listener)
        self._connections_total += 1
        self._connections_peak = max(self._connections_peak, len(self._listeners))

    def detach(self, listener: Listener) -> None:
        """Forget a connection that has ended."""
        self._listeners.discard(listener)

    def authenticated(self) -> None:
        """Count a connection that was let in."""
        self._sessions_total += 1

    def publish(self, messages: Sequence[Outgoing]) -> None:
        """Offer data messages to every connection."""
        for listener in self._listeners:
            listener.offer(messages)

    def close(self, code: int) -> None:
        """End every connection."""
        for listener in self._listeners:
            listener.close(code)

    def state(self) -> dict[str, object]:
        """Return the counters as `GET /simulator/state` shows them.

        `connections…` are WebSockets, refused ones included; `sessions…` only those that
        were authenticated.
        """
        sessions = [listener for listener in self._listeners if listener.authenticated]
        return {
            "connections": len(self._listeners),
            "connections_total": self._connections_total,
            "connections_peak": self._connections_peak,
            "sessions": len(sessions),
            "sessions_total": self._sessions_total,
            "subscriptions": sorted({symbol for one in sessions for symbol in one.trades}),
            "refused": {str(code): count for code, count in sorted(self.refused.items())},
            "messages_sent": self.messages_sent,
        }
