"""REST for trading: account, orders, positions, and the market's hours.

Shapes follow docs.alpaca.markets/reference; pure modules and the broker build the responses.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.account.asset import asset_of, listed_asset
from simulator.account.broker import Broker
from simulator.account.order import Order
from simulator.account.order_request import (
    NOT_FOUND,
    TradingError,
    read_multi_leg,
    read_order,
    read_query,
)
from simulator.protocol.rfc3339 import SECOND
from simulator.rest.guard import Guard
from simulator.rest.historical import ParameterError
from simulator.tape import hours
from simulator.tape.hours import MarketHours

_FILTERS: Final = ("status", "class", "exchange")
_FIRST_DAY: Final = date(1970, 1, 1)
_LAST_DAY: Final = date(2029, 12, 31)  # the end of Alpaca's own calendar


@dataclass(frozen=True)
class Trading:
    """The endpoints over one broker; `clock` returns Unix time in nanoseconds.

    `is_listed` returns whether the assets contain a stock or a pair, and `listed` returns all.
    `look_up` gets the symbols, as market data write them, of each order and of each request for an
    asset, before it is answered. `overnight_halted` are the symbols whose trading is halted in the
    overnight session.
    """

    guard: Guard
    broker: Broker
    market_hours: MarketHours
    clock: Callable[[], int]
    is_listed: Callable[[str], bool]
    listed: Callable[[], Collection[str]]
    look_up: Callable[[Sequence[str]], None] = lambda _: None
    overnight_halted: Collection[str] = ()

    def routes(self) -> list[Route]:
        """Return the route table."""
        route = self.guard.route
        return [
            route("/v2/clock", self._clock),
            route("/v2/calendar", self._calendar),
            route("/v2/assets", self._assets),
            route("/v2/assets/{symbol:path}", self._asset),
            route("/v2/account", self._account),
            route("/v2/positions", self._positions),
            route("/v2/positions/{symbol:path}", self._position),
            route("/v2/orders", self._orders),
            route("/v2/orders", self._submit, ["POST"]),
            route("/v2/orders", self._cancel_all, ["DELETE"]),
            route("/v2/orders:by_client_order_id", self._order_of_client),
            route("/v2/orders/{order_id}", self._order),
            route("/v2/orders/{order_id}", self._replace, ["PATCH"]),
            route("/v2/orders/{order_id}", self._cancel, ["DELETE"]),
        ]

    async def _clock(self, _request: Request) -> Response:
        now = datetime.fromtimestamp(self.clock() / SECOND, UTC)
        return JSONResponse(hours.clock(self.market_hours, now))

    async def _calendar(self, request: Request) -> Response:
        start = max(_day(request, "start", _FIRST_DAY), _FIRST_DAY)
        end = min(_day(request, "end", _LAST_DAY), _LAST_DAY)
        return JSONResponse(list(hours.calendar(self.market_hours, start, end)))

    async def _assets(self, request: Request) -> Response:
        """Return the rows that the `status`, `asset_class` and `exchange` of a request select."""
        query = {"class" if k == "asset_class" else k: v for k, v in request.query_params.items()}
        rows: list[dict[str, object]] = []
        for symbol in sorted(self.listed()):
            with suppress(ValueError):  # somebody may have published trades of anything
                rows.append(self._shown(symbol))
        wanted = [r for r in rows if all(r.get(k) == v for k, v in query.items() if k in _FILTERS)]
        return JSONResponse(wanted)

    async def _asset(self, request: Request) -> Response:
        symbol = request.path_params["symbol"]
        self.look_up((symbol,))
        if not self.is_listed(symbol):
            raise TradingError(404, NOT_FOUND, f"asset not found for {symbol}")
        return JSONResponse(self._shown(symbol))

    def _shown(self, symbol: str) -> dict[str, object]:
        """Return an asset's row.

        Raises:
            ValueError: the symbol is invalid.
        """
        attributes = ["overnight_halted"] if symbol in self.overnight_halted else []
        return {**listed_asset(symbol).shown(), "attributes": attributes}

    async def _account(self, _request: Request) -> Response:
        return JSONResponse(self.broker.statement().summary())

    async def _positions(self, _request: Request) -> Response:
        rows = self.broker.statement().positions()
        self.broker.positions_were_read()
        return JSONResponse(rows)

    async def _position(self, request: Request) -> Response:
        """Find a position by its symbol, as BTCUSD or BTC/USD, or by the id of its asset."""
        name = request.path_params["symbol"]
        for row in self.broker.statement().positions():
            if name in (row["symbol"], row["asset_id"], asset_of(str(row["symbol"])).market_symbol):
                return JSONResponse(row)
        raise TradingError(404, NOT_FOUND, f"position does not exist: {name}")

    async def _orders(self, request: Request) -> Response:
        wanted = read_query(request.query_params)
        found = wanted.select(self.broker.statement().orders)
        return JSONResponse([order.shown() for order in found])

    async def _order(self, request: Request) -> Response:
        order_id = request.path_params["order_id"]
        return self._one(lambda order: order.id == order_id, order_id)

    async def _order_of_client(self, request: Request) -> Response:
        order_id = request.query_params.get("client_order_id", "")
        return self._one(lambda order: order.client_order_id == order_id, order_id)

    async def _submit(self, request: Request) -> Response:
        body = await request.body()
        legs = read_multi_leg(body)
        if legs is not None:
            self.look_up([leg.asset.market_symbol for leg in legs.legs])
            return JSONResponse(self.broker.submit_legs(legs))
        order = read_order(body)
        self.look_up((order.asset.market_symbol,))
        return JSONResponse(self.broker.submit(order))

    async def _replace(self, request: Request) -> Response:
        order_id = request.path_params["order_id"]
        return JSONResponse(self.broker.replace(order_id, await request.body()))

    async def _cancel(self, request: Request) -> Response:
        self.broker.cancel(request.path_params["order_id"])
        return Response(status_code=204)

    async def _cancel_all(self, _request: Request) -> Response:
        canceled = self.broker.cancel_all()
        return JSONResponse([{"id": order_id, "status": 200} for order_id in canceled], 207)

    def _one(self, is_wanted: Callable[[Order], bool], name: str) -> Response:
        for order in self.broker.statement().orders:
            if is_wanted(order):
                return JSONResponse(order.shown())
        raise TradingError(404, NOT_FOUND, f"order not found for {name}")


def _day(request: Request, name: str, default: date) -> date:
    text = request.query_params.get(name)
    if not text:
        return default
    try:
        return datetime.fromisoformat(text).date()
    except ValueError as error:
        raise ParameterError(f"invalid {name}: {text}") from error
