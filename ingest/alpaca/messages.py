"""Alpaca's messages, decoded into types; one by one if a message of the frame is malformed.

Sources: https://docs.alpaca.markets/docs/real-time-stock-pricing-data for stocks,
https://docs.alpaca.markets/docs/streaming-real-time-news for news. Fields that this project does
not read are left out; additional ones are no error.
"""

import struct
from typing import Any, TypeAlias

import msgspec

_unpack_uint64 = struct.Struct(">Q").unpack
_SECONDS_BITS = (1 << 34) - 1
_SECOND_NS = 1_000_000_000

Number: TypeAlias = int | float


class _Message(msgspec.Struct, tag_field="T", gc=False):
    """A message, identified by its ``T``."""


class Trade(_Message, tag="t", rename={"symbol": "S", "price": "p", "size": "s", "time": "t",
            "id": "i", "exchange": "x", "conditions": "c", "tape": "z"}):  # fmt: skip
    """A print."""

    symbol: str
    price: Number
    size: Number
    time: msgspec.msgpack.Ext
    id: int | None = None
    exchange: str | None = None
    conditions: tuple[str, ...] | None = None
    tape: str | None = None


class Quote(_Message, tag="q", rename={"symbol": "S", "bid": "bp", "bid_size": "bs",
            "bid_exchange": "bx", "ask": "ap", "ask_size": "as", "ask_exchange": "ax", "time": "t",
            "conditions": "c", "tape": "z"}):  # fmt: skip
    """The best bid and offer."""

    symbol: str
    bid: Number
    bid_size: Number
    ask: Number
    ask_size: Number
    time: msgspec.msgpack.Ext
    bid_exchange: str | None = None
    ask_exchange: str | None = None
    conditions: tuple[str, ...] | None = None
    tape: str | None = None


class TradingStatus(_Message, tag="s", rename={"symbol": "S", "code": "sc", "text": "sm",
            "reason_code": "rc", "reason": "rm", "time": "t", "tape": "z"}):  # fmt: skip
    """A halt, a resumption, an indication."""

    symbol: str
    code: str
    time: msgspec.msgpack.Ext
    text: str = ""
    reason_code: str = ""
    reason: str = ""
    tape: str | None = None


class Correction(_Message, tag="c", rename={"symbol": "S", "exchange": "x", "original_id": "oi",
            "original_price": "op", "original_size": "os", "id": "ci", "price": "cp", "size": "cs",
            "conditions": "cc", "time": "t", "tape": "z"}):  # fmt: skip
    """The corrected values of a print."""

    symbol: str
    original_id: int
    id: int
    price: Number
    size: Number
    time: msgspec.msgpack.Ext
    original_price: Number | None = None
    original_size: Number | None = None
    exchange: str | None = None
    conditions: tuple[str, ...] | None = None
    tape: str | None = None


class Cancel(_Message, tag="x", rename={"symbol": "S", "id": "i", "exchange": "x", "price": "p",
            "size": "s", "action": "a", "time": "t", "tape": "z"}):  # fmt: skip
    """The cancel of a print."""

    symbol: str
    id: int
    time: msgspec.msgpack.Ext
    price: Number | None = None
    size: Number | None = None
    exchange: str | None = None
    action: str | None = None
    tape: str | None = None


class News(_Message, tag="n"):
    """An article or a later version of it; the times come in two forms."""

    id: int
    headline: str
    created_at: msgspec.msgpack.Ext | str
    updated_at: msgspec.msgpack.Ext | str
    summary: str = ""
    author: str = ""
    source: str = ""
    url: str | None = None
    symbols: list[str] = []


class Subscribed(_Message, tag="subscription"):
    """The response to a change of the subscription: the entire set, channel by channel."""

    trades: list[str] | None = None
    quotes: list[str] | None = None
    statuses: list[str] | None = None
    news: list[str] | None = None

    def channels(self) -> dict[str, list[str]]:
        """Return the symbols of each channel that has any."""
        return {name: symbols for name, symbols in msgspec.structs.asdict(self).items() if symbols}


class Error(_Message, tag="error"):
    """An error by Alpaca's code."""

    code: int | None = None
    msg: str = "an error without a message"


class Success(_Message, tag="success"):
    """``connected`` or ``authenticated``."""

    msg: str = ""


class Unknown(msgspec.Struct, frozen=True):
    """A message of an unknown kind."""

    kind: str


class Malformed(msgspec.Struct, frozen=True):
    """A message of a known kind in another form."""

    kind: str
    problem: str


Data: TypeAlias = Trade | Quote | TradingStatus | Correction | Cancel | News
Message: TypeAlias = Data | Subscribed | Error | Success | Unknown | Malformed

_Known: TypeAlias = Data | Subscribed | Error | Success
_decode_frame = msgspec.msgpack.Decoder(list[_Known]).decode
_decode_one = msgspec.msgpack.Decoder(_Known).decode
_split = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_decode_any = msgspec.msgpack.Decoder().decode
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError)
_TAGS = {str(kind.__struct_config__.tag) for kind in _Known.__args__}


class BadFrameError(Exception):
    """A frame that is not an array of messages."""


def decode(frame: bytes | str) -> list[Any]:
    """Return the messages of a frame, each a ``Message``.

    Raises:
        BadFrameError: it is not a msgpack array.
    """
    if isinstance(frame, str):
        raise BadFrameError(f"{len(frame)} characters of text where msgpack was requested")
    try:
        return _decode_frame(frame)
    except _UNDECODABLE:  # one of the messages is unknown or malformed; decode the others
        pass
    try:
        return [_one(raw) for raw in _split(frame)]
    except msgspec.DecodeError as error:
        raise BadFrameError(f"{len(frame)} bytes that are no array of messages: {error}") from error


def nanoseconds(time: msgspec.msgpack.Ext) -> int:
    """Return a msgpack timestamp as unix nanoseconds.

    Raises:
        ValueError: it is not a timestamp.
    """
    data: bytes = time.data  # type: ignore[assignment]  # of all buffers
    if time.code == -1:
        if len(data) == 8:
            packed: int = _unpack_uint64(data)[0]
            return (packed & _SECONDS_BITS) * _SECOND_NS + (packed >> 34)
        if len(data) == 4:
            return int.from_bytes(data, "big") * _SECOND_NS
        if len(data) == 12:
            seconds = int.from_bytes(data[4:], "big", signed=True)
            return seconds * _SECOND_NS + int.from_bytes(data[:4], "big")
    raise ValueError(f"extension {time.code} with {len(data)} bytes is not a msgpack timestamp")


def _one(raw: msgspec.Raw) -> Message:
    try:
        known: _Known = _decode_one(raw)
    except _UNDECODABLE as error:
        problem = str(error)
    else:
        return known
    try:
        whole = _decode_any(raw)
    except _UNDECODABLE:
        whole = None
    kind = str(whole.get("T")) if isinstance(whole, dict) else ""
    return Malformed(kind, problem) if kind in _TAGS or not kind else Unknown(kind)
