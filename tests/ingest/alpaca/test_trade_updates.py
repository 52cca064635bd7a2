"""The account's stream on the wire. The messages are those of Alpaca's documentation."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingest.alpaca import trade_updates
from ingest.alpaca.trade_updates import TradeUpdate, decode
from ingest.alpaca.unreadable import BadFrameError, LostFields, Malformed, Unknown

EXAMPLES = {
    name: json.dumps(message)
    for name, message in json.loads(
        Path(__file__).with_name("trade_update_examples.json").read_text(encoding="utf-8")
    )["messages"].items()
}


def update_of(frame: bytes | str) -> TradeUpdate:
    [message] = decode(frame)
    assert isinstance(message, TradeUpdate)
    return message


@pytest.mark.parametrize("form", [str, str.encode])
def test_text_and_binary_frames_say_the_same(form: Any) -> None:
    update = update_of(form(EXAMPLES["fill"]))

    assert (update.event, update.order.symbol, update.order.side) == ("fill", "SOLUSD", "sell")
    assert (update.qty, update.price) == (Decimal("1790.86"), Decimal("105.8988475"))
    assert update.position_qty == 0


def test_what_is_not_an_update_is_told_apart() -> None:
    assert decode(EXAMPLES["listening"]) == [trade_updates.Listening(["trade_updates"])]
    assert decode(EXAMPLES["error"]) == [trade_updates.Error("internal server error")]
    assert decode('{"stream":"authorization","data":{"status":"unauthorized"}}') == [
        trade_updates.Authorization("unauthorized")
    ]
    assert decode('{"stream":"weather","data":{}}') == [Unknown("weather")]


@pytest.mark.parametrize(
    "changes", [{"order": None}, {"order": []}, {"event": 7}, {"order": {"symbol": "A"}}]
)
def test_an_update_of_another_form_is_malformed_and_ends_nothing(changes: dict[str, Any]) -> None:
    message = json.loads(EXAMPLES["fill"])
    message["data"] |= changes
    [malformed] = decode(json.dumps(message))
    assert isinstance(malformed, Malformed)
    assert malformed.kind == "trade_updates"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"price": "much"}, "price"),
        ({"position_qty": ""}, "position_qty"),
        ({"execution_id": 7}, "execution_id"),
        ({"timestamp": 1764082800}, "timestamp"),
        ({"at": 5}, "at"),
        ({"position_qtys": []}, "position_qtys"),
        ({"position_qtys": {"A": "many"}}, "position_qtys: A"),
        ({"legs": ["?"]}, "legs: [0]"),
    ],
)
def test_an_unreadable_field_costs_the_field_and_is_named(
    changes: dict[str, Any], field: str
) -> None:
    message = json.loads(EXAMPLES["fill"])
    message["data"] |= changes
    update, malformed = decode(json.dumps(message))

    assert isinstance(update, TradeUpdate)
    assert not getattr(update, field.partition(":")[0])
    assert update.order == update_of(EXAMPLES["fill"]).order
    assert isinstance(malformed, LostFields)
    assert field in malformed.problem


@pytest.mark.parametrize(
    "name", [name for name in trade_updates.Order.__struct_fields__ if name != "id"]
)
@pytest.mark.parametrize("value", [{"of": "another form"}, [[]]])
def test_every_optional_field_of_an_order_costs_only_itself(name: str, value: object) -> None:
    message = json.loads(EXAMPLES["fill"])
    message["data"]["order"][name] = value
    update, *malformed = decode(json.dumps(message))

    assert isinstance(update, TradeUpdate)
    assert not getattr(update.order, name)
    assert update.order.id == "a5be8f5e-fdfa-41f5-a644-7a74fe947a8f"
    assert [type(each) for each in malformed] == [LostFields]


def test_an_empty_text_for_a_number_is_null_in_an_order_and_in_its_legs() -> None:
    message = json.loads(EXAMPLES["several legs"])
    order = message["data"]["order"]
    order["limit_price"] = order["legs"][1]["filled_avg_price"] = ""
    update, *malformed = decode(json.dumps(message))

    assert isinstance(update, TradeUpdate)
    assert (update.order.limit_price, update.order.filled_avg_price) == (None, 1.62)
    assert [leg.filled_avg_price for leg in update.order.legs or ()] == [1.6, None]
    assert len(malformed) == 2


@pytest.mark.parametrize("frame", [b"\xc1\xff", "", "[]", "7", '{"stream":'])
def test_a_frame_that_is_no_object_is_bad(frame: bytes | str) -> None:
    with pytest.raises(BadFrameError):
        decode(frame)


@pytest.mark.parametrize("name", ["price", "qty", "position_qty"])
@pytest.mark.parametrize(
    "number", ["1e30", "1e15", "NaN", "Infinity", "1E-1000000", "9" * 100_000, 10**15]
)
def test_an_execution_with_a_number_that_no_market_has_is_malformed(name: str, number: Any) -> None:
    message = json.loads(EXAMPLES["fill"])
    message["data"][name] = number

    [malformed] = decode(json.dumps(message))

    assert isinstance(malformed, Malformed)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit_price", "NaN"),
        ("filled_qty", "Infinity"),
        ("qty", "1e300"),
        ("client_order_id", "x" * 1_001),
    ],
)
def test_a_field_of_an_order_beyond_its_bounds_costs_itself(name: str, value: Any) -> None:
    message = json.loads(EXAMPLES["fill"])
    message["data"]["order"][name] = value

    update, problem = decode(json.dumps(message))

    assert isinstance(update, TradeUpdate)
    assert getattr(update.order, name) is None
    assert isinstance(problem, LostFields)


def test_an_update_that_is_nested_too_deeply_is_malformed() -> None:
    nested = '"x":' + "[" * 100_000 + "]" * 100_000

    for frame in (f"{{{nested}}}", EXAMPLES["fill"].replace('"event"', nested + ',"event"', 1)):
        [malformed] = decode(frame)
        assert isinstance(malformed, Malformed)
