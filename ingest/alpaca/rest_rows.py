"""Alpaca's REST rows of stock data, decoded: trades, quotes, bars, and snapshots of all three.

Source: https://docs.alpaca.markets/reference/stocksnapshots-1 and its neighbours. Times stay
RFC 3339 text. Fields that this project does not read are left out; additional ones are no error.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from ingest.alpaca.messages import Number


class Trade(msgspec.Struct, rename={"time": "t", "price": "p", "size": "s", "id": "i",
            "exchange": "x", "conditions": "c", "tape": "z", "update": "u"}):  # fmt: skip
    """A row of ``/v2/stocks/trades``, and the ``latestTrade`` of a snapshot.

    ``update`` is the later fate of the print: ``canceled``, ``incorrect`` (a correction replaced
    it), or ``corrected`` (it is the replacement).
    """

    time: str
    price: Number
    size: Number
    id: int | None = None
    exchange: str | None = None
    conditions: tuple[str, ...] | None = None
    tape: str | None = None
    update: str | None = None


class Quote(msgspec.Struct, rename={"time": "t", "bid": "bp", "bid_size": "bs",
            "bid_exchange": "bx", "ask": "ap", "ask_size": "as", "ask_exchange": "ax",
            "conditions": "c", "tape": "z"}):  # fmt: skip
    """The ``latestQuote`` of a snapshot."""

    time: str
    bid: Number
    bid_size: Number
    ask: Number
    ask_size: Number
    bid_exchange: str | None = None
    ask_exchange: str | None = None
    conditions: tuple[str, ...] | None = None
    tape: str | None = None


class Bar(msgspec.Struct, rename={"time": "t", "open": "o", "high": "h", "low": "l",
          "close": "c", "volume": "v", "trade_count": "n", "vwap": "vw"}):  # fmt: skip
    """A row of ``/v2/stocks/bars``, and each bar of a snapshot; ``time`` is its start."""

    time: str
    close: Number
    open: Number | None = None
    high: Number | None = None
    low: Number | None = None
    volume: Number | None = None
    trade_count: int | None = None
    vwap: Number | None = None


class Snapshot(msgspec.Struct, rename="camel"):
    """One symbol's value in the answer of ``/v2/stocks/snapshots``."""

    latest_trade: Trade | None = None
    latest_quote: Quote | None = None
    minute_bar: Bar | None = None
    daily_bar: Bar | None = None
    prev_daily_bar: Bar | None = None


class _NewestTrade(msgspec.Struct, rename="camel"):
    latest_trade: Trade | None = None


def read_newest_trade(snapshot: Any) -> Trade | None:
    """Decode the newest trade of a snapshot, whatever form its other parts have.

    Raises:
        ValueError: the trade has another form.
    """
    return msgspec.convert(snapshot, _NewestTrade).latest_trade


def read_trade(row: Any) -> Trade:
    """Decode a trade.

    Raises:
        ValueError: the row has another form.
    """
    return msgspec.convert(row, Trade)


def read_bar(row: Any) -> Bar:
    """Decode a bar.

    Raises:
        ValueError: the row has another form.
    """
    return msgspec.convert(row, Bar)


def read_snapshot(row: Mapping[str, Any]) -> Snapshot:
    """Decode a snapshot.

    Raises:
        ValueError: the row has another form.
    """
    return msgspec.convert(row, Snapshot)
