"""Frames that Alpaca's protocol does not allow, or hardly: each has broken a client. Pure.

Market data is msgpack, the account's events are JSON text. `symbol` names the stock or the pair
that a frame is about.
"""

import json
import struct
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgpack

from simulator.protocol.subscription import ACCOUNT, CRYPTO_FEEDS

OddFrame: TypeAlias = Callable[[str], bytes]
"""Makes the frame for a symbol."""

ODD_NS: Final = 1_384_000_000_000_000_000
"""The time (Unix ns) of the frames' messages: some of these are prints that a client can read."""

_TIME: Final = msgpack.Timestamp.from_unix_nano(ODD_NS)
_CRYPTO_STREAMS: Final = frozenset(feed.name for feed in CRYPTO_FEEDS)
_DEEP: Final = 1_000
"""Levels of nesting: more than a recursive decoder in Python survives."""


class _Packed(bytes):
    """A value that is already msgpack."""


# fmt: off
_TRADE: Final[Mapping[str, object]] = {
    "T": "t", "i": 1, "x": "V", "p": 1.0, "s": 100, "c": ["@"], "z": "C", "t": _TIME,
}
_QUOTE: Final[Mapping[str, object]] = {
    "T": "q", "bx": "V", "bp": 1.0, "bs": 1, "ax": "V", "ap": 1.1, "as": 1, "t": _TIME,
}
_BOOK: Final[Mapping[str, object]] = {
    "T": "o", "t": _TIME, "b": [{"p": 1.0, "s": 2.0}], "a": [{"p": 1.1, "s": 2.0}],
}
_NEWS: Final[Mapping[str, object]] = {
    "T": "n", "id": 1, "headline": "Odd", "created_at": _TIME, "updated_at": _TIME,
}
_ORDER: Final[Mapping[str, object]] = {
    "id": "odd", "symbol": "FILLER", "side": "buy", "status": "filled", "qty": "1",
}
_FILL: Final[Mapping[str, object]] = {
    "event": "fill", "timestamp": "2026-11-16T15:00:00Z", "execution_id": "odd",
    "price": "1", "qty": "1", "position_qty": "1",
}
# fmt: on


def _time(seconds: int) -> _Packed:
    """Return a time in its form of twelve bytes, which holds any number of 64 bits."""
    return _Packed(b"\xc7\x0c\xff" + struct.pack(">Iq", 0, seconds))


def _frame(*messages: Mapping[str, object]) -> bytes:
    packed = [_map(message) for message in messages]
    return bytes([0x90 | len(packed)]) + b"".join(packed)


def _map(message: Mapping[str, object]) -> bytes:
    pairs = (
        msgpack.packb(key) + (value if isinstance(value, _Packed) else msgpack.packb(value))
        for key, value in message.items()
    )
    return bytes([0x80 | len(message)]) + b"".join(pairs)


def _odd(base: Mapping[str, object], **fields: object) -> OddFrame:
    return lambda symbol: _frame({**base, "S": symbol, **fields})


def _odd_update(
    fields: Mapping[str, object], order: Mapping[str, object] | None = None
) -> OddFrame:
    def frame(symbol: str) -> bytes:
        data = {**_FILL, "order": {**_ORDER, "symbol": symbol, **(order or {})}, **fields}
        return json.dumps({"stream": "trade_updates", "data": data}).encode()

    return frame


_MARKET: Final[Mapping[str, OddFrame]] = {
    # A time that datetime cannot hold, in a message of an unknown type.
    "year_10000": lambda _: _frame({"T": "z", "t": _time(253_402_300_800)}),
    # The C library cannot convert this time.
    "seconds_2_63": _odd(_QUOTE, t=_time(2**63 - 1)),
    "nested": lambda _: b"\x91" * _DEEP + b"\xc0",
    "nested_field": _odd(_TRADE, r=_Packed(b"\x91" * _DEEP + b"\xc0")),
    "nested_map": _odd(_TRADE, r=_Packed(b"\x81\xa1k" * _DEEP + b"\xc0")),
    "null_size": _odd(_TRADE, s=None),
    "text_conditions": _odd(_TRADE, c="@"),
    "odd_fields": _odd(_TRADE, s="many", c={"@": 1}, i="one", x=7, z=["C"]),
    "nan_price": _odd(_TRADE, p=float("nan")),
    "infinite_size": _odd(_TRADE, s=float("inf")),
    "huge_price": _odd(_TRADE, p=1e300),
    "no_price": _odd(_TRADE, p=None),
    "odd_quote": _odd(_QUOTE, bp=None, c=5, z=1),
    "long_text": _odd({"T": "s", "sc": "H", "t": _TIME, "sm": "x" * 100_000}),
    "not_utf8": lambda _: _frame({**_TRADE, "S": _Packed(b"\xa2\xff\xfe")}),
    "null_news": lambda symbol: _frame(
        {**_NEWS, "summary": None, "author": None, "url": None, "symbols": [symbol, None]}
    ),
    "late_news": lambda symbol: _frame(
        {**_NEWS, "symbols": [symbol], "updated_at": _time(2**63 - 1)}
    ),
}

_PAIRS: Final[Mapping[str, OddFrame]] = {
    **_MARKET,
    "null_levels": _odd(_BOOK, b=None, a=None, r=True),
    "no_levels": lambda symbol: _frame({"T": "o", "S": symbol, "t": _TIME, "r": True}),
    "odd_levels": _odd(_BOOK, b={"p": 1.0, "s": 2.0}, a=[7, {"p": "x", "s": 1.0}, {"s": 1.0}]),
    "nan_level": _odd(_BOOK, b=[{"p": float("nan"), "s": 1.0}], a=[{"p": 1.1, "s": float("inf")}]),
    "negative_level": _odd(_BOOK, b=[{"p": -1.0, "s": 1.0}, {"p": 1.0, "s": -1.0}]),
    "zero_level": _odd(_BOOK, b=[{"p": 0.0, "s": 1.0}], r=True),
    "nested_levels": _odd(_BOOK, b=_Packed(b"\x91" * _DEEP + b"\xc0")),
    "many_levels": _odd(_BOOK, b=[{"p": 1 / at, "s": 1.0} for at in range(1, 20_001)], r=True),
    "text_reset": _odd(_BOOK, r="yes"),
    "crossed_book": _odd(_BOOK, b=[{"p": 2.0, "s": 1.0}], r=True),
    "odd_id": _odd(_TRADE, i=1.5),
    "negative_id": _odd(_TRADE, i=-(2**63)),
    "largest_id": _odd(_TRADE, i=2**64 - 1),
}

_TRADE_UPDATES: Final[Mapping[str, OddFrame]] = {
    "nested": lambda _: b"[" * _DEEP + b"null" + b"]" * _DEEP,
    "nested_field": lambda _: (
        b'{"stream":"trade_updates","data":{"event":"new","odd":'
        + b"[" * _DEEP
        + b"]" * _DEEP
        + b"}}"
    ),
    "huge_price": _odd_update({"price": "1e30"}),
    "huge_quantity": _odd_update({"qty": "1e25", "position_qty": "1e25"}),
    "nan_price": _odd_update({"price": "NaN"}),
    "tiny_price": _odd_update({"price": "1E-1000000"}),
    "many_digits": _odd_update({"price": "9" * 100_000}),
    "year_10000": _odd_update({"timestamp": "10000-01-01T00:00:00Z"}),
    "odd_fields": _odd_update({}, {"order_class": 7, "limit_price": [], "filled_qty": "NaN"}),
    "null_order": _odd_update({"order": None}),
}


def odd_frames(stream: str) -> Mapping[str, OddFrame]:
    """Return the odd frames of a stream by name."""
    if stream == ACCOUNT.name:
        return _TRADE_UPDATES
    return _PAIRS if stream in _CRYPTO_STREAMS else _MARKET
