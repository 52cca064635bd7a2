"""The lines of a capture: one JSON object each. No I/O.

A frame is stored as ``text`` or, if it is binary, as ``base64``, and so is the body of a
REST response. ``docs/simulator.md`` describes the format for its readers.
"""

from typing import Literal

import msgspec

FORMAT = "tapecast-capture"
VERSION = 1

Kind = Literal["capture", "connect", "refused", "received", "sent", "end", "rest", "stop"]


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One line; its JSON has only the fields that its kind needs.

    ``at`` is unix ns, ``monotonic`` ns of the ingest's monotonic clock. ``connection`` numbers the
    attempts of all streams of a file, from 1. ``duration`` of a REST exchange is in ns, ``path``
    includes the query. ``by`` is the side that ended a connection.
    """

    kind: Kind
    at: int
    monotonic: int
    format: str | None = None
    version: int | None = None
    feed: str | None = None
    stream: str | None = None
    connection: int | None = None
    method: str | None = None
    path: str | None = None
    status: int | None = None
    duration: int | None = None
    by: Literal["alpaca", "ingest"] | None = None
    code: int | None = None
    reason: str | None = None
    text: str | None = None
    base64: bytes | None = None


_encode = msgspec.json.Encoder().encode


def line_of(record: Record) -> bytes:
    """Return the line of a record, with its newline."""
    return _encode(record) + b"\n"
