"""`GET /v2/stocks/bars` and `/v2/stocks/trades`: queries, and the trades page by page. Pure.

Source: docs.alpaca.markets/reference/stockbars and …/stocktrades. Bars can be adjusted for splits;
there are no dividends and spin-offs.
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from simulator.protocol import rfc3339
from simulator.protocol.rfc3339 import SECOND
from simulator.protocol.wire import Message, json_fields
from simulator.rest.timeframe import Timeframe, read_timeframe
from simulator.tape.hours import EASTERN, midnight

DELAY: Final = 15 * 60 * SECOND
"""Newer consolidated data requires a paid plan."""

_FEEDS: Final = ("sip", "iex", "boats", "otc", "delayed_sip", "overnight")
_ADJUSTMENTS: Final = ("raw", "split", "dividend", "spin-off", "all")
_SORTS: Final = ("asc", "desc")
_LONGEST_PAGE: Final = 10_000
_PRICES: Final = ("o", "h", "l", "c", "vw")


class ParameterError(ValueError):
    """An invalid parameter; the text names it as Alpaca does."""


class RecentSipError(Exception):
    """The plan does not include consolidated data of the last 15 minutes."""


class Window(NamedTuple):
    """A page of the events from `start` to `end` inclusive, in Unix nanoseconds."""

    start: int
    end: int
    limit: int
    is_descending: bool


@dataclass(frozen=True)
class BarsRequest:
    """The bars of a window."""

    window: Window
    timeframe: Timeframe
    is_adjusted: bool


def read_symbols(query: Mapping[str, str], is_valid: Callable[[str], bool]) -> Sequence[str]:
    """Read `symbols`, each once.

    Raises:
        ParameterError: there is none, or one is not valid.
    """
    listed = query.get("symbols") or ""
    symbols = [symbol.strip() for symbol in listed.split(",")] if listed else []
    if not symbols:
        raise ParameterError("symbols are required")
    for symbol in symbols:
        if not is_valid(symbol):
            raise ParameterError(f"invalid symbol: {symbol}")
    return list(dict.fromkeys(symbols))


def read_bars_request(query: Mapping[str, str], now: int, *, has_recent_sip: bool) -> BarsRequest:
    """Read the query for bars, except its `symbols`.

    Raises:
        ParameterError: one is wrong.
        RecentSipError: the plan forbids it.
    """
    window = read_window(query, now, has_recent_sip=has_recent_sip)
    timeframe = read_frame(query)
    adjustments = (query.get("adjustment") or "raw").split(",")
    for adjustment in adjustments:
        if adjustment not in _ADJUSTMENTS:
            raise ParameterError(f"invalid adjustment: {adjustment}")
    return BarsRequest(window, timeframe, not {"split", "all"}.isdisjoint(adjustments))


def read_frame(query: Mapping[str, str], zone: ZoneInfo = EASTERN) -> Timeframe:
    """Read the time frame; `zone` is that of its days.

    Raises:
        ParameterError: there is none, or it is wrong.
    """
    text = query.get("timeframe") or ""
    try:
        return read_timeframe(text, zone)
    except ValueError as error:
        raise ParameterError(f"invalid timeframe: {text}") from error


def read_window(
    query: Mapping[str, str], now: int, *, has_recent_sip: bool, zone: ZoneInfo = EASTERN
) -> Window:
    """Read the parameters that the queries for bars and for trades share.

    `zone` is that of a time that is only a date.

    Raises:
        ParameterError: one is wrong.
        RecentSipError: the plan forbids it.
    """
    is_delayed = _choice(query, "feed", _FEEDS, "sip") == "sip" and not has_recent_sip
    newest = now - DELAY if is_delayed else now
    end = read_moment(query, "end", newest, zone)
    if is_delayed and end > newest:
        raise RecentSipError
    limit = query.get("limit") or "1000"
    if not limit.isdecimal() or not 1 <= int(limit) <= _LONGEST_PAGE:
        raise ParameterError(f"invalid limit: {limit}")
    return Window(
        start=read_moment(query, "start", midnight(now, zone), zone),
        end=end,
        limit=int(limit),
        is_descending=_choice(query, "sort", _SORTS, "asc") == "desc",
    )


def adjusted(bar: Message, ratio: float, today: int) -> Message:
    """Return a bar in today's shares; since `today`, one old share is `ratio` new ones."""
    if ratio == 1 or not _time(bar) < today:
        return bar
    changed: dict[str, object] = {}
    for key, value in bar.items():
        if isinstance(value, int | float):
            if key in _PRICES:
                changed[key] = round(value / ratio, 6)
            elif key == "v":
                changed[key] = round(value * ratio)
    return {**bar, **changed}


def trade_page(
    window: Window, token: str | None, known: Mapping[str, Sequence[Message]]
) -> dict[str, object]:
    """Return the body of the response from each symbol's trades, oldest first.

    Raises:
        ParameterError: the token is invalid.
    """
    skipped = _skipped(token)
    rows = [
        (symbol, row)
        for symbol in sorted(known)
        for row in (reversed(known[symbol]) if window.is_descending else known[symbol])
        if window.start <= _time(row) <= window.end
    ]
    end = skipped + window.limit
    found: dict[str, list[dict[str, object]]] = {}
    for symbol, row in rows[skipped:end]:
        found.setdefault(symbol, []).append(json_fields(row))
    return {"trades": found, "next_page_token": _token(end) if end < len(rows) else None}


def _choice(query: Mapping[str, str], name: str, allowed: Sequence[str], default: str) -> str:
    value = query.get(name) or default
    if value not in allowed:
        raise ParameterError(f"invalid {name}: {value}")
    return value


def read_moment(query: Mapping[str, str], name: str, default: int, zone: ZoneInfo = EASTERN) -> int:
    """Read a time, or a date in a zone, as Unix nanoseconds.

    Raises:
        ParameterError: it is neither.
    """
    text = query.get(name)
    if not text:
        return default
    try:
        if len(text) == len("2026-11-23"):
            return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * SECOND
        return rfc3339.parse(text)
    except ValueError as error:
        raise ParameterError(f"invalid {name}: {text}") from error


def _token(skipped: int) -> str:
    return base64.urlsafe_b64encode(str(skipped).encode()).decode()


def _skipped(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError) as error:
        raise ParameterError(f"invalid page_token: {token}") from error


def _time(row: Message) -> int:
    time = row["t"]
    return time if isinstance(time, int) else 0
