"""What goes wrong on purpose: `Simulator.faults`, and `POST /simulator/faults` from outside.

Some faults are armed for what comes next: for `count` times, for `seconds`, or once. The others
strike the endpoint's present connections at once and return how many these were. `feed` None
means every endpoint; where messages of market data are sent, every endpoint of that. All raise
ValueError for what cannot be; nothing has happened then.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from simulator.armed import ArmedFaults, Fault, Stage
from simulator.endpoint import Endpoint, Listener
from simulator.subscription import ACCOUNT
from simulator.wire import Format, Outgoing, encode, join

_GARBAGE: Final = b"\xc1\xff\x00\xfe garbage"  # 0xc1 is the one byte that msgpack never uses
_FILLER: Final[Mapping[str, object]] = {"T": "t", "i": 1, "S": "FILLER", "x": "V", "p": 1.0, "s": 1}
_MALFORMED: Final[Mapping[str, object]] = {"T": "t", "S": ["no symbol"], "p": "no price", "t": "?"}
_UNKNOWN: Final[Mapping[str, object]] = {"T": "unheard-of", "S": "FILLER", "p": 1.0}
_EXTERNAL_CLOSE_CODES: Final = frozenset({*range(1000, 1004), *range(1007, 1015)})

Messages = Sequence[Mapping[str, object]]


class Faults:
    """Breaks one simulator's streams and its REST."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        armed: ArmedFaults,
        observed: Callable[[Mapping[str, object]], Outgoing],
        freeze: Callable[[], None],
    ) -> None:
        """Get ready to break things.

        Args:
            endpoints: The streams by name.
            armed: Keeps what waits for its moment.
            observed: Makes a message ready to send and lets REST know of it.
            freeze: Keeps what REST would tell of the account now.
        """
        self._endpoints = endpoints
        self._market_data = {name: one for name, one in endpoints.items() if name != ACCOUNT.name}
        self._armed = armed
        self._observed = observed
        self._freeze = freeze
        self._over = asyncio.Event()

    # armed for the next connections

    def refuse_upgrade(
        self,
        feed: str | None = None,
        *,
        status: int = 429,
        count: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Answer the WebSocket's opening with an HTTP status (429, 503, …) instead."""
        self._arm("refuse_upgrade", feed, count, seconds, code=_status(status))

    def mute_after_connect(
        self, feed: str | None = None, *, count: int | None = None, seconds: float | None = None
    ) -> None:
        """Open the WebSocket, and never send a message on it; pings are answered."""
        self._arm("mute_after_connect", feed, count, seconds)

    def mute_after_auth(
        self, feed: str | None = None, *, count: int | None = None, seconds: float | None = None
    ) -> None:
        """Greet, and never answer the keys or anything after them; no slot is taken."""
        self._arm("mute_after_auth", feed, count, seconds)

    def refuse_auth(
        self,
        feed: str | None = None,
        *,
        code: int = 402,
        close: bool | None = None,
        count: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Answer the keys with an error, right as they may be."""
        self._arm("refuse_auth", feed, count, seconds, code=code, close=close)

    def refuse_subscribe(
        self,
        feed: str | None = None,
        *,
        code: int = 405,
        close: bool | None = None,
        count: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Answer a subscribe with an error; the subscriptions stay as they were."""
        self._arm("refuse_subscribe", feed, count, seconds, code=code, close=close)

    def ignore_subscribe(
        self, feed: str | None = None, *, count: int | None = None, seconds: float | None = None
    ) -> None:
        """Neither answer a subscribe nor do it."""
        self._arm("ignore_subscribe", feed, count, seconds)

    def rest(
        self,
        *,
        status: int | None = None,
        path: str = "/v2/",
        delay_seconds: float = 0.0,
        count: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Answer REST requests below a path late, with an HTTP status, or both."""
        if status is None and delay_seconds == 0:
            raise ValueError("status and delay_seconds are missing, expected at least one of them")
        if not 0 <= delay_seconds < float("inf"):
            raise ValueError(f"delay_seconds is {delay_seconds}, expected a number from 0 on")
        if not path.startswith("/v2/"):
            raise ValueError(f"path is {path!r}, expected one that begins with /v2/")
        code = None if status is None else _status(status)
        fault = Fault("rest", "request", path, code, delay_seconds=delay_seconds)
        self._armed.arm(fault, count, seconds)

    def stale_positions(self, *, seconds: float) -> None:
        """Let REST tell for a while of the account and its orders as they are now."""
        self._armed.arm(Fault("stale_positions", "statement", ACCOUNT.name), None, seconds)
        self._freeze()

    def clear(self, feed: str | None = None) -> None:
        """Disarm what waits for a feed; without one, everything, REST's faults too."""
        _chosen(self._endpoints, feed)
        self._armed.clear(feed)

    # at once, on the present connections

    def mute(self, feed: str | None = None, *, seconds: float | None = None) -> int:
        """Send nothing more and heed nothing, for a while or for ever; pings are answered.

        What is published meanwhile is lost. New connections are served as always.
        """
        if seconds is not None and not seconds > 0:
            raise ValueError(f"seconds is {seconds}, expected a number above 0")
        return self._each(feed, lambda connection: connection.mute(seconds))

    def half_open(self, feed: str | None = None) -> int:
        """Send and answer nothing more, not even pings; the socket stays, and its slot with it."""
        return self._each(feed, lambda connection: connection.half_open())

    def reset(self, feed: str | None = None) -> int:
        """Reset the TCP connections; `ghost_seconds` says how long they keep their slots."""
        return self._each(feed, lambda connection: connection.cut(reset=True))

    def fin(self, feed: str | None = None) -> int:
        """End the TCP connections in order, but without a WebSocket close."""
        return self._each(feed, lambda connection: connection.cut(reset=False))

    def close(self, feed: str | None = None, *, code: int = 1000) -> int:
        """Close the WebSockets; this is also how 407 looks when its message got lost."""
        if code not in _EXTERNAL_CLOSE_CODES and not 3000 <= code < 5000:
            raise ValueError(f"code is {code}, expected 1000 to 1003, 1007 to 1014, 3000 to 4999")
        return self._each(feed, lambda connection: connection.close(code))

    def error(self, feed: str | None = None, *, code: int = 500, close: bool | None = None) -> int:
        """Send an error message, and close where the protocol does or `close` says so."""
        return self._each(feed, lambda connection: connection.refuse(code, close=close))

    def send(self, feed: str | None, payload: bytes) -> int:
        """Send these bytes as one binary frame; over HTTP they come in base64."""
        return self._each(feed, lambda connection: connection.send(payload, text=False))

    def send_text(self, feed: str | None, text: str) -> int:
        """Send this as one text frame."""
        return self._each(feed, lambda connection: connection.send(text.encode(), text=True))

    def send_messages(self, feed: str | None, messages: Messages) -> int:
        """Send messages in one frame to all, subscribed or not: late data, odd fields, any `T`.

        A time may be absent (= now); REST learns of the trades and quotes among them.
        """
        return self._send_frame(feed, self._ready(feed, messages))

    def garbage(self, feed: str | None = None) -> int:
        """Send a binary frame that is neither msgpack nor JSON."""
        return self.send(feed, _GARBAGE)

    def no_array(self, feed: str | None = None) -> int:
        """Send a well-formed message that is in no array."""
        lonely = {"T": "success", "msg": "no array"}
        return _strike(
            _chosen(self._market_data, feed),
            lambda one: one.send(encode(lonely, one.form), text=one.form is Format.JSON),
        )

    def malformed(self, feed: str | None = None, *, messages: Messages = ()) -> int:
        """Send a trade with all fields wrong, between the given messages, in one frame."""
        half = len(messages) // 2
        return self.send_messages(feed, [*messages[:half], _MALFORMED, *messages[half:]])

    def unknown_type(self, feed: str | None = None, *, messages: Messages = ()) -> int:
        """Send a message of a type that nobody knows, before the given ones, in one frame."""
        return self.send_messages(feed, [_UNKNOWN, *messages])

    def huge(
        self, feed: str | None = None, *, messages: Messages = (), size: int = 2 * 1024 * 1024
    ) -> int:
        """Send one frame of at least so many bytes: the given messages, then trades of `FILLER`."""
        if not 0 < size <= 1 << 28:
            raise ValueError(f"size is {size}, expected 1 to {1 << 28} bytes")
        given = self._ready(feed, messages)
        filler = self._observed(_FILLER)
        count = size // len(filler.encoded(Format.MSGPACK)) + 1
        return self._send_frame(feed, [*given, *[filler] * count])

    # what the other parts ask

    async def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end of the simulator."""
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            pass

    def end(self) -> None:
        """Let nobody wait any more."""
        self._over.set()

    def _arm(
        self,
        name: str,
        feed: str | None,
        count: int | None,
        seconds: float | None,
        *,
        code: int | None = None,
        close: bool | None = None,
    ) -> None:
        for endpoint in _chosen(self._endpoints, feed):
            fault = Fault(name, _STAGES[name], endpoint.feed.name, code, close)
            self._armed.arm(fault, count, seconds)

    def _ready(self, feed: str | None, messages: Messages) -> list[Outgoing]:
        _chosen(self._market_data, feed)
        if not all(isinstance(message.get("T"), str) for message in messages):
            raise ValueError('messages has one without a "T" that is text')
        return [self._observed(message) for message in messages]

    def _send_frame(self, feed: str | None, messages: Sequence[Outgoing]) -> int:
        def send(connection: Listener) -> None:
            form = connection.form
            encoded = [message.encoded(form) for message in messages]
            connection.send(join(encoded, form), text=form is Format.JSON)

        return _strike(_chosen(self._market_data, feed), send)

    def _each(self, feed: str | None, strike: Callable[[Listener], None]) -> int:
        return _strike(_chosen(self._endpoints, feed), strike)


_STAGES: Final[Mapping[str, Stage]] = {
    "refuse_upgrade": "upgrade",
    "mute_after_connect": "upgrade",
    "mute_after_auth": "auth",
    "refuse_auth": "auth",
    "refuse_subscribe": "subscribe",
    "ignore_subscribe": "subscribe",
}


def _chosen(endpoints: Mapping[str, Endpoint], feed: str | None) -> Sequence[Endpoint]:
    if feed is None:
        return list(endpoints.values())
    if feed not in endpoints:
        raise ValueError(f"feed is {feed!r}, expected one of {', '.join(endpoints)}")
    return [endpoints[feed]]


def _strike(endpoints: Sequence[Endpoint], strike: Callable[[Listener], None]) -> int:
    connections = [one for endpoint in endpoints for one in endpoint.listeners]
    for connection in connections:
        strike(connection)
    return len(connections)


def _status(status: int) -> int:
    if not 400 <= status < 600:
        raise ValueError(f"status is {status}, expected 400 to 599")
    return status
