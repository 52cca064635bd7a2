"""Requests of a gateway for data that only the ingest can get, and the replies to them."""

import hashlib
from typing import Literal, TypeAlias

import msgspec

from shared.option_chain import ContractType

Adjustment = Literal["raw", "split", "dividend", "spin-off", "all"]
"""The corporate actions for which the prices of bars are adjusted."""

BARS_AT_MOST = 10_000
"""The bars of one request, over all of its symbols."""

SYMBOLS_AT_MOST = 500

CONTRACTS_AT_MOST = 12_000
"""The contracts of one chain: that of SPY has some ten thousand."""

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


class ChainRequest(msgspec.Struct, frozen=True, kw_only=True, tag_field="of", tag="chain"):
    """The option chain of an underlying, a stock's symbol or the root of an index' options.

    ``expiration`` is a date such as 2026-12-18. None: all of them, and both types.
    """

    underlying: str
    expiration: str | None = None
    type: ContractType | None = None


class ChainReply(msgspec.Struct, kw_only=True, tag_field="of", tag="chain"):
    """The chain as of ``as_of`` (RFC 3339): ``contracts`` is the JSON of a list of ``count``.

    They are ``shared.option_chain.OptionContract``, by expiration, strike and type. ``feed`` is
    Alpaca's name of it; ``delayed``: its trades are fifteen minutes late, ``indicative``: its
    quotes are derived ones.
    """

    as_of: str
    feed: str
    delayed: bool
    indicative: bool
    count: int
    contracts: msgspec.Raw


class Failure(msgspec.Struct, kw_only=True, tag_field="of", tag="failure"):
    """Why there is no reply; ``message`` is for the client."""

    code: FailureCode
    message: str


Request: TypeAlias = BarsRequest | ChainRequest
"""The requests of all kinds."""

Data: TypeAlias = BarsReply | ChainReply

Reply: TypeAlias = Data | Failure

encode = msgspec.json.Encoder(order="sorted").encode
"""Equal requests have equal bytes."""

decode_request = msgspec.json.Decoder[BarsRequest | ChainRequest](Request).decode
decode_reply = msgspec.json.Decoder[BarsReply | ChainReply | Failure](Reply).decode


def digest_of(request: bytes) -> str:
    """Return the name of an encoded request."""
    return hashlib.sha256(request).hexdigest()[:40]
