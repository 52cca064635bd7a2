"""Faults on demand: `Simulator.faults`, and `POST /simulator/faults` from outside.

Some faults are armed for the next connections or requests: for `count` times, for `seconds`, or
once. The others strike the endpoint's open connections at once and return their number. `feed` None
means every endpoint, or for messages of market data every market-data endpoint. All raise
ValueError for invalid arguments, and then have no effect.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from simulator.account.broker import Broker
from simulator.faults.account_faults import AccountFaults
from simulator.faults.armed import ArmedFaults, Fault, Stage
from simulator.faults.bar_faults import BarFaults, chosen
from simulator.faults.odd_frames import odd_frames
from simulator.protocol.endpoint import Endpoint, Listener
from simulator.protocol.subscription import ACCOUNT
from simulator.protocol.wire import Format, Outgoing, encode, join

_GARBAGE: Final = b"\xc1\xff\x00\xfe garbage"  # msgpack does not use the byte 0xc1
_FILLER: Final[Mapping[str, object]] = {"T": "t", "i": 1, "S": "FILLER", "x": "V", "p": 1.0, "s": 1}
_MALFORMED: Final[Mapping[str, object]] = {"T": "t", "S": ["no symbol"], "p": "no price", "t": "?"}
_UNKNOWN: Final[Mapping[str, object]] = {"T": "unheard-of", "S": "FILLER", "p": 1.0}
_REST_ROOTS: Final = ("/v2/", "/v1beta1/", "/v1beta3/")
_EXTERNAL_CLOSE_CODES: Final = frozenset({*range(1000, 1004), *range(1007, 1015)})

Messages = Sequence[Mapping[str, object]]


class Faults(AccountFaults, BarFaults):
    """Breaks one simulator's streams and its REST."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        armed: ArmedFaults,
        observed: Callable[[Mapping[str, object]], Outgoing],
        broker: Broker,
        send_update: Callable[[str, int | None], int],
    ) -> None:
        """Set up the faults.

        Args:
            endpoints: The streams by name.
            armed: Holds the armed faults.
            observed: Prepares a message for sending and shows it to REST.
            broker: The account.
            send_update: Sends a bar of a minute, by default the newest, as an update.
        """
        AccountFaults.__init__(self, armed, broker)
        market_data = {name: one for name, one in endpoints.items() if name != ACCOUNT.name}
        BarFaults.__init__(self, armed, market_data, send_update)
        self._endpoints = endpoints
        self._observed = observed
        self._over = asyncio.Event()
        self._odd_frames_sent: Counter[str] = Counter()

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
        """Open the WebSocket, but send no message on it; pings are answered."""
        self._arm("mute_after_connect", feed, count, seconds)

    def mute_after_auth(
        self, feed: str | None = None, *, count: int | None = None, seconds: float | None = None
    ) -> None:
        """Greet, but answer neither the keys nor later messages; no slot is used."""
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
        """Answer the keys with an error, even if they are right."""
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
        """Neither answer nor apply a subscribe."""
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
            raise ValueError(f"delay_seconds is {delay_seconds}, expected 0 or more")
        if not path.startswith(_REST_ROOTS):
            *roots, last = _REST_ROOTS
            raise ValueError(
                f"path is {path!r}, expected one that starts with {', '.join(roots)} or {last}"
            )
        code = None if status is None else _status(status)
        fault = Fault("rest", "request", path, code, delay_seconds=delay_seconds)
        self._armed.arm(fault, count, seconds)

    def adjustment(
        self,
        symbol: str,
        *,
        ratio: float = 1.0,
        count: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Adjust a symbol's bars before today for a split of `ratio`, whatever the true one is.

        `ratio` is the number of new shares for one old share: 1 is an adjustment that is late.
        """
        if not 0 < ratio < float("inf"):
            raise ValueError(f"ratio is {ratio}, expected a number above 0")
        fault = Fault("adjustment", "adjustment", symbol, symbol=symbol, ratio=ratio)
        self._armed.arm(fault, count, seconds)

    def clear(self, feed: str | None = None) -> None:
        """Disarm the faults of a feed and send its withheld symbols; by default all, and REST's.

        Bars no longer count.
        """
        for endpoint in chosen(self._endpoints, feed):
            endpoint.withheld.clear()
            endpoint.counts_bars = False
        self._armed.clear(feed)

    # at once, on the open connections

    def mute(self, feed: str | None = None, *, seconds: float | None = None) -> int:
        """Send nothing more and process nothing, for a time or permanently; pings are answered.

        Messages published in the meantime are lost. New connections are served normally.
        """
        if seconds is not None and not seconds > 0:
            raise ValueError(f"seconds is {seconds}, expected a number above 0")
        return self._each(feed, lambda connection: connection.mute(seconds))

    def withhold(
        self,
        feed: str | None = None,
        *,
        symbol: str,
        seconds: float | None = None,
        is_lasting: bool = False,
    ) -> int:
        """Send no message of one symbol, although the stream lives and REST has its trades.

        It ends after `seconds`, if given, and when a client subscribes to the symbol again, unless
        `is_lasting`. A subscribe to a symbol that is still subscribed does not count.
        """
        if seconds is not None and not seconds > 0:
            raise ValueError(f"seconds is {seconds}, expected a number above 0")
        endpoints = chosen(self._market_data, feed)
        for endpoint in endpoints:
            endpoint.withheld.add(symbol, seconds, is_lasting=is_lasting)
        return sum(len(endpoint.listeners) for endpoint in endpoints)

    def half_open(self, feed: str | None = None) -> int:
        """Send nothing more, not even pongs; the socket stays open and keeps its slot."""
        return self._each(feed, lambda connection: connection.half_open())

    def reset(self, feed: str | None = None) -> int:
        """Reset the TCP connections; they keep their slots for `ghost_seconds`."""
        return self._each(feed, lambda connection: connection.cut(reset=True))

    def fin(self, feed: str | None = None) -> int:
        """End the TCP connections normally, but with no WebSocket close."""
        return self._each(feed, lambda connection: connection.cut(reset=False))

    def close(self, feed: str | None = None, *, code: int = 1000) -> int:
        """Close the WebSockets; this is also how 407 looks when its message is lost."""
        if code not in _EXTERNAL_CLOSE_CODES and not 3000 <= code < 5000:
            raise ValueError(f"code is {code}, expected 1000 to 1003, 1007 to 1014, 3000 to 4999")
        return self._each(feed, lambda connection: connection.close(code))

    def error(self, feed: str | None = None, *, code: int = 500, close: bool | None = None) -> int:
        """Send an error message, and close if the protocol or `close` requires it."""
        return self._each(feed, lambda connection: connection.refuse(code, close=close))

    def send(self, feed: str | None, payload: bytes) -> int:
        """Send these bytes as one binary frame; over HTTP they are in base64."""
        return self._each(feed, lambda connection: connection.send(payload, text=False))

    def send_text(self, feed: str | None, text: str) -> int:
        """Send this text as one text frame."""
        return self._each(feed, lambda connection: connection.send(text.encode(), text=True))

    def send_messages(self, feed: str | None, messages: Messages) -> int:
        """Send messages in one frame to all, subscribed or not: late data, odd fields, any `T`.

        A time may be absent (= now); REST also records the trades and quotes among them.
        """
        return self._send_frame(feed, self._ready(feed, messages))

    def garbage(self, feed: str | None = None) -> int:
        """Send a binary frame that is neither msgpack nor JSON."""
        return self.send(feed, _GARBAGE)

    def no_array(self, feed: str | None = None) -> int:
        """Send a well-formed message outside any array."""
        lonely = {"T": "success", "msg": "no array"}
        return _strike(
            chosen(self._market_data, feed),
            lambda one: one.send(encode(lonely, one.form), text=one.form is Format.JSON),
        )

    def malformed(self, feed: str | None = None, *, messages: Messages = ()) -> int:
        """Send a trade with all fields wrong, between the given messages, in one frame."""
        half = len(messages) // 2
        return self.send_messages(feed, [*messages[:half], _MALFORMED, *messages[half:]])

    def unknown_type(self, feed: str | None = None, *, messages: Messages = ()) -> int:
        """Send a message of an unknown type, before the given ones, in one frame."""
        return self.send_messages(feed, [_UNKNOWN, *messages])

    def odd_frame(
        self, feed: str | None = None, *, kind: str | None = None, symbol: str = "FILLER"
    ) -> int:
        """Send one of the `odd_frames` about a symbol; by default each call sends the next one."""
        endpoints = chosen(self._endpoints, feed)
        if kind is not None and not any(kind in odd_frames(one.feed.name) for one in endpoints):
            allowed = sorted({name for one in endpoints for name in odd_frames(one.feed.name)})
            raise ValueError(f"kind is {kind!r}, expected one of {', '.join(allowed)}")
        struck = 0
        for endpoint in endpoints:
            frames = odd_frames(endpoint.feed.name)
            name = kind or list(frames)[self._odd_frames_sent[endpoint.feed.name] % len(frames)]
            self._odd_frames_sent[endpoint.feed.name] += kind is None
            # The account's stream and the others have different kinds.
            if name in frames:
                struck += self.send(endpoint.feed.name, frames[name](symbol))
        return struck

    def huge(
        self, feed: str | None = None, *, messages: Messages = (), size: int = 2 * 1024 * 1024
    ) -> int:
        """Send one frame of at least `size` bytes: the given messages, then trades of `FILLER`.

        To crypto streams they are trades of `FILLER/USD`.
        """
        if not 0 < size <= 1 << 28:
            raise ValueError(f"size is {size}, expected 1 to {1 << 28} bytes")
        given, struck = self._ready(feed, messages), 0
        for endpoint in chosen(self._market_data, feed):
            pair = {"S": "FILLER/USD"} if endpoint.feed.has_pairs else {}
            filler = self._observed({**_FILLER, **pair})
            count = size // len(filler.encoded(Format.MSGPACK)) + 1
            struck += self._send_frame(endpoint.feed.name, [*given, *[filler] * count])
        return struck

    # queries of the other parts

    async def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end of the simulator."""
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            pass

    def end(self) -> None:
        """Wake everything that waits in `pause`."""
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
        for endpoint in chosen(self._endpoints, feed):
            fault = Fault(name, _STAGES[name], endpoint.feed.name, code, close)
            self._armed.arm(fault, count, seconds)

    def _ready(self, feed: str | None, messages: Messages) -> list[Outgoing]:
        chosen(self._market_data, feed)
        if not all(isinstance(message.get("T"), str) for message in messages):
            raise ValueError('messages has one without a "T" that is text')
        return [self._observed(message) for message in messages]

    def _send_frame(self, feed: str | None, messages: Sequence[Outgoing]) -> int:
        count = 0
        for endpoint in chosen(self._market_data, feed):
            sent = [each for each in messages if each.message.get("S") not in endpoint.withheld]

            def send(connection: Listener, sent: Sequence[Outgoing] = sent) -> None:
                form = connection.form
                encoded = [message.encoded(form) for message in sent]
                connection.send(join(encoded, form), text=form is Format.JSON)

            count += _strike([endpoint], send)
        return count

    def _each(self, feed: str | None, strike: Callable[[Listener], None]) -> int:
        return _strike(chosen(self._endpoints, feed), strike)


_STAGES: Final[Mapping[str, Stage]] = {
    "refuse_upgrade": "upgrade",
    "mute_after_connect": "upgrade",
    "mute_after_auth": "auth",
    "refuse_auth": "auth",
    "refuse_subscribe": "subscribe",
    "ignore_subscribe": "subscribe",
}


def _strike(endpoints: Sequence[Endpoint], strike: Callable[[Listener], None]) -> int:
    connections = [one for endpoint in endpoints for one in endpoint.listeners]
    for connection in connections:
        strike(connection)
    return len(connections)


def _status(status: int) -> int:
    if not 400 <= status < 600:
        raise ValueError(f"status is {status}, expected 400 to 599")
    return status
