"""Inputs from which the mutations start: Alpaca's own forms, and those that broke a decoder."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgpack

from simulator.faults.odd_frames import odd_frames
from tests.ingest.trades import NOON

EXAMPLES = Path(__file__).parents[1] / "ingest" / "alpaca" / "trade_update_examples.json"
AT = msgpack.Timestamp.from_unix_nano(NOON)
TEXT_TIME = "2026-11-16T17:00:00.123456789Z"

# fmt: off
TRADE = {"T": "t", "S": "SPY", "i": 52983525029461, "x": "V", "p": 100.5, "s": 100,
         "c": ["@", "I"], "z": "B", "t": AT}
QUOTE = {"T": "q", "S": "SPY", "bx": "V", "bp": 100.4, "bs": 3, "ax": "Q", "ap": 100.6, "as": 1,
         "c": ["R"], "z": "B", "t": AT}
MESSAGES: Sequence[dict[str, Any]] = [
    TRADE,
    QUOTE,
    {"T": "s", "S": "SPY", "sc": "H", "sm": "Halt", "rc": "T12", "rm": "news", "z": "C", "t": AT},
    {"T": "c", "S": "SPY", "x": "V", "oi": 52983525029461, "op": 100.5, "os": 100, "oc": ["@"],
     "ci": 7, "cp": 100.4, "cs": 90, "cc": ["@"], "z": "B", "t": AT},
    {"T": "x", "S": "SPY", "i": 52983525029461, "x": "V", "p": 100.5, "s": 100, "a": "C", "z": "B",
     "t": AT},
    *({"T": kind, "S": "SPY", "o": 100.5, "h": 101, "l": 100, "c": 100.5, "v": 700, "n": 7,
       "vw": 100.4, "t": AT} for kind in "bud"),
    {"T": "subscription", "trades": ["SPY"], "quotes": [], "statuses": ["*"], "bars": ["SPY"],
     "updatedBars": ["SPY"], "dailyBars": []},
    {"T": "success", "msg": "authenticated"},
    {"T": "error", "code": 405, "msg": "symbol limit exceeded"},
    {"T": "l", "S": "SPY", "u": 1.5, "d": 1.0, "i": "B", "t": AT, "z": "C"},
    {"T": "i", "S": "SPY", "p": 9.75, "t": AT, "z": "C"},
]
BOOK = {"T": "o", "S": "BTC/USD", "t": AT, "b": [{"p": 66051.62, "s": 0.27}, {"p": 66050, "s": 0}],
        "a": [{"p": 66100.5, "s": 1}, {"p": 5e-05, "s": 10**15}]}
BOOKS: Sequence[dict[str, Any]] = [
    {**BOOK, "r": True, "a": [{"p": 66100.5 + n, "s": 1} for n in range(12)]},
    {**BOOK, "a": []},
    {**BOOK, "b": None, "a": [{"p": 66100.5, "s": 0.0}]},
    {**BOOK, "t": TEXT_TIME, "r": False},
    {"T": "subscription", "orderbooks": ["BTC/USD"]},
]
ARTICLE = {"T": "n", "id": 24918784, "headline": "Corn falls &lt;5%", "summary": "<p>x</p>",
           "author": "A", "source": "benzinga", "url": "https://example.com/a", "content": "<b>",
           "symbols": ["SPY", "IBM"], "created_at": AT, "updated_at": AT}
NEWS: Sequence[dict[str, Any]] = [
    ARTICLE,
    {**ARTICLE, "created_at": TEXT_TIME, "updated_at": TEXT_TIME},
    {"T": "subscription", "news": ["*"]},
    {"T": "error", "code": 400, "msg": "invalid syntax"},
]
BROKE_STOCKS = [
    bytes.fromhex("9182a154a17aa174c70cff000000000000003afff44180"),
    bytes.fromhex("9188a154a171a153a3535059a26270cb3ff0000000000000a2627301a26170cb3ff199999999999a"
                  "a2617301a163c0a174c70cff000000007fffffffffffffff"),
    b"\x91" * 1000 + b"\xc0",
]
ORDER = {"id": "o1", "client_order_id": "c1", "symbol": "BAC", "asset_class": "us_equity",
         "order_class": "", "type": "market", "side": "buy", "time_in_force": "day",
         "status": "filled", "qty": "1", "notional": None, "filled_qty": "1",
         "filled_avg_price": "36.5", "limit_price": None, "stop_price": None,
         "submitted_at": TEXT_TIME, "updated_at": TEXT_TIME, "legs": None}
UPDATE = {"event": "fill", "timestamp": TEXT_TIME, "execution_id": "e1", "price": "36.5",
          "qty": "1", "position_qty": "138", "order": ORDER}
FILL = {"stream": "trade_updates", "data": UPDATE}
POSITION = {"symbol": "BAC", "qty": "137", "asset_class": "us_equity", "side": "long",
            "avg_entry_price": "30", "cost_basis": "4110", "market_value": "5000.5",
            "unrealized_intraday_pl": "12.3", "current_price": "36.5", "lastday_price": "36.41"}
OPTION = {**POSITION, "symbol": "BAC261218C00040000", "asset_class": "us_option", "qty": "-2",
          "side": "short", "market_value": "-300", "current_price": "1.5"}
ACCOUNT = {"cash": "-1000.5", "currency": "USD", "equity": "4000", "last_equity": "3990.1",
           "buying_power": "8000", "long_market_value": "5000.5", "short_market_value": "0"}
BROKE_POSITIONS: Sequence[dict[str, Any]] = [
    {**POSITION, "current_price": "Infinity", "lastday_price": "Infinity"},
    {**POSITION, "qty": "1e26"},
    # A basis of the day of 1e-17, by which the day's gain is divided.
    {**POSITION, "market_value": "5000.5", "unrealized_intraday_pl": "5000.49999999999999999"},
]
BROKE_ACCOUNT = {**ACCOUNT, "cash": "-Infinity"}
BAR = {"t": TEXT_TIME, "o": 100.1, "h": 101, "l": 99.5, "c": 100.5, "v": 12345, "n": 30,
       "vw": 100.2}
ROW = {"t": TEXT_TIME, "p": 100.5, "s": 100, "i": 7, "x": "V", "c": ["@"], "z": "B",
       "u": "canceled"}
SNAPSHOT = {"latestTrade": {**ROW, "u": None}, "minuteBar": BAR, "dailyBar": BAR,
            "latestQuote": {"t": TEXT_TIME, "bp": 100.4, "bs": 3, "bx": "V", "ap": 100.6, "as": 1,
                            "ax": "Q", "c": ["R"], "z": "B"},
            "prevDailyBar": {**BAR, "t": "2026-11-13T05:00:00Z"}}
DAY = {"date": "2026-11-16", "open": "09:30", "close": "16:00", "session_open": "0400",
       "session_close": "2000"}
CLOCK = {"timestamp": TEXT_TIME, "is_open": True, "next_open": "2026-11-17T09:30:00-05:00",
         "next_close": "2026-11-16T16:00:00-05:00"}

ODD_JSON: Sequence[Any] = [
    None, True, 0, -1, 0.5, -0.0, 1e300, 5e-324, float("nan"), float("inf"), float("-inf"), 10**15,
    2**63, -(2**63), 2**64 - 1, 2**64, 10**40, 10**4000, "", "0", "-1", "NaN", "sNaN", "Infinity",
    "1e30", "1e25", "1E-1000000", "1E+1000000", "-1e-17", "9" * 5000, "0." + "9" * 5000, "1_0",
    "\u0661", " 1", "x" * 2000, "\x00", "\ud83d\ude00", "<$0.10", "<b>", [], {}, [None], [[]],
    "10000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00",
    "0001-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-16T23:59:60Z", TEXT_TIME, "SPY", "BAC",
    "fill", "partial_fill", "sell", "short", "us_option", "crypto", "BTCUSD", "mleg", "9999-12-31",
]
ODD_MSGPACK: Sequence[Any] = [
    *(each for each in ODD_JSON if not isinstance(each, int) or -(2**63) <= each < 2**64),
    b"", b"V", msgpack.ExtType(5, b"12345678"), msgpack.ExtType(0, b""), AT,
    msgpack.Timestamp(0), msgpack.Timestamp(253_402_300_800), msgpack.Timestamp(2**63 - 1),
    msgpack.Timestamp(-(2**63)), msgpack.Timestamp(2**34, 999_999_999), "@", "I", "t", "q", "c",
]
# fmt: on


def frames(messages: Sequence[Any]) -> list[bytes]:
    """Return each message in a frame alone, and all in one."""
    return [msgpack.packb([each]) for each in messages] + [msgpack.packb(list(messages))]


def stock_frames() -> list[bytes]:
    """Return frames of the stock stream."""
    odd = [make("SPY") for make in odd_frames("iex").values()]
    return [*frames(MESSAGES), *BROKE_STOCKS, *(each for each in odd if len(each) < 10_000)]


def book_frames() -> list[bytes]:
    """Return frames of the crypto stream that are about order books."""
    return [*frames(BOOKS), *BROKE_STOCKS]


def news_frames() -> list[bytes]:
    """Return frames of the news stream."""
    return [*frames(NEWS), *BROKE_STOCKS]


def trade_updates() -> list[dict[str, Any]]:
    """Return messages of the account's stream: the examples of Alpaca's documentation, and ours."""
    examples: dict[str, Any] = json.loads(EXAMPLES.read_text(encoding="utf-8"))["messages"]
    return [FILL, FILL, *examples.values()]


def trade_update_frames() -> list[bytes]:
    """Return frames of the account's stream."""
    odd = [make("BAC") for make in odd_frames("account").values()]
    written = [json.dumps(each).encode() for each in trade_updates()]
    return [*written, *(each for each in odd if len(each) < 10_000)]
