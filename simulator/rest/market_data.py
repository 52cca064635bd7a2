"""REST for market data.

Shapes follow docs.alpaca.markets/reference; pure modules build the responses.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.faults.armed import ArmedFaults
from simulator.protocol.subscription import is_symbol
from simulator.protocol.wire import Message
from simulator.rest import historical
from simulator.rest.guard import Guard
from simulator.rest.historical import ParameterError, RecentSipError
from simulator.tape.hours import midnight
from simulator.tape.market import Market

_FEEDS: Final = frozenset({"iex", "sip", "delayed_sip"})


@dataclass(frozen=True)
class Rest:
    """The endpoints over one market.

    `clock` returns Unix time in nanoseconds. `splits` maps a symbol to the number of new shares
    today for one of yesterday; `armed` has the faults that adjust bars by another ratio.
    """

    guard: Guard
    plan: str
    market: Market
    splits: Mapping[str, float]
    armed: ArmedFaults
    clock: Callable[[], int]

    def routes(self) -> list[Route]:
        """Return the route table."""
        route = self.guard.route
        return [
            route("/v2/stocks/bars", self._bars),
            route("/v2/stocks/trades", self._trades),
            route("/v2/stocks/snapshots", self._snapshots),
        ]

    async def _snapshots(self, request: Request) -> Response:
        symbols = _symbols(request.query_params.get("symbols", ""))
        feed = request.query_params.get("feed", "iex" if self.plan == "basic" else "sip")
        if feed not in _FEEDS:
            raise ParameterError(f"invalid feed: {feed}")
        if feed == "sip" and self.plan == "basic":
            raise RecentSipError
        now = self.clock()
        found = {symbol: self.market.snapshot(symbol, now) for symbol in symbols}
        return JSONResponse({name: found[name] for name in symbols if found[name] is not None})

    async def _bars(self, request: Request) -> Response:
        query, now = request.query_params, self.clock()
        symbols = _symbols(query.get("symbols", ""))
        wanted = historical.read_bars_request(query, now, has_recent_sip=self._has_recent_sip)
        bars = {symbol: self._bars_of(symbol, wanted, now) for symbol in symbols}
        return JSONResponse(historical.page("bars", wanted.window, bars))

    async def _trades(self, request: Request) -> Response:
        query, now = request.query_params, self.clock()
        symbols = _symbols(query.get("symbols", ""))
        window = historical.read_window(query, now, has_recent_sip=self._has_recent_sip)
        trades = {symbol: self.market.trades(symbol) for symbol in symbols}
        return JSONResponse(historical.page("trades", window, trades))

    @property
    def _has_recent_sip(self) -> bool:
        return self.plan != "basic"

    def _bars_of(self, symbol: str, wanted: historical.BarsRequest, now: int) -> Sequence[Message]:
        daily = wanted.timeframe == "1Day"
        bars = (self.market.daily_bars if daily else self.market.minute_bars)(symbol, now)
        ratio = self._ratio(symbol) if wanted.is_adjusted else 1
        return [historical.adjusted(bar, ratio, midnight(now)) for bar in bars]

    def _ratio(self, symbol: str) -> float:
        fault = self.armed.take("adjustment", symbol, symbol)
        if fault is not None and fault.ratio is not None:
            return fault.ratio
        return self.splits.get(symbol, 1)


def _symbols(listed: str) -> Sequence[str]:
    symbols = [symbol.strip() for symbol in listed.split(",")] if listed else []
    if not symbols:
        raise ParameterError("symbols are required")
    for symbol in symbols:
        if not is_symbol(symbol):
            raise ParameterError(f"invalid symbol: {symbol}")
    return list(dict.fromkeys(symbols))
