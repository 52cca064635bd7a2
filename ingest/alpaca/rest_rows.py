"""Alpaca's REST rows of stock data, decoded: trades, quotes, bars, and snapshots of all three.

Source: https://docs.alpaca.markets/reference/stocksnapshots-1 and its neighbours. Times stay
RFC 3339 text. Fields that this project does not read are left out; additional ones are no error. A
field with a default costs itself if it has another form; any other field costs its row.
"""

from typing import Any, TypeAlias

import msgspec

from ingest.alpaca.bounds import Code, Codes, Count, Number, Time
from ingest.alpaca.tolerant import read_object, strictly

AnyNumber: TypeAlias = int | float
"""A price, or a number that is none: zero, NaN, too large. Its reader decides."""


class Trade(msgspec.Struct, rename={"time": "t", "price": "p", "size": "s", "id": "i",
            "exchange": "x", "conditions": "c", "tape": "z", "update": "u",
            "taker_side": "tks"}):  # fmt: skip
    """A row of ``/v2/stocks/trades``, and the ``latestTrade`` of a snapshot.

    ``update`` is the later fate of the print: ``canceled``, ``incorrect`` (a correction replaced
    it), or ``corrected`` (it is the replacement).
    """

    time: Time
    price: AnyNumber
    size: Number | None = None
    id: int | None = None
    exchange: Code | None = None
    conditions: Codes | None = None
    tape: Code | None = None
    taker_side: Code | None = None
    update: Code | None = None


class Quote(msgspec.Struct, rename={"time": "t", "bid": "bp", "bid_size": "bs",
            "bid_exchange": "bx", "ask": "ap", "ask_size": "as", "ask_exchange": "ax",
            "conditions": "c", "tape": "z"}):  # fmt: skip
    """The ``latestQuote`` of a snapshot."""

    time: Time
    bid: Number = 0
    bid_size: Number = 0
    ask: Number = 0
    ask_size: Number = 0
    bid_exchange: Code | None = None
    ask_exchange: Code | None = None
    conditions: Codes | None = None
    tape: Code | None = None


class Bar(msgspec.Struct, rename={"time": "t", "open": "o", "high": "h", "low": "l",
          "close": "c", "volume": "v", "trade_count": "n", "vwap": "vw"}):  # fmt: skip
    """A row of ``/v2/stocks/bars``, and each bar of a snapshot; ``time`` is its start."""

    time: Time
    close: AnyNumber
    open: AnyNumber | None = None
    high: AnyNumber | None = None
    low: AnyNumber | None = None
    volume: Number | None = None
    trade_count: Count | None = None
    vwap: Number | None = None


class Snapshot(msgspec.Struct, rename="camel"):
    """One symbol's value in the answer of ``/v2/stocks/snapshots``."""

    latest_trade: Trade | None = None
    latest_quote: Quote | None = None
    minute_bar: Bar | None = None
    daily_bar: Bar | None = None
    prev_daily_bar: Bar | None = None


class Greeks(msgspec.Struct):
    """The ``greeks`` of an option's snapshot; Alpaca computes them from the newest quote."""

    delta: Number | None = None
    gamma: Number | None = None
    theta: Number | None = None
    vega: Number | None = None
    rho: Number | None = None


class OptionSnapshot(msgspec.Struct, rename="camel"):
    """One contract's value in the answer of ``/v1beta1/options/snapshots/{underlying}``."""

    latest_trade: Trade | None = None
    latest_quote: Quote | None = None
    daily_bar: Bar | None = None
    prev_daily_bar: Bar | None = None
    implied_volatility: Number | None = None
    greeks: Greeks | None = None


def read_newest_trade(snapshot: Any) -> Trade | None:
    """Decode the newest trade of a snapshot, whatever form its other parts have.

    Raises:
        ValueError: the trade has another form.
    """
    if not isinstance(snapshot, dict) or snapshot.get("latestTrade") is None:
        return None
    return read_object(snapshot["latestTrade"], Trade, strictly)[0]


def read_trade(row: Any) -> tuple[Trade, list[str]]:
    """Decode a trade; return it with the problems of its optional fields.

    Raises:
        ValueError: the row has another form.
    """
    return read_object(row, Trade, strictly)


def read_bar(row: Any) -> tuple[Bar, list[str]]:
    """Decode a bar; return it with the problems of its optional fields.

    Raises:
        ValueError: the row has another form.
    """
    return read_object(row, Bar, strictly)


def read_option_snapshot(row: Any) -> tuple[OptionSnapshot, list[str]]:
    """Decode a contract's snapshot; return it with the problems of its parts.

    Raises:
        ValueError: the row is no object.
    """
    return read_object(row, OptionSnapshot, strictly)


def read_snapshot(row: Any) -> tuple[Snapshot, list[str]]:
    """Decode a snapshot; return it with the problems of its parts, each of which costs itself.

    Raises:
        ValueError: the row is no object, or its newest trade has another form. It would look as if
            there were no trade.
    """
    found, problems = read_object(row, Snapshot, strictly)
    if found.latest_trade is None and isinstance(row, dict) and row.get("latestTrade") is not None:
        raise ValueError("; ".join(problems))
    return found, problems
