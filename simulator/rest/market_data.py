"""REST for market data.

Shapes follow docs.alpaca.markets/reference; pure modules build the responses.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.faults.armed import ArmedFaults
from simulator.protocol.subscription import is_symbol
from simulator.protocol.wire import json_fields
from simulator.rest import historical
from simulator.rest.bar_pages import Batches, bar_page, bars_in
from simulator.rest.guard import Guard
from simulator.rest.historical import ParameterError, RecentSipError, Window
from simulator.tape.hours import midnight
from simulator.tape.market import Market

_FEEDS: Final = frozenset({"iex", "sip", "delayed_sip"})


@dataclass(frozen=True)
class Rest:
    """The endpoints over one market.

    `clock` returns Unix time in nanoseconds. `splits` maps a symbol to the number of new shares
    today for one of yesterday; `armed` has the faults that adjust bars by another ratio. `look_up`
    gets the symbols of each request before it is answered.
    """

    guard: Guard
    plan: str
    market: Market
    splits: Mapping[str, float]
    armed: ArmedFaults
    clock: Callable[[], int]
    look_up: Callable[[Sequence[str]], None] = lambda _: None

    def routes(self) -> list[Route]:
        """Return the route table."""
        route = self.guard.route
        return [
            route("/v2/stocks/bars", self._bars),
            route("/v2/stocks/bars/latest", self._latest_bars),
            route("/v2/stocks/trades", self._trades),
            route("/v2/stocks/snapshots", self._snapshots),
        ]

    async def _snapshots(self, request: Request) -> Response:
        symbols, now = self._latest(request), self.clock()
        found = {symbol: self.market.snapshot(symbol, now) for symbol in symbols}
        return JSONResponse({name: found[name] for name in symbols if found[name] is not None})

    async def _bars(self, request: Request) -> Response:
        query, now = request.query_params, self.clock()
        symbols = self._symbols(query)
        wanted = historical.read_bars_request(query, now, has_recent_sip=self._has_recent_sip)
        adjusted = {symbol: self._ratio(symbol) for symbol in symbols if wanted.is_adjusted}

        today = midnight(now)

        def bars_of(symbol: str, window: Window) -> Batches:
            ratio = adjusted.get(symbol, 1)
            for batch in bars_in(self.market, symbol, wanted.timeframe, window, now):
                yield [historical.adjusted(bar, ratio, today) for bar in batch]

        token = query.get("page_token")
        page = await bar_page(symbols, wanted.window, token, bars_of, let_others_run)
        # `JSONResponse` would hold the loop for 50 ms with the longest page.
        return Response(msgspec.json.encode(page), media_type="application/json")

    async def _latest_bars(self, request: Request) -> Response:
        symbols, now = self._latest(request), self.clock()
        found = {symbol: self.market.newest_minute(symbol, now) for symbol in symbols}
        bars = {name: json_fields(bar) for name, bar in found.items() if bar is not None}
        return JSONResponse({"bars": bars})

    async def _trades(self, request: Request) -> Response:
        query, now = request.query_params, self.clock()
        symbols = self._symbols(query)
        window = historical.read_window(query, now, has_recent_sip=self._has_recent_sip)
        trades = {symbol: self.market.trades(symbol) for symbol in symbols}
        return JSONResponse(historical.trade_page(window, query.get("page_token"), trades))

    @property
    def _has_recent_sip(self) -> bool:
        return self.plan != "basic"

    def _latest(self, request: Request) -> Sequence[str]:
        """Return the symbols of a request for the newest data."""
        symbols = self._symbols(request.query_params)
        feed = request.query_params.get("feed", "iex" if self.plan == "basic" else "sip")
        if feed not in _FEEDS:
            raise ParameterError(f"invalid feed: {feed}")
        if feed == "sip" and not self._has_recent_sip:
            raise RecentSipError
        return symbols

    def _symbols(self, query: Mapping[str, str]) -> Sequence[str]:
        symbols = historical.read_symbols(query, is_symbol)
        self.look_up(symbols)
        return symbols

    def _ratio(self, symbol: str) -> float:
        fault = self.armed.take("adjustment", symbol, symbol)
        if fault is not None and fault.ratio is not None:
            return fault.ratio
        return self.splits.get(symbol, 1)


async def let_others_run() -> None:
    """Give the streams a turn between the parts of a long page."""
    await asyncio.sleep(0)
