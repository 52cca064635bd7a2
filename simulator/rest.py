"""The REST endpoints beside the stream.

Shapes follow docs.alpaca.markets/reference; answers come from pure modules.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator import account, historical, hours
from simulator.account import Holding
from simulator.armed import ArmedFaults
from simulator.budget import Budget
from simulator.hours import MarketHours, midnight
from simulator.market import Market
from simulator.rfc3339 import SECOND
from simulator.session import Terms
from simulator.subscription import is_symbol
from simulator.wire import Message

_FEEDS: Final = frozenset({"iex", "sip", "delayed_sip"})
_FIRST_DAY: Final = date(1970, 1, 1)
_LAST_DAY: Final = date(2029, 12, 31)  # where Alpaca's own calendar ends
_TOO_MANY: Final = 429
_SIP_REFUSED: Final = "subscription does not permit querying recent SIP data"


class BadRequestError(ValueError):
    """A request with a wrong parameter; the text goes into the answer."""


@dataclass(frozen=True)
class Rest:
    """The endpoints over one market.

    `clock` gives Unix time in nanoseconds, `pause` waits for seconds. `splits` maps a symbol to
    the number of new shares that there are today for one of yesterday.
    """

    terms: Terms
    market: Market
    market_hours: MarketHours
    holdings: Callable[[], Sequence[Holding]]
    splits: Mapping[str, float]
    armed: ArmedFaults
    clock: Callable[[], int]
    pause: Callable[[float], Awaitable[None]]
    requests_per_minute: int

    def routes(self) -> list[Route]:
        """Return the route table; market data and trading have a budget each."""
        market_data, trading = self._budget(), self._budget()
        return [
            _route("/v2/stocks/bars", self._guarded(self._bars, market_data)),
            _route("/v2/stocks/trades", self._guarded(self._trades, market_data)),
            _route("/v2/stocks/snapshots", self._guarded(self._snapshots, market_data)),
            _route("/v2/clock", self._guarded(self._clock, trading)),
            _route("/v2/calendar", self._guarded(self._calendar, trading)),
            _route("/v2/positions", self._guarded(self._positions, trading)),
            _route("/v2/account", self._guarded(self._account, trading)),
        ]

    def _budget(self) -> Budget:
        return Budget(self.requests_per_minute, lambda: self.clock() / SECOND)

    def _guarded(
        self, answer: Callable[[Request], Response], budget: Budget
    ) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            if not self._authorized(request):
                return refused(401, "unauthorized.")
            within = budget.spend()
            fault = self.armed.take("request", request.url.path)
            if fault is not None and fault.delay_seconds:
                await self.pause(fault.delay_seconds)
            status = _TOO_MANY if not within else None if fault is None else fault.code
            response = self._checked(answer, request) if status is None else failed(status)
            response.headers.update(budget.headers())
            if status == _TOO_MANY:
                response.headers["X-Ratelimit-Remaining"] = "0"
            return response

        return respond

    def _checked(self, answer: Callable[[Request], Response], request: Request) -> Response:
        try:
            return answer(request)
        except historical.RecentSipError:
            return refused(403, _SIP_REFUSED)
        except (BadRequestError, historical.ParameterError) as error:
            return refused(400, str(error))

    def _authorized(self, request: Request) -> bool:
        sent = (
            request.headers.get("apca-api-key-id"),
            request.headers.get("apca-api-secret-key"),
        )
        return sent == (self.terms.key, self.terms.secret)

    def _snapshots(self, request: Request) -> Response:
        symbols = _symbols(request.query_params.get("symbols", ""))
        feed = request.query_params.get("feed", "iex" if self.terms.plan == "basic" else "sip")
        if feed not in _FEEDS:
            raise BadRequestError(f"invalid feed: {feed}")
        if feed == "sip" and self.terms.plan == "basic":
            return refused(403, _SIP_REFUSED)
        now = self.clock()
        found = {symbol: self.market.snapshot(symbol, now) for symbol in symbols}
        return JSONResponse({name: found[name] for name in symbols if found[name] is not None})

    def _bars(self, request: Request) -> Response:
        query, now = request.query_params, self.clock()
        symbols = _symbols(query.get("symbols", ""))
        wanted = historical.read_bars_request(query, now, has_recent_sip=self._has_recent_sip)
        bars = {symbol: self._bars_of(symbol, wanted, now) for symbol in symbols}
        return JSONResponse(historical.page("bars", wanted.window, bars))

    def _trades(self, request: Request) -> Response:
        query, now = request.query_params, self.clock()
        symbols = _symbols(query.get("symbols", ""))
        window = historical.read_window(query, now, has_recent_sip=self._has_recent_sip)
        trades = {symbol: self.market.trades(symbol) for symbol in symbols}
        return JSONResponse(historical.page("trades", window, trades))

    @property
    def _has_recent_sip(self) -> bool:
        return self.terms.plan != "basic"

    def _bars_of(self, symbol: str, wanted: historical.BarsRequest, now: int) -> Sequence[Message]:
        daily = wanted.timeframe == "1Day"
        bars = (self.market.daily_bars if daily else self.market.minute_bars)(symbol, now)
        ratio = self.splits.get(symbol, 1) if wanted.is_adjusted else 1
        return [historical.adjusted(bar, ratio, midnight(now)) for bar in bars]

    def _clock(self, _request: Request) -> Response:
        return JSONResponse(hours.clock(self.market_hours, self._now()))

    def _calendar(self, request: Request) -> Response:
        start = max(_day(request, "start", _FIRST_DAY), _FIRST_DAY)
        end = min(_day(request, "end", _LAST_DAY), _LAST_DAY)
        return JSONResponse(list(hours.calendar(self.market_hours, start, end)))

    def _positions(self, _request: Request) -> Response:
        return JSONResponse(account.positions(self.holdings(), self._price, self._previous_close))

    def _account(self, _request: Request) -> Response:
        return JSONResponse(account.account(self.holdings(), self._price))

    def _price(self, symbol: str) -> Decimal | None:
        return _decimal(self.market.price(symbol))

    def _previous_close(self, symbol: str) -> Decimal | None:
        return _decimal(self.market.previous_close(symbol, self.clock()))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock() / SECOND, UTC)


def refused(status: int, text: str) -> JSONResponse:
    """Return an error in Alpaca's shape."""
    return JSONResponse({"message": text}, status)


def failed(status: int) -> JSONResponse:
    """Return the answer to a good request at a bad time."""
    return refused(status, "too many requests." if status == _TOO_MANY else "a simulated fault")


def _route(path: str, answer: Callable[[Request], Awaitable[Response]]) -> Route:
    return Route(path, answer, methods=["GET"])


def _symbols(listed: str) -> Sequence[str]:
    symbols = [symbol.strip() for symbol in listed.split(",")] if listed else []
    if not symbols:
        raise BadRequestError("symbols are required")
    for symbol in symbols:
        if not is_symbol(symbol):
            raise BadRequestError(f"invalid symbol: {symbol}")
    return list(dict.fromkeys(symbols))


def _day(request: Request, name: str, default: date) -> date:
    text = request.query_params.get(name)
    if not text:
        return default
    try:
        return datetime.fromisoformat(text).date()
    except ValueError as error:
        raise BadRequestError(f"invalid {name}: {text}") from error


def _decimal(number: float | None) -> Decimal | None:
    return None if number is None else Decimal(str(number))
