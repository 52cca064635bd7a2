"""One stream endpoint (`/v2/iex`, …): its open connections and its counters."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol

from simulator.faults.withheld import Withheld
from simulator.protocol.subscription import BAR_CHANNELS, Feed
from simulator.protocol.wire import Format, Outgoing

_SHOWN_CHANNELS: Final = (
    "trades",
    "quotes",
    "orderbooks",
    *BAR_CHANNELS,
    "statuses",
    "lulds",
    "imbalances",
    "news",
    "streams",
)


class Listener(Protocol):
    """A connection, as the endpoint and the faults use it."""

    form: Format

    @property
    def authenticated(self) -> bool:
        """Whether it is authenticated."""

    def symbols(self, channel: str) -> list[str]:
        """Return the symbols of one of its channels."""

    def offer(self, messages: Sequence[Outgoing]) -> None:
        """Queue those messages that it subscribed to."""

    def send(self, payload: bytes, *, text: bool) -> None:
        """Queue a whole frame of any content."""

    def refuse(self, code: int, *, close: bool | None = None) -> None:
        """Send an error unprompted."""

    def close(self, code: int) -> None:
        """End it with this WebSocket close code."""

    def cut(self, *, reset: bool) -> None:
        """End the TCP connection without a WebSocket close."""

    def mute(self, seconds: float | None = None) -> None:
        """Send nothing and process nothing from now on, for a time or permanently."""

    def half_open(self) -> None:
        """Be mute at the TCP level as well."""


class Endpoint:
    """Fans messages out to its connections, and counts."""

    def __init__(self, feed: Feed, monotonic: Callable[[], float]) -> None:
        """`monotonic` returns seconds."""
        self.feed = feed
        self.withheld = Withheld(monotonic)
        self.counts_bars = False
        """Whether symbols of the channels of bars count against the plan's limit."""
        self.whole_books: Callable[[Collection[str], Collection[str]], Sequence[Outgoing]] = (
            lambda _wanted, _before: ()
        )
        """Returns the first messages for a session that wants some books, from those it wants now
        and before."""
        self.on_subscriptions: Callable[[], None] = lambda: None
        """Called when the subscriptions of a session may have changed, or it has ended."""
        self.messages_sent = 0
        self.refused: Counter[int] = Counter()
        self.upgrades_refused: Counter[int] = Counter()
        self._listeners: set[Listener] = set()
        self._connections_total = 0
        self._connections_peak = 0
        self._sessions_total = 0
        self._sessions_peak = 0

    @property
    def listeners(self) -> Sequence[Listener]:
        """The open connections."""
        return tuple(self._listeners)

    def attach(self, listener: Listener) -> None:
        """Add a connection that has just been accepted."""
        self._listeners.add(listener)
        self._connections_total += 1
        self._connections_peak = max(self._connections_peak, len(self._listeners))

    def detach(self, listener: Listener) -> None:
        """Remove a connection that has ended."""
        self._listeners.discard(listener)
        self.on_subscriptions()

    def authenticated(self) -> None:
        """Count a connection that has authenticated."""
        self._sessions_total += 1
        self._sessions_peak = max(self._sessions_peak, len(self._sessions()))

    def publish(self, messages: Sequence[Outgoing]) -> None:
        """Offer data messages to every connection."""
        for listener in self._listeners:
            listener.offer(messages)

    def subscribed(self, channel: str) -> set[str]:
        """Return the symbols, or `*`, to which any session subscribes on a channel."""
        return {symbol for one in self._sessions() for symbol in one.symbols(channel)}

    def close(self, code: int) -> None:
        """End every connection."""
        for listener in self._listeners:
            listener.close(code)

    def state(self) -> dict[str, object]:
        """Return the counters as `GET /simulator/state` shows them.

        `connections…` are WebSockets, including rejected ones; `sessions…` are authenticated
        ones. `subscriptions` are those to trades; `streams` are those of `/stream`. `withheld`
        are the symbols that a fault withholds.
        `counts_bars` is whether a fault makes the channels of bars count.
        """
        channels = {name: sorted(self.subscribed(name)) for name in _SHOWN_CHANNELS}
        return {
            "connections": len(self._listeners),
            "connections_total": self._connections_total,
            "connections_peak": self._connections_peak,
            "sessions": len(self._sessions()),
            "sessions_total": self._sessions_total,
            "sessions_peak": self._sessions_peak,
            "subscriptions": channels["trades"],
            **channels,
            "counts_bars": self.counts_bars,
            "withheld": self.withheld.symbols(),
            "refused": _by_text(self.refused),
            "upgrades_refused": _by_text(self.upgrades_refused),
            "messages_sent": self.messages_sent,
        }

    def _sessions(self) -> list[Listener]:
        return [listener for listener in self._listeners if listener.authenticated]


def _by_text(counts: Counter[int]) -> dict[str, int]:
    return {str(code): count for code, count in sorted(counts.items())}
