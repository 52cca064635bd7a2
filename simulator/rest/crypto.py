"""REST for the market data of pairs.

Shapes follow docs.alpaca.markets/reference; pure modules build the responses. All locations have
the same data.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.crypto.pair_market import PairMarket
from simulator.protocol.subscription import CRYPTO_FEEDS, is_pair
from simulator.protocol.wire import Message, json_fields
from simulator.rest import historical
from simulator.rest.bar_pages import Batches, bar_page, bars_in
from simulator.rest.guard import Guard
from simulator.rest.historical import ParameterError, Window
from simulator.rest.market_data import let_others_run

_LOCATIONS: Final = frozenset(feed.path.rpartition("/")[2] for feed in CRYPTO_FEEDS)


@dataclass(frozen=True)
class CryptoRest:
    """The endpoints over one market; `clock` returns Unix time in nanoseconds.

    `look_up` gets the pairs of each request before it is answered.
    """

    guard: Guard
    market: PairMarket
    clock: Callable[[], int]
    look_up: Callable[[Sequence[str]], None] = lambda _: None

    def routes(self) -> list[Route]:
        """Return the route table."""
        route = self.guard.route
        return [
            route("/v1beta3/crypto/{loc}/snapshots", self._snapshots),
            route("/v1beta3/crypto/{loc}/latest/trades", self._latest_trades),
            route("/v1beta3/crypto/{loc}/latest/quotes", self._latest_quotes),
            route("/v1beta3/crypto/{loc}/latest/bars", self._latest_bars),
            route("/v1beta3/crypto/{loc}/latest/orderbooks", self._latest_books),
            route("/v1beta3/crypto/{loc}/trades", self._trades),
            route("/v1beta3/crypto/{loc}/bars", self._bars),
        ]

    async def _snapshots(self, request: Request) -> Response:
        symbols, now = self._pairs(request), self.clock()
        found = {symbol: self.market.snapshot(symbol, now) for symbol in symbols}
        shown = {symbol: one for symbol, one in found.items() if one is not None}
        return JSONResponse({"snapshots": shown})

    async def _latest_trades(self, request: Request) -> Response:
        return self._latest("trades", request, self.market.latest_trade)

    async def _latest_quotes(self, request: Request) -> Response:
        return self._latest("quotes", request, self.market.quote)

    async def _latest_bars(self, request: Request) -> Response:
        def bar(symbol: str) -> Message | None:
            return self.market.newest_minute(symbol, self.clock())

        return self._latest("bars", request, bar)

    async def _latest_books(self, request: Request) -> Response:
        def book(symbol: str) -> Message | None:
            found = self.market.book(symbol)
            return None if found is None else found.latest()

        return self._latest("orderbooks", request, book)

    async def _trades(self, request: Request) -> Response:
        query, symbols = request.query_params, self._pairs(request)
        window = self._window(query)
        trades = {symbol: self.market.trades(symbol) for symbol in symbols}
        return JSONResponse(historical.trade_page(window, query.get("page_token"), trades))

    async def _bars(self, request: Request) -> Response:
        query, symbols, now = request.query_params, self._pairs(request), self.clock()
        frame = historical.read_frame(query, self.market.zone)

        def bars_of(symbol: str, window: Window) -> Batches:
            return bars_in(self.market, symbol, frame, window, now)

        page = await bar_page(
            symbols, self._window(query), query.get("page_token"), bars_of, let_others_run
        )
        return Response(msgspec.json.encode(page), media_type="application/json")

    def _window(self, query: Mapping[str, str]) -> Window:
        zone = self.market.zone
        return historical.read_window(query, self.clock(), has_recent_sip=True, zone=zone)

    def _latest(
        self, name: str, request: Request, newest: Callable[[str], Message | None]
    ) -> Response:
        """Return the newest message of each pair that has one."""
        found = {symbol: newest(symbol) for symbol in self._pairs(request)}
        shown = {symbol: _shown(one) for symbol, one in found.items() if one is not None}
        return JSONResponse({name: shown})

    def _pairs(self, request: Request) -> Sequence[str]:
        """Return the pairs of a request, whose location is checked too."""
        location = request.path_params["loc"]
        if location not in _LOCATIONS:
            raise ParameterError(f"invalid location: {location}")
        symbols = historical.read_symbols(request.query_params, is_pair)
        self.look_up(symbols)
        return symbols


def _shown(message: Message) -> dict[str, object]:
    fields = json_fields(message)
    return {key: fields[key] for key in fields if key not in ("T", "S")}
