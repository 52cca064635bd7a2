"""REST for the market data of options.

Shapes follow docs.alpaca.markets/reference: `optionchain`, `optionsnapshots`, `optionbars` and
their neighbours. The history is that of the trades of this run.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.options.contract_query import page_of, read_choice, read_filter
from simulator.options.market import OptionMarket
from simulator.options.today import date_of
from simulator.protocol.option_feeds import INDICATIVE, OPRA, OPTION_FEEDS, is_option_symbol
from simulator.protocol.wire import Message, json_fields
from simulator.rest import historical
from simulator.rest.bar_pages import Batches, bar_page, bars_in_spans, folded_days
from simulator.rest.guard import ForbiddenError, Guard
from simulator.rest.historical import ParameterError, RecentSipError, Window
from simulator.rest.timeframe import Timeframe

_MOST_SYMBOLS: Final = 100
_LARGEST_PAGE: Final = 1000
_NOT_SIGNED: Final = "OPRA agreement is not signed"


@dataclass(frozen=True)
class OptionRest:
    """The endpoints over one market; `clock` returns Unix time in nanoseconds."""

    guard: Guard
    plan: str
    market: OptionMarket
    clock: Callable[[], int]

    def routes(self) -> list[Route]:
        """Return the route table."""
        route = self.guard.route
        return [
            route("/v1beta1/options/bars", self._bars),
            route("/v1beta1/options/trades", self._trades),
            route("/v1beta1/options/trades/latest", self._latest_trades),
            route("/v1beta1/options/quotes/latest", self._latest_quotes),
            route("/v1beta1/options/snapshots", self._snapshots),
            route("/v1beta1/options/snapshots/{underlying}", self._chain),
        ]

    async def _snapshots(self, request: Request) -> Response:
        query = request.query_params
        return self._page(sorted(_symbols(query)), query)

    async def _chain(self, request: Request) -> Response:
        query, today = request.query_params, date_of(self.clock())
        wanted, underlying = read_filter(query), request.path_params["underlying"]
        symbols = [
            each.symbol
            for each in self.market.contracts()
            if each.underlying == underlying and each.expiration >= today and wanted.allows(each)
        ]
        return self._page(symbols, query)

    def _page(self, symbols: Sequence[str], query: Mapping[str, str]) -> Response:
        """Return the snapshots of a page of symbols, which are sorted."""
        self._check_feed(query)
        now, since = self.clock(), historical.read_moment(query, "updated_since", 0)
        known = [symbol for symbol in symbols if self._is_updated(symbol, since)]
        page, token = page_of(known, query, _LARGEST_PAGE)
        found = {symbol: self.market.snapshot(symbol, now) for symbol in page}
        return _response({"snapshots": found, "next_page_token": token})

    def _is_updated(self, symbol: str, since: int) -> bool:
        """Return whether a contract is known, and has had a trade or a quote since a time."""
        newest = (self.market.latest_trade(symbol), self.market.quote(symbol))
        times = [one["t"] for one in newest if one is not None]
        return self.market.knows(symbol) and (
            not since or any(isinstance(time, int) and time >= since for time in times)
        )

    async def _latest_trades(self, request: Request) -> Response:
        return self._latest(request, "trades", self.market.latest_trade)

    async def _latest_quotes(self, request: Request) -> Response:
        return self._latest(request, "quotes", self.market.quote)

    def _latest(
        self, request: Request, name: str, newest: Callable[[str], Message | None]
    ) -> Response:
        symbols = _symbols(request.query_params)
        self._check_feed(request.query_params)
        found = {symbol: newest(symbol) for symbol in symbols}
        shown = {symbol: _nameless(one) for symbol, one in found.items() if one is not None}
        return _response({name: shown})

    async def _bars(self, request: Request) -> Response:
        query, now = _without_feed(request.query_params), self.clock()
        symbols = _symbols(query)
        try:
            wanted = historical.read_bars_request(query, now, has_recent_sip=self._has_opra)
        except RecentSipError as error:
            raise ForbiddenError(_NOT_SIGNED) from error

        def bars_of(symbol: str, window: Window) -> Batches:
            return self._bars_in(symbol, wanted.timeframe, window, now)

        token = query.get("page_token")
        page = await bar_page(symbols, wanted.window, token, bars_of, _let_others_run)
        return _response(page)

    async def _trades(self, request: Request) -> Response:
        query, now = _without_feed(request.query_params), self.clock()
        symbols = _symbols(query)
        try:
            window = historical.read_window(query, now, has_recent_sip=self._has_opra)
        except RecentSipError as error:
            raise ForbiddenError(_NOT_SIGNED) from error
        trades = {symbol: self.market.trades(symbol) for symbol in symbols}
        return _response(historical.trade_page(window, query.get("page_token"), trades))

    @property
    def _has_opra(self) -> bool:
        return self.plan in OPRA.plans

    def _check_feed(self, query: Mapping[str, str]) -> None:
        feed = read_choice(query, "feed", OPTION_FEEDS) or INDICATIVE.name
        if feed == OPRA.name and not self._has_opra:
            raise ForbiddenError(_NOT_SIGNED)

    def _bars_in(self, symbol: str, frame: Timeframe, window: Window, now: int) -> Batches:
        length = frame.length
        if length is None:
            return folded_days(self.market.traded_days(symbol), frame, window)

        def between(start: int, end: int) -> list[Message]:
            return list(frame.fold(self.market.minutes(symbol, start, end, now)))

        return bars_in_spans(between, length, window, now)


async def _let_others_run() -> None:
    await asyncio.sleep(0)


def _symbols(query: Mapping[str, str]) -> Sequence[str]:
    symbols = [each.strip() for each in query.get("symbols", "").split(",") if each.strip()]
    if not symbols:
        raise ParameterError("symbols are required")
    for symbol in symbols:
        if not is_option_symbol(symbol):
            raise ParameterError(f"invalid symbol: {symbol}")
    if len(symbols) > _MOST_SYMBOLS:
        raise ParameterError(f"too many symbols: {len(symbols)}, at most {_MOST_SYMBOLS}")
    return list(dict.fromkeys(symbols))


def _without_feed(query: Mapping[str, str]) -> dict[str, str]:
    """Return a query for the history, which has only one feed of options."""
    return {name: value for name, value in query.items() if name != "feed"}


def _nameless(message: Message) -> dict[str, object]:
    return json_fields({key: value for key, value in message.items() if key not in ("T", "S")})


def _response(body: object) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")
