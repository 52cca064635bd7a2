"""``GET /api/bars``: bars for charts, up to a position from which a stream continues."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from gateway.bus.bar_history import BarHistory
from gateway.bus.merged_bars import ChartBars
from gateway.bus.older_bars import BarQuery
from gateway.http import fields
from gateway.http.access import Access
from gateway.http.api_error import ApiError
from gateway.http.date_forms import DATE
from gateway.http.held_rows import HeldRows
from gateway.http.piecewise_response import PiecewiseResponse
from gateway.http.stream_request import topics_of
from gateway.http.symbol_fields import CHARTED_SYMBOLS, ChartedSymbol
from gateway.wire.principal import MARKET
from shared import bar, rfc3339
from shared.bar import Timeframe
from shared.excerpt import excerpt
from shared.markets import market_of
from shared.request import Adjustment
from shared.topics import key_of

MAX_BARS = 100_000
"""The most bars of one answer, about 25 MB: a chart of 200 symbols is 78,000 minutes of a day."""

MAX_BARS_OF_SYMBOL = 10_000

DEFAULT_BARS = 100

_SECOND = 1_000_000_000
_FIRST_DAY, _LAST_DAY = date(1970, 1, 1), date(2999, 12, 31)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

# For readers of the OpenAPI document; the code below decides.
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
_TIME_PATTERN = rf"^{DATE}(T{_CLOCK}:[0-5]\d(\.\d{{1,9}})?(Z|[+-]{_CLOCK}))?$"

Time = Annotated[str, Meta(extra_json_schema={"pattern": _TIME_PATTERN})]


_encode = msgspec.json.Encoder().encode


class BarQueryFields(msgspec.Struct, kw_only=True):
    """The parameters of ``/api/bars``."""

    symbols: Annotated[list[ChartedSymbol], Meta(description=CHARTED_SYMBOLS)] = []
    timeframe: Annotated[Timeframe, Meta(description="1Min, 5Min, 15Min, 1Hour or 1Day")] = "1Min"
    start: (
        Annotated[
            Time,
            Meta(
                description="the earliest start of a bar: a time as 2026-11-27T14:30:00Z, or a "
                "date, which is a day in New York, or for pairs in Chicago"
            ),
        ]
        | UnsetType
    ) = UNSET
    end: (
        Annotated[
            Time,
            Meta(description="the latest start of a bar, likewise; a date includes its whole day"),
        ]
        | UnsetType
    ) = UNSET
    limit: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=MAX_BARS_OF_SYMBOL,
                description="how many bars of each symbol, the newest; 1 to 10000. 100 where "
                "neither it nor start is given; all from start on where only that is",
            ),
        ]
        | UnsetType
    ) = UNSET
    adjustment: Annotated[
        Adjustment,
        Meta(
            description="split: prices on the scale of today's; raw: as they were traded; "
            "dividend, spin-off: less what was paid out since; all: the three together"
        ),
    ] = "split"


class ChartBarsEndpoint:
    """Answers with bars. ``limit`` is the most symbols of one request.

    It raises BusError if Redis is unreachable.
    """

    def __init__(self, access: Access, history: BarHistory, held: HeldRows, *, limit: int) -> None:
        self._access = access
        self._history = history
        self._held = held
        self._limit = limit

    async def bars(self, request: Request) -> Response:
        """``GET /api/bars?symbols=&timeframe=&start=&end=&limit=&adjustment=``."""
        self._access.check(request, MARKET)
        query = self._query_of(fields.of_query(request, BarQueryFields))
        with self._held.at_most(len(query.symbols) * query.limit) as hold:
            found = await self._history.read(query)
            # Fewer than were asked for, most often.
            release = hold.keep(sum(map(len, found.bars.values())))
        return PiecewiseResponse(_pieces(query.timeframe, found), release)

    def _query_of(self, asked: BarQueryFields) -> BarQuery:
        topics = topics_of([bar.KINDS[asked.timeframe]], asked.symbols, limit=self._limit)
        symbols = tuple(key_of(topic) for topic in topics)
        start = None if asked.start is UNSET else _first_ns("start", asked.start, symbols)
        end = None if asked.end is UNSET else _last_ns("end", asked.end, symbols)
        if start is not None and end is not None and start > end:
            raise ApiError(
                400,
                code="bad_value",
                message=f"start={excerpt(str(asked.start))} is after end={excerpt(str(asked.end))}",
                hint="exchange them, or leave end out for the bars up to now",
            )
        most = max(1, MAX_BARS // len(topics))
        limit = asked.limit
        if limit is UNSET:
            limit = DEFAULT_BARS if start is None else min(most, MAX_BARS_OF_SYMBOL)
        if len(topics) * limit > MAX_BARS:
            raise ApiError(
                400,
                code="too_many_bars",
                message=f"{len(topics)} symbols with {limit} bars each were requested; the "
                f"maximum is {MAX_BARS} bars in one request",
                hint=f"request fewer symbols, or limit={most}",
            )
        return BarQuery(
            asked.timeframe,
            symbols,
            None if start is None else -(-start // _SECOND),
            None if end is None else end // _SECOND,
            limit,
            asked.adjustment,
        )


def _pieces(timeframe: Timeframe, found: ChartBars) -> Iterator[bytes]:
    """Yield the answer's JSON, the bars of a symbol at a time."""
    yield b'{"timeframe":%b,"bars":{' % _encode(timeframe)
    comma = b""
    for symbol, bars in found.bars.items():
        yield b"%b%b:[%b]" % (comma, _encode(symbol), b",".join(bars))
        comma = b","
    complete_from = {
        symbol: None if since is None else rfc3339.from_nanoseconds(since * _SECOND)
        for symbol, since in found.complete_from.items()
    }
    yield b'},"complete_from":%b,"last_event_id":%b}' % (
        _encode(complete_from),
        _encode(str(found.last_event_id)),
    )


def _first_ns(name: str, text: str, symbols: Sequence[str]) -> int:
    """Return the time, or the beginning of the day, in unix ns."""
    day = _day(name, text)
    if day is None:
        return _nanoseconds(name, text)
    return min(_midnight_ns(day, zone) for zone in _zones(symbols))


def _last_ns(name: str, text: str, symbols: Sequence[str]) -> int:
    """Return the time, or the end of the day, in unix ns."""
    day = _day(name, text)
    if day is None:
        return _nanoseconds(name, text)
    return max(_midnight_ns(day + timedelta(days=1), zone) for zone in _zones(symbols)) - 1


def _midnight_ns(day: date, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp()) * _SECOND


def _zones(symbols: Sequence[str]) -> set[ZoneInfo]:
    """Return the zones of the symbols' days: if they differ, a date means the days of all."""
    return {market.day_zone for each in symbols if (market := market_of(each)) is not None}


def _day(name: str, text: str) -> date | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise _no_time(name, text) from None
    # The next midnight must be a date, too.
    if not _FIRST_DAY <= day <= _LAST_DAY:
        raise _no_time(name, text)
    return day


def _nanoseconds(name: str, text: str) -> int:
    try:
        # In a query a plus sign that is not encoded means a space.
        return rfc3339.to_nanoseconds(text.replace(" ", "+"))
    except ValueError:
        raise _no_time(name, text) from None


def _no_time(name: str, text: str) -> ApiError:
    return ApiError(
        400,
        code="bad_value",
        message=f"{name}={excerpt(text)} is neither a time nor a date",
        hint=f"write {name}=2026-11-27T14:30:00Z, or {name}=2026-11-27 for that day",
    )
