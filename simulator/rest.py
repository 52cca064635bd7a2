"""The REST endpoints beside the stream, and the simulator's own `/simulator/state`.

Shapes follow docs.alpaca.markets/reference; answers come from pure modules.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator import account, hours
from simulator.budget import Budget
from simulator.hours import MarketHours
from simulator.market import Market
from simulator.rfc3339 import SECOND
from simulator.session import Terms
from simulator.subscription import is_symbol

_FEEDS: Final = frozenset({"iex", "sip", "delayed_sip"})
_FIRST_DAY: Final = date(1970, 1, 1)
_LAST_DAY: Final = date(2029, 12, 31)  # where Alpaca's own calendar ends
_SIP_REFUSED: Final = "subscription does not permit querying recent SIP data"


class BadRequestError(ValueError):
    """A request with a wrong parameter; the text goes into the answer."""


@dataclass(frozen=True)
class Rest:
    """The endpoints over one market; `clock` gives Unix time in nanoseconds."""

    terms: Terms
    market: Market
    market_hours: MarketHours
    clock: Callable[[], int]
    requests_per_minute: int

    def routes(self, state: Callable[[], Mapping[str, object]]) -> list[Route]:
        """Return the route table; market data and trading have a budget each."""
        market_data, trading = self._budget(), self._budget()

        def own_state(_request: Request) -> Response:
            return JSONResponse(dict(state()))

        return [
            _route("/v2/stocks/snapshots", self._guarded(self._snapshots, market_data)),
            _route("/v2/clock", self._guarded(self._clock, trading)),
            _route("/v2/calendar", self._guarded(self._calendar, trading)),
            _route("/v2/positions", self._guarded(self._positions, trading)),
            _route("/v2/account", self._guarded(self._account, trading)),
            _route("/simulator/state", own_state),
        ]

    def _budget(self) -> Budget:
        return Budget(self.requests_per_minute, lambda: self.clock() / SECOND)

    def _guarded(
        self, answer: Callable[[Request], Response], budget: Budget
    ) -> Callable[[Request], Response]:
        def respond(request: Request) -> Response:
            if not self._authorized(request):
                return refused(401, "unauthorized.")
            within = budget.spend()
            response = self._checked(answer, request) if within else _too_many()
            response.headers.update(budget.headers())
            return response

        return respond

    def _checked(self, answer: Callable[[Request], Response], request: Request) -> Response:
        try:
            return answer(request)
        except BadRequestError as error:
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

    def _clock(self, _request: Request) -> Response:
        return JSONResponse(hours.clock(self.market_hours, self._now()))

    def _calendar(self, request: Request) -> Response:
        start = max(_day(request, "start", _FIRST_DAY), _FIRST_DAY)
        end = min(_day(request, "end", _LAST_DAY), _LAST_DAY)
        return JSONResponse(list(hours.calendar(self.market_hours, start, end)))

    def _positions(self, _request: Request) -> Response:
        return JSONResponse(account.positions(self._price, self._previous_close))

    def _account(self, _request: Request) -> Response:
        return JSONResponse(account.account(self._price))

    def _price(self, symbol: str) -> Decimal | None:
        return _decimal(self.market.price(symbol))

    def _previous_close(self, symbol: str) -> Decimal | None:
        return _decimal(self.market.previous_close(symbol))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock() / SECOND, UTC)


def refused(status: int, text: str) -> JSONResponse:
    """Return an error in Alpaca's shape."""
    return JSONResponse({"message": text}, status)


def _route(path: str, answer: Callable[[Request], Response]) -> Route:
    # Starlette sends a plain function to a thread; these answer at once from memory that
    # only the event loop may touch.
    async def endpoint(request: Request) -> Response:
        return answer(request)

    return Route(path, endpoint, methods=["GET"])


def _too_many() -> JSONResponse:
    return refused(429, "too many requests.")


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
