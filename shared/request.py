"""Requests of a gateway for data that only the ingest can get, and the replies to them."""

import hashlib
from typing import Literal, TypeAlias

import msgspec

Adjustment = Literal["raw", "split", "dividend", "spin-off", "all"]
"""The corporate actions for which the prices of bars are adjusted."""

BARS_AT_MOST = 10_000
"""The bars of one request, over all of its symbols."""

SYMBOLS_AT_MOST = 500

FailureCode = Literal["upstream_failed", "too_many_rows", "unsupported"]


class BarsRequest(msgspec.Struct, frozen=True, kw_only=True, tag_field="of", tag="bars"):
    """Bars that start from ``start`` to ``end``, both included, in unix s.

    None: as far back as the feed goes, and now. Then equal requests of some seconds are one.
    ``symbols`` are stock symbols in order, each once. ``limit`` is the most bars of each symbol:
    the newest ones. ``timeframe`` is one of ``shared.bar``'s.
    """

    symbols: tuple[str, ...]
    timeframe: str
    start: int | None
    end: int | None
    limit: int
    adjustment: Adjustment = "split"


class BarsReply(msgspec.Struct, kw_only=True, tag_field="of", tag="bars"):
    """The bars by symbol, oldest first, each with its start (unix s) and as the JSON of an event.

    ``complete_from``: the time (unix s) from which on these are all bars.
    """

    bars: dict[str, list[tuple[int, msgspec.Raw]]]
    complete_from: dict[str, int]


class Failure(msgspec.Struct, kw_only=True, tag_field="of", tag="failure"):
    """Why there is no reply; ``message`` is for the client."""

    code: FailureCode
    message: str


Request: TypeAlias = BarsRequest
"""The requests of all kinds; a further kind makes it a union."""

Reply: TypeAlias = BarsReply | Failure

encode = msgspec.json.Encoder(order="sorted").encode
"""Equal requests have equal bytes."""

decode_request = msgspec.json.Decoder(Request).decode
decode_reply = msgspec.json.Decoder[BarsReply | Failure](Reply).decode


def digest_of(request: bytes) -> str:
    """Return the name of an encoded request."""
    return hashlib.sha256(request).hexdigest()[:40]
