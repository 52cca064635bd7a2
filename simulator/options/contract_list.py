"""`GET /v2/options/contracts` of the trading host: the listed contracts.

Source: docs.alpaca.markets/reference/get-options-contracts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.account.asset import asset_of
from simulator.account.order_request import NOT_FOUND, TradingError
from simulator.options.contract import Contract, contract_of
from simulator.options.contract_query import ContractFilter, page_of, read_choice, read_filter
from simulator.options.market import OptionMarket
from simulator.options.today import date_of
from simulator.protocol.decimals import exact, text
from simulator.rest.guard import Guard

_STYLE: Final = "american"  # that of all contracts on stocks
_STYLES: Final = (_STYLE, "european")
_STATES: Final = ("active", "inactive")
_LARGEST_PAGE: Final = 10_000
_SATURDAY: Final = 6


@dataclass(frozen=True)
class ContractList:
    """The endpoints over one market; `clock` returns Unix time in nanoseconds."""

    guard: Guard
    market: OptionMarket
    clock: Callable[[], int]

    def routes(self) -> list[Route]:
        """Return the route table."""
        return [
            self.guard.route("/v2/options/contracts", self._contracts),
            self.guard.route("/v2/options/contracts/{symbol}", self._contract),
        ]

    async def _contract(self, request: Request) -> Response:
        symbol, now = request.path_params["symbol"], self.clock()
        if not self.market.knows(symbol):
            # Alpaca does not document the words of this answer.
            raise TradingError(404, NOT_FOUND, f"option contract not found for {symbol}")
        contract = contract_of(symbol)
        is_active = contract.expiration >= date_of(now)
        return JSONResponse(self._row(contract, now, is_active=is_active))

    async def _contracts(self, request: Request) -> Response:
        query, now = request.query_params, self.clock()
        today = date_of(now)
        wanted = _until_the_weekend(read_filter(query), today)
        is_active = read_choice(query, "status", _STATES) != "inactive"
        style = read_choice(query, "style", _STYLES) or _STYLE
        listed = query.get("underlying_symbols") or ""
        underlyings = {each.strip() for each in listed.split(",")} - {""}
        found = {
            each.symbol: each
            for each in self.market.contracts()
            if (not underlyings or each.underlying in underlyings)
            and (each.expiration >= today) == is_active
            and wanted.allows(each)
            and style == _STYLE
        }
        page, token = page_of(list(found), query, _LARGEST_PAGE)
        rows = [self._row(found[symbol], now, is_active=is_active) for symbol in page]
        return JSONResponse({"option_contracts": rows, "next_page_token": token})

    def _row(self, contract: Contract, now: int, *, is_active: bool) -> Mapping[str, object]:
        symbol = contract.symbol
        asset = asset_of(symbol)
        open_interest = self.market.open_interest(symbol)
        day = self.market.previous_day(symbol, now)
        close = self.market.previous_close(symbol, now)
        return {
            "id": asset.id,
            "symbol": symbol,
            "name": contract.name,
            "status": "active" if is_active else "inactive",
            "tradable": is_active,
            "expiration_date": contract.expiration.isoformat(),
            "root_symbol": contract.root,
            "underlying_symbol": contract.underlying,
            "underlying_asset_id": asset_of(contract.underlying).id,
            "type": contract.type,
            "style": _STYLE,
            "strike_price": text(contract.strike),
            "multiplier": text(asset.multiplier),
            "size": text(asset.multiplier),
            "open_interest": None if open_interest is None else str(open_interest[0]),
            "open_interest_date": None if open_interest is None else str(open_interest[1]),
            "close_price": text(exact(close)),
            "close_price_date": None if day is None else _date_of_bar(day),
        }


def _until_the_weekend(wanted: ContractFilter, today: date) -> ContractFilter:
    """Return a filter that ends before the coming weekend, if its query has no end."""
    if wanted.expires_on is not None or wanted.expires_to is not None:
        return wanted
    days_to_saturday = (_SATURDAY - today.isoweekday()) % 7 or 7
    return replace(wanted, expires_to=today + timedelta(days=days_to_saturday - 1))


def _date_of_bar(bar: Mapping[str, object]) -> str | None:
    start = bar["t"]
    return date_of(start).isoformat() if isinstance(start, int) else None
