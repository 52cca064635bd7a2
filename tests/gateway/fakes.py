"""A clock that the test moves, a sink that remembers, and a hub between them."""

import asyncio
import heapq
import json
from collections.abc import Callable
from typing import Any, cast

from gateway.fanout.cohort import Client
from gateway.fanout.hub import Hub
from gateway.fanout.sink import STALL_BYTES
from gateway.wire.event import Encoder
from gateway.wire.events import Feed, Heartbeat
from gateway.wire.sse import SSE
from shared import message
from shared.event_id import EventId
from shared.topics import has_interval, price_topic

STARTED = 1_381_325_400.0
HEARTBEAT = Heartbeat(
    event_id="1-1", server_time="", feed_state="live", session="regular", lag_ms=None
)


def feed(state: str) -> Feed:
    """Return the upstream in a state."""
    return Feed(
        event_id="1-1",
        alpaca_connected=state == "live",
        state=state,
        reason=None,
        since="",
        session="regular",
        next_open=None,
        next_close=None,
        lag_ms=None,
    )


class FakeLoop:
    """Time and timers of an event loop; nothing happens but in ``advance``."""

    def __init__(self) -> None:
        self.now = STARTED
        self.set_by = 0.0
        """The amount by which the wall clock was set."""
        self.early = 0.0
        """By how much timers fire before their time, as uvloop's do that counts milliseconds."""
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.call_later(0, callback)

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        self._count += 1
        when = self.now + max(delay - self.early, 0)
        heapq.heappush(self._timers, (when, self._count, callback))

    def advance(self, seconds: float = 0.0) -> None:
        """Let time pass and run every timer when it is due."""
        until = self.now + seconds
        while self._timers and self._timers[0][0] <= until:
            when, _, callback = heapq.heappop(self._timers)
            self.now = max(self.now, when)
            callback()
        self.now = max(self.now, until)  # a callback may have taken its time

    def jump(self, seconds: float) -> None:
        """Let time pass while the loop is busy: timers are late."""
        self.now += seconds


class FakeSink:
    """Remembers each write; while ``reads`` is false everything stays in its buffer."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.packets: list[bytes] = []
        """The same, as the stream's encoder has packed it."""
        self.reads = True
        self.aborted = False
        self.closed = False
        self._buffered = 0

    def write(self, data: bytes, packet: bytes) -> None:
        assert data
        self.writes.append(data)
        self.packets.append(packet)
        if not self.reads:
            self._buffered += len(data)

    def buffered(self) -> int:
        return self._buffered

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def stop_reading(self) -> None:
        """Stop reading, and leave more unread than any client that reads."""
        self.reads, self._buffered = False, STALL_BYTES + 1

    def read_on(self) -> None:
        """Read the buffered bytes, and everything that follows."""
        self.reads, self._buffered = True, 0

    def events(self, kind: str = "price") -> list[dict[str, Any]]:
        """Return the data of all events of a kind so far."""
        found = []
        for block in b"".join(self.writes).decode().split("\n\n"):
            lines = dict(line.partition(": ")[::2] for line in block.splitlines())
            if lines.get("event") == kind:
                found.append(json.loads(lines["data"]))
        return found

    def ids(self, symbol: str = "SPY") -> list[str]:
        """Return the ids of a symbol's prices so far."""
        return [event["event_id"] for event in self.events() if event["symbol"] == symbol]


class Bench:
    """A hub on a fake loop."""

    def __init__(self, flush_interval: float = 0.0) -> None:
        self.loop = FakeLoop()
        self.changes = 0
        self._opened = 0
        self.hub = Hub(
            cast("asyncio.AbstractEventLoop", self.loop),
            flush_interval=flush_interval,
            clock=lambda: self.loop.now + self.loop.set_by,
            retry_ms=lambda: 700,
            on_change=[self._changed],
        )

    def _changed(self) -> None:
        self.changes += 1

    def client(self, *symbols: str, interval: float = 0.0) -> tuple[Client, FakeSink]:
        """Open a stream of prices that has joined."""
        return self.stream(*map(price_topic, symbols), interval=interval)

    def stream(
        self,
        *topics: str,
        interval: float = 0.0,
        cursor: EventId | None = None,
        encoder: Encoder = SSE,
    ) -> tuple[Client, FakeSink]:
        """Open a stream that has joined."""
        client, sink = self.open(encoder)
        intervals = {topic: interval if has_interval(topic) else 0.0 for topic in topics}
        self.hub.join(client, self.hub.watch(intervals), cursor=cursor)
        self.loop.advance()
        return client, sink

    def open(self, encoder: Encoder = SSE) -> tuple[Client, FakeSink]:
        """Open a stream that watches nothing yet."""
        sink = FakeSink()
        self._opened += 1
        return self.hub.open(f"stream-{self._opened}", sink, encoder), sink

    def publish(self, seq: int, symbol: str = "SPY", epoch: int = 1) -> None:
        """Publish a value and run the callbacks that are due."""
        self.publish_silently(seq, symbol, epoch)
        self.loop.advance()

    def publish_silently(self, seq: int, symbol: str = "SPY", epoch: int = 1) -> None:
        """Publish a value; no flush comes between this and the next."""
        self.hub.publish(price_topic(symbol).encode(), packed(seq, symbol, epoch))


def packed(seq: int, symbol: str = "SPY", epoch: int = 1) -> bytes:
    """Return a published price."""
    event_id = EventId(epoch, seq)
    body = json.dumps({"symbol": symbol, "price": seq / 100}).encode()
    return message.pack(event_id, message.stamp(event_id, body))
