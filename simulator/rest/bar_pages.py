"""The pages of `GET /v2/stocks/bars`: bars of many symbols, computed only as far as a page needs.

A page is sorted by symbol, then time; its token is the place of the next bar. Pure, except that
a page pauses between batches.
"""

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from simulator.protocol.option_feeds import is_option_symbol
from simulator.protocol.rfc3339 import SECOND
from simulator.protocol.subscription import is_pair, is_symbol
from simulator.protocol.wire import Message, json_fields
from simulator.rest.historical import ParameterError, Window
from simulator.rest.timeframe import Timeframe
from simulator.tape.market import Market

Between: TypeAlias = Callable[[int, int], Iterable[Message]]
"""Returns a symbol's bars that start in a span (its end excluded), oldest first."""

Batches: TypeAlias = Iterator[Sequence[Message]]
"""Bars in a page's order; each batch is computed on demand, and in little time."""

_HOUR: Final = 3600 * SECOND
_DAY: Final = 24 * _HOUR
_OLDEST_DAYS: Final = 1100


def bars_in_spans(between: Between, length: int, window: Window, now: int) -> Batches:
    """Yield the bars of `length` nanoseconds that start in a window, in its order."""
    span = (_DAY if length >= _HOUR else _DAY // 4) // length * length
    first = max(window.start, now - _OLDEST_DAYS * _DAY) // span
    last = min(window.end, now) // span
    numbers = range(first, last + 1)
    for number in reversed(numbers) if window.is_descending else numbers:
        bars = _within(between(number * span, (number + 1) * span), window)
        yield bars[::-1] if window.is_descending else bars


def bars_in(market: Market, symbol: str, frame: Timeframe, window: Window, now: int) -> Batches:
    """Yield a symbol's bars of a time frame that start in a window, in its order."""
    length = frame.length
    if length is None:
        return folded_days(market.daily_bars(symbol, now), frame, window)

    def between(start: int, end: int) -> Sequence[Message]:
        return market.folded(symbol, start, end, length, frame.fold, now)

    return bars_in_spans(between, length, window, now)


def folded_days(days: Iterable[Message], frame: Timeframe, window: Window) -> Batches:
    """Yield the bars that start in a window, in its order, folded from days."""
    bars = _within(frame.fold(days), window)
    yield bars[::-1] if window.is_descending else bars


async def bar_page(
    symbols: Sequence[str],
    window: Window,
    token: str | None,
    bars_of: Callable[[str, Window], Batches],
    pause: Callable[[], Awaitable[None]],
) -> dict[str, object]:
    """Return the body of the response; `bars_of` yields a symbol's bars in a window, in its order.

    `pause` is awaited after each batch, so that the streams go on while a long page is computed.

    Raises:
        ParameterError: the token is invalid.
    """
    first, at = _place(token)
    found: dict[str, list[dict[str, object]]] = {}
    count = 0
    for symbol in sorted(symbols):
        if symbol < first:
            continue
        for batch in bars_of(symbol, _from(window, at) if symbol == first else window):
            for bar in batch:
                if count == window.limit:
                    next_token = base64.urlsafe_b64encode(f"{symbol}|{bar['t']}".encode()).decode()
                    return {"bars": found, "next_page_token": next_token}
                found.setdefault(symbol, []).append(json_fields(bar))
                count += 1
            await pause()
    return {"bars": found, "next_page_token": None}


def _within(bars: Iterable[Message], window: Window) -> list[Message]:
    return [bar for bar in bars if window.start <= _time(bar) <= window.end]


def _from(window: Window, at: int) -> Window:
    """Return the rest of a window from a time on."""
    if window.is_descending:
        return window._replace(end=min(window.end, at))
    return window._replace(start=max(window.start, at))


def _place(token: str | None) -> tuple[str, int]:
    if not token:
        return "", 0
    try:
        symbol, _, at = base64.urlsafe_b64decode(token).decode().partition("|")
        if is_symbol(symbol) or is_pair(symbol) or is_option_symbol(symbol):
            return symbol, int(at)
    except (binascii.Error, ValueError):
        pass
    raise ParameterError(f"invalid page_token: {token}")


def _time(bar: Message) -> int:
    time = bar["t"]
    return time if isinstance(time, int) else 0
