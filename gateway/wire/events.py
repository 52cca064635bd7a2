"""The events that a gateway makes itself. It forwards the ingest's events unchanged."""

from contextlib import suppress
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from shared import event_times, message
from shared.account import Account
from shared.event_id import NEVER, EventId
from shared.gap import Gap
from shared.position import Position
from shared.price import Price

ByeReason = Literal["shutdown", "slow", "expired", "max_age", "busy", "unavailable"]
EndReason = ByeReason | Literal["left"]
"""Why a stream has ended: the reason of its ``bye``, or its peer has gone."""
NoPriceReason = Literal["no_trade_seen", "redis_unavailable"]

NOT_REPORTED = "no ingest has reported the account yet"
NOT_READ = "redis_unavailable: the stored values follow when Redis is reachable again"
"""The two reasons why the account is unknown."""

_encode = msgspec.json.Encoder().encode


class Hello(msgspec.Struct, kw_only=True):
    """The first event of a stream: the request, as the gateway understood it.

    ``interval`` is in seconds; ``intervals`` holds the topics that have another one. ``invented``:
    the symbols of the topics whose data a simulator invents; none if the data are Alpaca's.
    """

    stream_id: str
    server_time: str
    heartbeat_seconds: float
    topics: list[str]
    denied: list[str]
    invented: list[str]
    interval: float
    intervals: dict[str, float] | UnsetType = UNSET
    resumed: bool
    event_id: str


class Ready(msgspec.Struct):
    """The end of the snapshot; live events follow. ``server_time`` is RFC 3339."""

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
    """The server ends the stream; the client may reconnect after ``retry_ms``."""

    event_id: str
    reason: ByeReason
    retry_ms: int


def encode(data: msgspec.Struct) -> bytes:
    """Return an event's JSON on one line."""
    return _encode(data)


def lost(topic: str, position: EventId, first: bytes | None) -> bytes:
    """Return the JSON of a ``gap``: events of a topic after a position are lost.

    ``first`` is the JSON of the first event after the gap, None if there is none yet.
    """
    until = None
    if first is not None:
        with suppress(msgspec.DecodeError):  # an event of another version
            until = event_times.decode(first).end
    body = _encode(Gap(topics=[topic], from_=None, to=until, reason="not_kept"))
    return message.stamp(position, body)


def started_over(topic: str, position: EventId) -> bytes:
    """Return the JSON of a ``gap``: the ids up to a position are void, and lower ones follow."""
    body = _encode(Gap(topics=[topic], from_=None, to=None, reason="started_over"))
    return message.stamp(position, body)


def no_price(symbol: str, reason: NoPriceReason) -> bytes:
    """Return the JSON of a ``price`` event with the reason why there is no price.

    Its id is older than that of each published event.
    """
    return message.stamp(NEVER, _encode(Price(symbol=symbol, reason=reason)))


def no_account(reason: str) -> bytes:
    """Return the JSON of an ``account`` event with the reason why nothing is known.

    Its id is older than that of each published event.
    """
    return message.stamp(NEVER, _encode(Account(state="unknown", reason=reason)))


def closed_position(symbol: str, event_id: EventId) -> bytes:
    """Return the JSON of a ``position`` event for a position that was closed."""
    return message.stamp(event_id, _encode(Position(symbol=symbol, removed=True)))
