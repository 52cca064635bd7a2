"""Messages as bytes, in the two formats of Alpaca's market-data streams.

A message here is a mapping of wire keys (`T`, `S`, `p`, …) whose times (`t`; in news `created_at`
and `updated_at`) are Unix times in nanoseconds. This module knows neither sockets nor sessions.
Source: docs.alpaca.markets/docs/streaming-market-data.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final, TypeAlias

import msgpack
import msgspec

from simulator.protocol import rfc3339

Message: TypeAlias = Mapping[str, object]

_STOCK_TIMES: Final = ("t",)
_BOOK_SIDES: Final = ("b", "a")
_NEWS_TIMES: Final = ("created_at", "updated_at")


class Format(Enum):
    """The encoding of a session, chosen in market data by its `Content-Type` request header."""

    JSON = "application/json"
    MSGPACK = "application/msgpack"

    @classmethod
    def of_content_type(cls, content_type: str) -> "Format":
        """Return msgpack if the client requests it, otherwise JSON text, as Alpaca does."""
        return cls.MSGPACK if content_type.lower().startswith(cls.MSGPACK.value) else cls.JSON


class UndecodableError(ValueError):
    """The bytes are not one message in the negotiated format."""


class Outgoing:
    """A message on its way to any number of sessions, encoded at most once per format."""

    __slots__ = ("_encoded", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self._encoded: dict[Format, bytes] = {}

    def encoded(self, form: Format) -> bytes:
        """Return the bytes of this message alone, outside of any array."""
        encoded = self._encoded.get(form)
        if encoded is None:
            encoded = self._encoded[form] = encode(self.message, form)
        return encoded


def encode(message: Message, form: Format) -> bytes:
    """Encode one message, `T` first: Alpaca's own Go decoder insists on it."""
    fields = {"T": message["T"], **message}
    if form is Format.JSON:
        return msgspec.json.encode(json_fields(fields))
    for name in times_of(message):
        if name in fields:
            fields[name] = _msgpack_timestamp(fields[name])
    packed: bytes = msgpack.packb(fields)
    return packed


def times_of(message: Message) -> Sequence[str]:
    """Return the keys of a message's times."""
    return _NEWS_TIMES if message.get("T") == "n" else _STOCK_TIMES


def json_fields(fields: Message) -> dict[str, object]:
    """Return the fields as JSON shows them: times as text, whole floats without a fraction."""
    shown = {key: _json_number(value) for key, value in fields.items()}
    for side in _BOOK_SIDES:
        if side in fields:
            shown[side] = _json_levels(fields[side])
    for name in times_of(fields):
        if isinstance(time := fields.get(name), int):
            shown[name] = rfc3339.render(time)
    return shown


def join(encoded: Sequence[bytes], form: Format) -> bytes:
    """Join encoded messages to one array frame; they are not encoded again."""
    if form is Format.JSON:
        return b"[" + b",".join(encoded) + b"]"
    return _msgpack_array_header(len(encoded)) + b"".join(encoded)


def decode(raw: bytes, form: Format) -> object:
    """Decode a client's message.

    Raises:
        UndecodableError: it is not valid in this format.
    """
    try:
        if form is Format.JSON:
            return msgspec.json.decode(raw)
        return msgpack.unpackb(raw)
    except (
        msgspec.DecodeError,
        msgpack.exceptions.UnpackException,
        ValueError,
        TypeError,  # a map whose key is a map
        RecursionError,
    ) as error:
        raise UndecodableError(str(error)) from error


def _json_number(value: object) -> object:
    # Go prints the double 136.0 as 136, so real clients receive that.
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value


def _json_levels(value: object) -> object:
    if not isinstance(value, list):
        return value
    return [
        {key: _json_number(part) for key, part in level.items()}
        if isinstance(level, dict)
        else level
        for level in value
    ]


def _msgpack_timestamp(time: object) -> object:
    return msgpack.Timestamp.from_unix_nano(time) if isinstance(time, int) else time


def _msgpack_array_header(length: int) -> bytes:
    if length < 16:
        return bytes([0x90 | length])
    if length < 1 << 16:
        return b"\xdc" + length.to_bytes(2, "big")
    return b"\xdd" + length.to_bytes(4, "big")
