"""``/api/udf``: the bars for TradingView's library, by its Universal Data Feed protocol."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Annotated, NamedTuple, cast, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from gateway.bus.bar_history import BarHistory
from gateway.bus.older_bars import BarQuery
from gateway.http import fields, udf_answers, udf_times
from gateway.http.access import Access
from gateway.http.api_error import ApiError
from gateway.http.assets import MOST_RESULTS, ListedAssets
from gateway.http.chart_bars import MAX_BARS_OF_SYMBOL
from gateway.http.held_rows import HeldRows
from gateway.http.json_response import json_response
from gateway.http.piecewise_response import PiecewiseResponse
from gateway.http.symbol_fields import ChartedSymbol
from gateway.http.udf_answers import TIMEFRAMES, Resolution, UdfConfig, UdfHistory
from gateway.wire.principal import MARKET
from shared import rfc3339
from shared.asset import AssetType
from shared.bar import Timeframe
from shared.markets import Market, market_of
from shared.symbols import InvalidSymbolError, symbol_of
from shared.topics import DAY_BAR, markets_of

RECENT_SECONDS = 60
"""A range that ends so recently has no end for the ingest: the requests of many charts that poll
are equal then."""

_RECENT_BARS = 2
"""The most bars that start within these seconds, both ends included."""

_DECODED_AT_ONCE = 500

_QUERY_CHARACTERS = 64

_encode = msgspec.json.Encoder().encode

UnixSeconds = Annotated[int, Meta(ge=-(2**53), le=2**53)]


class UdfSymbolFields(msgspec.Struct, kw_only=True):
    """The parameters of ``/api/udf/symbols``."""

    symbol: Annotated[ChartedSymbol, Meta(description="a stock or a pair as SPY, BRK.B or BTC/USD")]


class UdfSearchFields(msgspec.Struct, kw_only=True):
    """The parameters of ``/api/udf/search``."""

    query: Annotated[str, Meta(description="the beginning of a symbol, or of words of a name")] = ""
    type: Annotated[str, Meta(description="stock or crypto; both where none is given")] = ""
    exchange: Annotated[str, Meta(description="Alpaca's name of an exchange, as NASDAQ")] = ""
    limit: Annotated[int, Meta(ge=0, description="the most results")] = 30


class UdfHistoryFields(msgspec.Struct, kw_only=True):
    """The parameters of ``/api/udf/history``."""

    symbol: Annotated[ChartedSymbol, Meta(description="a stock or a pair as SPY, BRK.B or BTC/USD")]
    resolution: Annotated[Resolution, Meta(description="minutes, 1 5 15 or 60, or 1D for days")]
    from_: Annotated[
        UnixSeconds,
        Meta(description="the earliest time of a bar, unix s; ignored where countback is given"),
    ] = msgspec.field(name="from")
    to: Annotated[UnixSeconds, Meta(description="bars are before this time, unix s")]
    countback: (
        Annotated[
            int,
            Meta(ge=0, description="how many bars before to, also before from; at most 10000"),
        ]
        | UnsetType
    ) = UNSET


class _Bar(msgspec.Struct):
    timestamp: str
    open: float
    high: float
    low: float
    close: float
    volume: float


_decode = msgspec.json.Decoder(_Bar).decode


class _Row(NamedTuple):
    """A bar in the order of the protocol's columns ``t o h l c v``."""

    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Udf:
    """The endpoints. ``clock`` gives unix seconds.

    They raise BusError if Redis is unreachable. ``udf_errors`` puts errors into the protocol's
    form.
    """

    def __init__(
        self,
        access: Access,
        history: BarHistory,
        held: HeldRows,
        listed: ListedAssets,
        clock: Callable[[], float],
    ) -> None:
        self._access = access
        self._history = history
        self._held = held
        self._listed = listed
        self._clock = clock

    async def config(self, request: Request) -> Response:
        """``GET /api/udf/config``."""
        self._access.check(request, MARKET)
        return json_response(UdfConfig())

    async def time(self, request: Request) -> Response:
        """``GET /api/udf/time``: unix seconds, as text."""
        self._access.check(request, MARKET)
        headers = {"Cache-Control": "no-store"}
        return Response(str(int(self._clock())), 200, headers, "text/plain")

    async def symbols(self, request: Request) -> Response:
        """``GET /api/udf/symbols?symbol=``: a symbol, with its name if that is known."""
        self._access.check(request, MARKET)
        symbol, market = _charted(fields.of_query(request, UdfSymbolFields).symbol)
        search = await self._listed.search()
        asset = None if search is None else search.get(symbol)
        return json_response(udf_answers.symbol_of(symbol, market, asset))

    async def search(self, request: Request) -> Response:
        """``GET /api/udf/search?query=&type=&exchange=&limit=``: the best results first.

        While there is no list of assets, the result is the symbol that the query may be.
        """
        self._access.check(request, MARKET)
        asked = fields.of_query(request, UdfSearchFields)
        if asked.type not in ("", *get_args(AssetType)):
            return json_response([])
        type_ = cast("AssetType | None", asked.type or None)
        query, limit = asked.query[:_QUERY_CHARACTERS], min(asked.limit, MOST_RESULTS)
        search = await self._listed.search()
        results = []
        if search is not None:
            found = search.find(query, limit, type_=type_, exchange=asked.exchange)
            results = [
                udf_answers.found(each.symbol, market, each.name, each.exchange)
                for each in found
                if (market := market_of(each.symbol)) is not None
            ]
        elif not asked.exchange:
            with suppress(InvalidSymbolError):
                only = udf_answers.found(*_parsed(query))
                results = [only] if only.type == (type_ or only.type) else []
        return json_response(results[:limit])

    async def history(self, request: Request) -> Response:
        """``GET /api/udf/history?symbol=&resolution=&from=&to=&countback=``."""
        self._access.check(request, MARKET)
        asked = fields.of_query(request, UdfHistoryFields)
        timeframe, (symbol, market) = TIMEFRAMES[asked.resolution], _charted(asked.symbol)
        limit = min(asked.countback or MAX_BARS_OF_SYMBOL, MAX_BARS_OF_SYMBOL)
        first = None
        if not asked.countback:
            first = udf_times.bound(timeframe, asked.from_, market.day_zone)
        with self._held.at_most(limit) as hold:
            rows = await self._rows(symbol, timeframe, first, asked.to, limit)
            release = hold.keep(len(rows))
        if not rows:
            return json_response(await self._no_data(symbol, timeframe, asked))
        return PiecewiseResponse(_pieces(rows), release)

    async def _no_data(
        self, symbol: str, timeframe: Timeframe, asked: UdfHistoryFields
    ) -> UdfHistory:
        """Return the answer that leads to the bars before an empty range, or to none."""
        before: list[_Row] = []
        if not asked.countback:
            end = min(asked.from_, asked.to)
            before = await self._rows(symbol, timeframe, None, end, 1)
        return UdfHistory(s="no_data", next_time=before[0].time if before else None)

    async def _rows(
        self, symbol: str, timeframe: Timeframe, first: int | None, to: int, limit: int
    ) -> list[_Row]:
        """Return the newest bars that are shown before a time, and start at ``first`` or later.

        The library asks for the bars before one that it has, so ``to`` does not belong to them.
        """
        zone = _charted(symbol)[1].day_zone
        end = udf_times.bound(timeframe, to, zone)
        is_recent = end > self._clock() - RECENT_SECONDS
        query = BarQuery(
            timeframe,
            (symbol,),
            first,
            None if is_recent else end - 1,
            limit + _RECENT_BARS if is_recent else limit,
            "split",
        )
        bars: Sequence[bytes] = (await self._history.read(query)).bars[symbol]
        rows: list[_Row] = []
        for number, body in enumerate(bars, 1):
            bar = _decode(body)
            start = rfc3339.to_nanoseconds(bar.timestamp) // 1_000_000_000
            if start < end:
                time = udf_times.shown(timeframe, start, zone)
                rows.append(_Row(time, bar.open, bar.high, bar.low, bar.close, bar.volume))
            if number % _DECODED_AT_ONCE == 0:
                await asyncio.sleep(0)  # the streams have their turn
        return rows[-limit:]


def _pieces(rows: Sequence[_Row]) -> Iterator[bytes]:
    """Yield the answer's JSON, a column at a time."""
    yield b'{"s":"ok"'
    for name, column in zip("tohlcv", zip(*rows, strict=True), strict=True):
        yield b',"%b":%b' % (name.encode(), _encode(column))
    yield b"}"


def _charted(text: str) -> tuple[str, Market]:
    """Return a symbol that has bars, and its market.

    Raises:
        ApiError: 400, it has none.
    """
    try:
        return _parsed(text)
    except InvalidSymbolError as error:
        raise ApiError(400, code="bad_symbol", message=str(error), hint="symbol=SPY") from error


def _parsed(text: str) -> tuple[str, Market]:
    markets = markets_of(DAY_BAR)
    symbol = symbol_of(text, markets)
    return symbol, next(each for each in markets if each is market_of(symbol))
