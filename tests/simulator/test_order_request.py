"""What an order, and a question for orders, may say."""

import json
from decimal import Decimal
from typing import Any

import pytest

from simulator.account.order import OrderRequest
from simulator.account.order_request import BAD_INPUT, TradingError, read_order, read_query

ORDER = {"symbol": "BAC", "qty": "137", "side": "buy", "type": "market", "time_in_force": "day"}
LIMIT = ORDER | {"type": "limit", "limit_price": "13.5"}


def read(**changes: Any) -> OrderRequest:
    given = {name: value for name, value in (ORDER | changes).items() if value is not None}
    return read_order(json.dumps(given).encode())


def test_numbers_may_be_text_or_numbers() -> None:
    assert read(qty="0.1").quantity == read(qty=0.1).quantity == Decimal("0.1")
    assert read(qty=None, notional=12.5).notional == Decimal("12.5")
    assert read(**LIMIT).limit_price == Decimal("13.5")


def test_a_pair_may_be_spelled_both_ways() -> None:
    named = [read(symbol=text, time_in_force="gtc").asset for text in ("BTCUSD", "BTC/USD")]

    assert named[0] == named[1]
    assert (named[0].symbol, named[0].market_symbol) == ("BTCUSD", "BTC/USD")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"symbol": None}, "invalid symbol: None"),
        ({"symbol": "b ac"}, "invalid symbol: b ac"),
        ({"side": "hold"}, "invalid side: hold, expected buy or sell"),
        ({"type": "stop"}, "invalid type: stop, expected market or limit"),
        ({"type": None}, "invalid type: None"),
        ({"time_in_force": "fok"}, "invalid time_in_force: fok, expected day or gtc or ioc"),
        ({"qty": "many"}, "invalid qty: many, expected a number"),
        ({"qty": "NaN"}, "invalid qty: NaN"),
        ({"qty": 0}, "invalid qty: 0, expected more than 0"),
        ({"qty": "-5"}, "invalid qty: -5"),
        ({"qty": "1e30"}, "invalid qty: 1e30"),
        ({"qty": "1e-10"}, "invalid qty: 1e-10, expected at most 9 decimals"),
        ({"qty": True}, "invalid qty: True"),
        ({"qty": None}, "qty or notional is required"),
        ({"notional": 100}, "qty or notional is required, and not both"),
        ({"qty": None, "notional": "0.5"}, "notional is 0.5: expected at least 1"),
        (LIMIT | {"qty": None, "notional": 5}, "notional is 5: expected a qty"),
        ({"type": "limit"}, "limit orders require a limit_price"),
        ({"limit_price": 5}, "limit orders require a limit_price, and market orders none"),
        ({"symbol": "BTCUSD"}, "invalid crypto time_in_force: day"),
        ({"symbol": "AAPL240119C00100000", "qty": 0.5}, "qty is 0.5: expected whole contracts"),
        ({"extended_hours": True}, "extended_hours is true: expected a limit order for the day"),
        ({"extended_hours": "yes"}, "invalid extended_hours: yes"),
        ({"order_class": "bracket"}, "invalid order_class: bracket"),
        ({"client_order_id": "x" * 129}, "invalid client_order_id: xxx"),
        ({"client_order_id": 7}, "invalid client_order_id: 7"),
    ],
)
def test_bad_input_is_422_and_named(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(TradingError) as caught:
        read(**changes)

    assert str(caught.value).startswith(problem)
    assert (caught.value.status, caught.value.code) == (422, BAD_INPUT)


@pytest.mark.parametrize("body", [b"", b"symbol=BAC", b"[]", b"\xff"])
def test_a_body_that_is_no_object_is_422(body: bytes) -> None:
    with pytest.raises(TradingError, match="request body format is invalid"):
        read_order(body)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"status": "new"}, "invalid status: new, expected open or closed or all"),
        ({"limit": "501"}, "invalid limit: 501, expected 1 to 500"),
        ({"limit": "-1"}, "invalid limit: -1"),
        ({"direction": "up"}, "invalid direction: up, expected desc or asc"),
        ({"symbols": "BAC,b"}, "invalid symbol: b"),
        ({"side": "both"}, "invalid side: both, expected buy or sell"),
        ({"after": "noon"}, "invalid after: noon, expected an RFC 3339 time"),
    ],
)
def test_a_bad_question_is_422_and_named(query: dict[str, str], problem: str) -> None:
    with pytest.raises(TradingError) as caught:
        read_query(query)

    assert caught.value.status == 422
    assert str(caught.value).startswith(problem)
