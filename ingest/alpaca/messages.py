"""Alpaca's messages as types, and their decoder.

Sources: https://docs.alpaca.markets/docs/real-time-stock-pricing-data for stocks,
https://docs.alpaca.markets/docs/real-time-crypto-pricing-data for order books,
https://docs.alpaca.markets/docs/streaming-real-time-news for news. Fields that this project does
not read are left out; additional ones are no error. A field with a default costs itself if it has
another form; any other field costs its message, and so does each field of an order book.
"""

from typing import Annotated, TypeAlias

import msgspec

from ingest.alpaca.bounds import (
    EARLIEST_NS,
    LATEST_NS,
    Code,
    Codes,
    Count,
    LevelSize,
    LongText,
    Number,
    Price,
    Symbol,
    Symbols,
    Text,
    Time,
    Url,
    Volume,
)
from ingest.alpaca.decoder import FrameDecoder
from ingest.alpaca.unreadable import LostFields, Malformed, Unknown

MOST_LEVELS = 100_000
"""The levels of one side in a message. A frame of 16 MiB has room for seven times as many."""

_SECONDS_BITS = (1 << 34) - 1
_SECOND_NS = 1_000_000_000


class _Message(msgspec.Struct, tag_field="T", gc=False):
    """A message, identified by its ``T``."""


class Trade(_Message, tag="t", rename={"symbol": "S", "price": "p", "size": "s", "time": "t",
            "id": "i", "exchange": "x", "conditions": "c", "tape": "z",
            "taker_side": "tks"}):  # fmt: skip
    """A print."""

    symbol: Symbol
    price: Price
    time: msgspec.msgpack.Ext
    size: Number = None  # type: ignore[assignment]  # null is another form, and counted as one
    id: int | None = None
    exchange: Code | None = None
    conditions: Codes | None = None
    tape: Code | None = None
    taker_side: Code | None = None


class Quote(_Message, tag="q", rename={"symbol": "S", "bid": "bp", "bid_size": "bs",
            "bid_exchange": "bx", "ask": "ap", "ask_size": "as", "ask_exchange": "ax", "time": "t",
            "conditions": "c", "tape": "z"}):  # fmt: skip
    """The best bid and offer. A side whose price or size is 0 does not exist."""

    symbol: Symbol
    time: msgspec.msgpack.Ext
    bid: Number = 0
    bid_size: Number = 0
    ask: Number = 0
    ask_size: Number = 0
    bid_exchange: Code | None = None
    ask_exchange: Code | None = None
    conditions: Codes | None = None
    tape: Code | None = None


class TradingStatus(_Message, tag="s", rename={"symbol": "S", "code": "sc", "text": "sm",
            "reason_code": "rc", "reason": "rm", "time": "t", "tape": "z"}):  # fmt: skip
    """A halt, a resumption, an indication."""

    symbol: Symbol
    code: Code
    text: Text = ""
    time: msgspec.msgpack.Ext | None = None
    reason_code: Code = ""
    reason: Text = ""
    tape: Code | None = None


class PriceBands(_Message, tag="l", rename={"symbol": "S", "limit_up": "u", "limit_down": "d",
                 "indicator": "i", "time": "t", "tape": "z"}):  # fmt: skip
    """The bands of Limit Up-Limit Down. A bound of 0 is none."""

    symbol: Symbol
    time: msgspec.msgpack.Ext
    limit_up: Number = 0
    limit_down: Number = 0
    indicator: Code | None = None
    tape: Code | None = None


class Imbalance(_Message, tag="i", rename={"symbol": "S", "price": "p", "time": "t",
                "tape": "z"}):  # fmt: skip
    """An imbalance of the orders to buy and to sell, mostly during a halt."""

    symbol: Symbol
    price: Price
    time: msgspec.msgpack.Ext
    tape: Code | None = None


class Correction(_Message, tag="c", rename={"symbol": "S", "exchange": "x", "original_id": "oi",
            "original_price": "op", "original_size": "os", "id": "ci", "price": "cp", "size": "cs",
            "conditions": "cc", "time": "t", "tape": "z"}):  # fmt: skip
    """The corrected values of a print."""

    symbol: Symbol
    original_id: int
    id: int
    price: Price
    time: msgspec.msgpack.Ext
    size: Number | None = None
    original_price: Number | None = None
    original_size: Number | None = None
    exchange: Code | None = None
    conditions: Codes | None = None
    tape: Code | None = None


class Cancel(_Message, tag="x", rename={"symbol": "S", "id": "i", "exchange": "x", "price": "p",
            "size": "s", "action": "a", "time": "t", "tape": "z"}):  # fmt: skip
    """The cancel of a print."""

    symbol: Symbol
    id: int
    time: msgspec.msgpack.Ext
    price: Number | None = None
    size: Number | None = None
    exchange: Code | None = None
    action: Code | None = None
    tape: Code | None = None


class _Bar(_Message, rename={"symbol": "S", "time": "t", "open": "o", "high": "h", "low": "l",
           "close": "c", "volume": "v", "trade_count": "n", "vwap": "vw"}):  # fmt: skip
    """The trading of a span that starts at ``time``."""

    symbol: Symbol
    time: msgspec.msgpack.Ext | Time
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Volume
    trade_count: Count | None = None
    vwap: Number | None = None


class MinuteBar(_Bar, tag="b"):
    """A minute's bar, some tenths of a second after its end."""


class UpdatedBar(_Bar, tag="u"):
    """A minute's bar again, half a minute later: late trades belong to it."""


class DayBar(_Bar, tag="d"):
    """The day so far, each minute; after the close it stays the same."""


class Level(msgspec.Struct, rename={"price": "p", "size": "s"}, gc=False):
    """A price of an order book and the whole size there. 0: the level is gone."""

    price: Price
    size: LevelSize


Levels: TypeAlias = Annotated[list[Level], msgspec.Meta(max_length=MOST_LEVELS)]


class OrderBook(_Message, tag="o", rename={"symbol": "S", "time": "t", "bids": "b", "asks": "a",
                "reset": "r"}):  # fmt: skip
    """Changed levels of an order book, or with ``reset`` the whole book. No side: no level of it.

    A later one of two levels with one price counts.
    """

    symbol: Symbol
    time: msgspec.msgpack.Ext | Time
    bids: Levels | None = None
    asks: Levels | None = None
    reset: bool = False


class News(_Message, tag="n"):
    """An article or a later version of it; the times come in two forms."""

    id: int
    headline: LongText
    created_at: msgspec.msgpack.Ext | Time
    updated_at: msgspec.msgpack.Ext | Time
    summary: LongText = ""
    author: Text = ""
    source: Text = ""
    url: Url | None = None
    symbols: Symbols = []


class Subscribed(_Message, tag="subscription", rename="camel"):
    """The response to a change of the subscription: the entire set, channel by channel."""

    trades: list[str] | None = None
    quotes: list[str] | None = None
    statuses: list[str] | None = None
    lulds: list[str] | None = None
    imbalances: list[str] | None = None
    bars: list[str] | None = None
    updated_bars: list[str] | None = None
    daily_bars: list[str] | None = None
    orderbooks: list[str] | None = None
    news: list[str] | None = None

    def channels(self) -> dict[str, list[str]]:
        """Return the symbols of each channel that has any, by the channel's name."""
        return {
            name: symbols
            for field, name in zip(
                self.__struct_fields__, self.__struct_encode_fields__, strict=True
            )
            if (symbols := getattr(self, field))
        }


class Error(_Message, tag="error"):
    """An error by Alpaca's code."""

    code: int | None = None
    msg: str = "an error without a message"


class Success(_Message, tag="success"):
    """``connected`` or ``authenticated``."""

    msg: str = ""


Bar: TypeAlias = MinuteBar | UpdatedBar | DayBar
Data: TypeAlias = (
    Trade
    | Quote
    | TradingStatus
    | PriceBands
    | Imbalance
    | Correction
    | Cancel
    | Bar
    | OrderBook
    | News
)
Message: TypeAlias = Data | Subscribed | Error | Success | Unknown | Malformed | LostFields

decode = FrameDecoder(
    [
        *(Trade, Quote, TradingStatus, PriceBands, Imbalance, Correction, Cancel),
        *(MinuteBar, UpdatedBar, DayBar, OrderBook, News),
    ],
    [Subscribed, Error, Success],
    # A book that has missed one level is wrong.
    whole={"o"},
).decode
"""Returns the messages of a frame, each a ``Message``, or raises ``BadFrameError``."""


def nanoseconds(time: msgspec.msgpack.Ext) -> int:
    """Return a msgpack timestamp as unix nanoseconds.

    Raises:
        ValueError: it is not a timestamp of the years 1 to 9999.
    """
    data: bytes = time.data  # type: ignore[assignment]  # of all buffers
    if time.code == -1:
        if len(data) == 8:
            packed = int.from_bytes(data, "big")
            return (packed & _SECONDS_BITS) * _SECOND_NS + (packed >> 34)
        if len(data) == 4:
            return int.from_bytes(data, "big") * _SECOND_NS
        if len(data) == 12:
            # Only this form can express a time that no calendar has.
            seconds = int.from_bytes(data[4:], "big", signed=True)
            at_ns = seconds * _SECOND_NS + int.from_bytes(data[:4], "big")
            if EARLIEST_NS <= at_ns <= LATEST_NS:
                return at_ns
            raise ValueError(f"{seconds} s is not a time of the years 1 to 9999")
    raise ValueError(f"extension {time.code} with {len(data)} bytes is not a msgpack timestamp")
