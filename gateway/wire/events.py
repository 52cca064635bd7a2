"""The events that a gateway makes itself. What the ingest published is forwarded untouched."""

from contextlib import suppress
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.wire import sse
from shared import event_times, message
from shared.account import Account
from shared.event_id import NEVER, EventId
from shared.gap import GAP, Gap
from shared.position import Position
from shared.price import Price
from shared.topics import ACCOUNT, PRICE, key_of

ByeReason = Literal["shutdown", "slow", "expired", "max_age", "busy", "unavailable"]
NoPriceReason = Literal["no_trade_seen", "redis_unavailable"]

NOT_REPORTED = "no ingest has reported the account yet"
NOT_READ = "redis_unavailable: what is stored comes when Redis is back"
"""Why nothing is known of the account."""

_encode = msgspec.json.Encoder().encode


class Hello(msgspec.Struct, kw_only=True):
    """The first event of a stream: what was asked for, as understood.

    ``interval`` is in seconds; ``intervals`` are those of topics that have another one.
    """

    stream_id: str
    server_time: str
    heartbeat_seconds: float
    topics: list[str]
    denied: list[str]
    interval: float
    intervals: dict[str, float] | UnsetType = UNSET
    resumed: bool
    event_id: str


class Ready(msgspec.Struct):
    """The snapshot is complete; what follows is live."""

    event_id: str
    server_time: str


class Feed(msgspec.Struct, kw_only=True):
    """The upstream as this gateway sees it, through the ingest's reports."""

    event_id: str
    alpaca_connected: bool
    state: str
    reason: str | None
    since: str
    session: str
    next_open: str | None
    next_close: str | None
    lag_ms: float | None


class Heartbeat(msgspec.Struct, kw_only=True):
    """A sign of life that JavaScript can see, since comments are invisible to EventSource."""

    event_id: str
    server_time: str
    feed_state: str
    session: str
    lag_ms: float | None


class Bye(msgspec.Struct):
    """The server ends the stream; come back after ``retry_ms``."""

    event_id: str
    reason: ByeReason
    retry_ms: int


def hello(data: Hello, retry_ms: int) -> bytes:
    """Return the bytes of a ``hello``; whose gateway crashes comes back after ``retry_ms``."""
    return sse.event("hello", _encode(data), retry_ms=retry_ms)


def ready(cursor: EventId, server_time: str) -> bytes:
    """Return the bytes of a ``ready``."""
    return sse.event("ready", _encode(Ready(str(cursor), server_time)), cursor=cursor)


def feed(data: Feed) -> bytes:
    """Return the bytes of a ``feed``."""
    return sse.event("feed", _encode(data))


def heartbeat(cursor: EventId, data: Heartbeat) -> bytes:
    """Return the bytes of a ``heartbeat``."""
    return sse.event("heartbeat", _encode(data), cursor=cursor)


def bye(cursor: EventId, reason: ByeReason, retry_ms: int) -> bytes:
    """Return the bytes of a ``bye``; a native EventSource obeys its ``retry:`` line."""
    return sse.event("bye", _encode(Bye(str(cursor), reason, retry_ms)), retry_ms=retry_ms)


def lost(topic: str, position: EventId, first: bytes | None) -> bytes:
    """Return a ``gap``: of a topic something is missing after a position.

    ``first`` is the JSON of the first event that is there again, None where there is none yet.
    """
    until = None
    if first is not None:
        with suppress(msgspec.DecodeError):  # of another version
            until = event_times.decode(first).end
    body = _encode(Gap(topics=[topic], from_=None, to=until, reason="not_kept"))
    return sse.event(GAP, message.stamp(position, body))


def no_price(topic: str, reason: NoPriceReason) -> bytes:
    """Return a ``price`` event that says why there is no price; every published one is newer."""
    body = _encode(Price(symbol=key_of(topic), reason=reason))
    return sse.event(PRICE, message.stamp(NEVER, body))


def no_account(reason: str) -> bytes:
    """Return an ``account`` event that says why nothing is known; every published one is newer."""
    body = _encode(Account(state="unknown", reason=reason))
    return sse.event(ACCOUNT, message.stamp(NEVER, body))


def closed_position(symbol: str, event_id: EventId) -> bytes:
    """Return the JSON of a ``position`` event that says that there is none any more."""
    return message.stamp(event_id, _encode(Position(symbol=symbol, removed=True)))
