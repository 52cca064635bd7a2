"""The bodies of `POST` and `PATCH /v2/orders` and the query of `GET /v2/orders`, read. Pure.

Source: docs.alpaca.markets/reference/postorder and its neighbours.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar, get_args

import msgspec

from simulator.account.asset import Asset, asset_of
from simulator.account.multi_leg import MULTI_LEG, LegRequest, MultiLegRequest
from simulator.account.order import Order, OrderRequest, OrderType, Side, TimeInForce
from simulator.protocol import rfc3339

BAD_INPUT: Final = 40010001
NO_POWER: Final = 40310000
NOT_FOUND: Final = 40410000
NOT_CANCELABLE: Final = 42210000
"""Alpaca's codes."""

_LARGEST: Final = Decimal(10**9)
_ABOVE_ZERO: Final = Decimal("1e-99")
_SMALLEST_NOTIONAL: Final = 1
_DECIMALS: Final = 9
_LONGEST_ID: Final = 128
_LONGEST_LIST: Final = 500
_MOST_LEGS: Final = 4
_Choice = TypeVar("_Choice", bound=str)


class TradingError(Exception):
    """A rejected request: an HTTP status, Alpaca's code, and a text that names the value."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code


def bad_input(text: str) -> TradingError:
    """Return the error for an invalid request."""
    return TradingError(422, BAD_INPUT, text)


def read_order(body: bytes) -> OrderRequest:
    """Read an order for one asset, of any content type.

    Raises:
        TradingError: 422, the request is invalid.
    """
    given = _given(body)
    request = OrderRequest(
        asset=read_asset(given.get("symbol")),
        side=_choice(given, "side", get_args(Side)),
        quantity=_amount(given, "qty"),
        notional=_amount(given, "notional"),
        type=_choice(given, "type", get_args(OrderType)),
        time_in_force=_choice(given, "time_in_force", get_args(TimeInForce)),
        limit_price=_amount(given, "limit_price"),
        client_order_id=_client_order_id(given),
        extended_hours=_flag(given, "extended_hours"),
    )
    if given.get("order_class") not in (None, "", "simple"):
        raise bad_input(f"invalid order_class: {given['order_class']}, expected simple or mleg")
    _check_amounts(request)
    _check_times(request)
    return request


def read_multi_leg(body: bytes) -> MultiLegRequest | None:
    """Read a multi-leg order; None if the body is another order.

    Raises:
        TradingError: 422, the request is invalid.
    """
    given = _given(body)
    if given.get("order_class") != MULTI_LEG:
        return None
    legs = given.get("legs")
    if not isinstance(legs, list) or not 2 <= len(legs) <= _MOST_LEGS:
        raise bad_input(f"invalid legs: expected 2 to {_MOST_LEGS}")
    type_ = _choice(given, "type", get_args(OrderType))
    limit_price = _amount(given, "limit_price", smallest=-_LARGEST)
    if (type_ == "limit") != (limit_price is not None):
        raise bad_input("limit orders require a limit_price, and market orders none")
    return MultiLegRequest(
        [_leg(leg) for leg in legs],
        _whole(given, "qty"),
        type=type_,
        time_in_force=_choice(given, "time_in_force", ("day",)),
        limit_price=limit_price,
        client_order_id=_client_order_id(given),
    )


def read_replacement(body: bytes, order: Order) -> OrderRequest:
    """Read a change of an open order; return the request of its successor.

    Raises:
        TradingError: 422, the request is invalid, or the order cannot be replaced.
    """
    given, asked = _given(body), order.request
    if asked.quantity is None or order.total is None:
        raise bad_input("an order for a notional cannot be replaced")
    request = replace(
        asked,
        quantity=_amount(given, "qty") or order.total - order.filled,
        limit_price=_amount(given, "limit_price") or asked.limit_price,
        time_in_force=_choice(
            given, "time_in_force", get_args(TimeInForce), default=asked.time_in_force
        ),
        client_order_id=_client_order_id(given),
    )
    _check_amounts(request)
    _check_times(request)
    return request


def _given(body: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except msgspec.DecodeError as error:
        raise bad_input(f"request body format is invalid: {error}") from error


def _leg(given: object) -> LegRequest:
    if not isinstance(given, dict):
        raise bad_input(f"invalid leg: {given}")
    side: Side = _choice(given, "side", get_args(Side))
    return LegRequest(read_asset(given.get("symbol")), side, _whole(given, "ratio_qty"))


def _whole(given: Mapping[str, object], name: str) -> Decimal:
    amount = _amount(given, name)
    if amount is None or amount % 1:
        raise bad_input(f"invalid {name}: {amount}, expected a whole number")
    return amount


def read_asset(symbol: object) -> Asset:
    """Return the asset of a symbol.

    Raises:
        TradingError: 422, the symbol is invalid.
    """
    try:
        return asset_of(symbol if isinstance(symbol, str) else "")
    except ValueError as error:
        raise bad_input(f"invalid symbol: {symbol}") from error


@dataclass(frozen=True)
class OrdersQuery:
    """A selection of orders; times in Unix nanoseconds."""

    status: str
    limit: int
    is_ascending: bool
    symbols: frozenset[str]
    side: str
    after: int | None
    until: int | None

    def select(self, orders: Iterable[Order]) -> list[Order]:
        """Return the selected orders; `orders` are in the order of their submission."""
        found = [order for order in orders if self._is_wanted(order)]
        return (found if self.is_ascending else found[::-1])[: self.limit]

    def _is_wanted(self, order: Order) -> bool:
        return (
            (self.status == "all" or order.is_open == (self.status == "open"))
            and (not self.symbols or order.asset.symbol in self.symbols)
            and self.side in ("", order.request.side)
            and (self.after is None or order.submitted_at > self.after)
            and (self.until is None or order.submitted_at <= self.until)
        )


def read_query(query: Mapping[str, str]) -> OrdersQuery:
    """Read a selection of orders.

    Raises:
        TradingError: 422, a parameter is invalid.
    """
    limit = query.get("limit") or "50"
    if not limit.isdecimal() or not 1 <= int(limit) <= _LONGEST_LIST:
        raise bad_input(f"invalid limit: {limit}, expected 1 to {_LONGEST_LIST}")
    listed = query.get("symbols") or ""
    symbols = frozenset(read_asset(one.strip()).symbol for one in listed.split(",") if listed)
    return OrdersQuery(
        status=_choice(query, "status", ("open", "closed", "all"), "open"),
        limit=int(limit),
        is_ascending=_choice(query, "direction", ("desc", "asc"), "desc") == "asc",
        symbols=symbols,
        side=_choice(query, "side", ("", *get_args(Side)), ""),
        after=_moment(query, "after"),
        until=_moment(query, "until"),
    )


def _check_amounts(request: OrderRequest) -> None:
    quantity, notional = request.quantity, request.notional
    if (quantity is None) == (notional is None):
        raise bad_input("qty or notional is required, and not both")
    if (request.type == "limit") != (request.limit_price is not None):
        raise bad_input("limit orders require a limit_price, and market orders none")
    if notional is not None and request.type == "limit":
        raise bad_input(f"notional is {notional}: expected a qty for a limit order")
    if notional is not None and notional < _SMALLEST_NOTIONAL:
        raise bad_input(f"notional is {notional}: expected at least {_SMALLEST_NOTIONAL}")
    if request.asset.asset_class == "us_option" and (quantity is None or quantity % 1):
        raise bad_input(f"qty is {quantity}: expected whole contracts of {request.asset.symbol}")


def _check_times(request: OrderRequest) -> None:
    if request.asset.asset_class == "crypto" and request.time_in_force == "day":
        raise bad_input("invalid crypto time_in_force: day, expected gtc or ioc")
    if request.extended_hours and (request.type, request.time_in_force) != ("limit", "day"):
        raise bad_input("extended_hours is true: expected a limit order for the day")


def _choice(
    given: Mapping[str, object], name: str, allowed: tuple[_Choice, ...], default: object = None
) -> _Choice:
    value = given.get(name) or default
    if value not in allowed:
        expected = " or ".join(filter(None, allowed))
        raise bad_input(f"invalid {name}: {value}, expected {expected}")
    return value


def _amount(
    given: Mapping[str, object], name: str, smallest: Decimal = _ABOVE_ZERO
) -> Decimal | None:
    value = given.get(name)
    if value is None or value == "":
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation as error:
        raise bad_input(f"invalid {name}: {value}, expected a number") from error
    if not amount.is_finite() or not smallest <= amount <= _LARGEST:
        raise bad_input(f"invalid {name}: {value}, expected more than 0, at most {_LARGEST}")
    if amount != round(amount, _DECIMALS):
        raise bad_input(f"invalid {name}: {value}, expected at most {_DECIMALS} decimals")
    return amount


def _flag(given: Mapping[str, object], name: str) -> bool:
    value = given.get(name) or False
    if not isinstance(value, bool):
        raise bad_input(f"invalid {name}: {value}, expected true or false")
    return value


def _client_order_id(given: Mapping[str, object]) -> str | None:
    value = given.get("client_order_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > _LONGEST_ID:
        raise bad_input(f"invalid client_order_id: {value}, expected {_LONGEST_ID} characters")
    return value


def _moment(query: Mapping[str, str], name: str) -> int | None:
    value = query.get(name)
    if not value:
        return None
    try:
        return rfc3339.parse(value)
    except ValueError as error:
        raise bad_input(f"invalid {name}: {value}, expected an RFC 3339 time") from error
