"""What a stream's query asks for, checked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.http.api_error import ApiError
from shared.event_id import EventId
from shared.topics import PRICE, STATUS, InvalidSymbolError, stock_symbol, topic

MAX_INTERVAL_SECONDS = 60.0


@dataclass(frozen=True)
class StreamRequest:
    """Topics without doubles in the order asked for; ``interval`` in seconds, 0 = every update."""

    topics: tuple[str, ...]
    interval: float
    cursor: EventId | None = None


def query_of(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the items of a query as a mapping; ``symbols`` given several times are one list."""
    query: dict[str, str] = {}
    for name, value in items:
        listed = name == "symbols" and name in query
        query[name] = f"{query[name]},{value}" if listed else value
    return query


def symbols_of(query: Mapping[str, str], limit: int) -> list[str]:
    """Return the symbols of ``?symbols=SPY,IBM``, in upper case and without doubles.

    Raises:
        ApiError: 400, the list is missing, empty, too long, or a symbol is malformed.
    """
    text = query.get("symbols", "")
    if not text.strip():
        raise ApiError(400, "no_symbols", "no symbols were asked for", "add ?symbols=SPY,IBM")
    parts = text.split(",")
    if len(parts) > limit:
        raise ApiError(
            400,
            "too_many_symbols",
            f"{len(parts)} symbols were asked for; one stream takes {limit}",
            "open a second stream, or raise MAX_TOPICS_PER_CLIENT",
        )
    try:
        return list(dict.fromkeys(stock_symbol(part) for part in parts))
    except InvalidSymbolError as error:
        raise ApiError(400, "bad_symbol", str(error), "symbols=SPY,IBM,BRK.B") from error


def prices(query: Mapping[str, str], *, limit: int, interval: float) -> StreamRequest:
    """Return what ``/api/stream/prices?symbols=&interval=`` asks for: prices, and their status.

    Raises:
        ApiError: 400 with the value that is wrong.
    """
    symbols = symbols_of(query, limit)
    topics = tuple(topic(kind, symbol) for kind in (PRICE, STATUS) for symbol in symbols)
    return StreamRequest(topics, _interval_of(query, interval))


def _interval_of(query: Mapping[str, str], default: float) -> float:
    text = query.get("interval")
    if text is None:
        return default
    try:
        interval = float(text)
    except ValueError:
        interval = -1.0
    if not 0 <= interval <= MAX_INTERVAL_SECONDS:
        raise ApiError(
            400,
            "bad_interval",
            f"interval={text!r} is not a number of seconds from 0 to {MAX_INTERVAL_SECONDS:g}",
            "interval=0 sends every update, interval=0.25 at most four a second and symbol",
        )
    # Streams of equal interval share their frames, so nearly equal ones are made equal.
    return round(interval, 2)
