"""The account's stream on the wire. The messages are those of Alpaca's documentation."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingest.alpaca import trade_updates
from ingest.alpaca.messages import BadFrameError
from ingest.alpaca.trade_updates import TradeUpdate, decode, read_orders
from ingest.upstream.broker import execution_of

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
    execution = execution_of(update)

    assert execution is not None
    assert (execution.symbol, execution.asset_class) == ("SOL/USD", "crypto")
    assert (execution.delta, execution.price) == (Decimal("-1790.86"), Decimal("105.8988475"))
    assert execution.qty == 0
    assert execution.at == "2022-04-19T17:45:05.024916716Z"


def test_an_order_of_several_legs_tells_no_position() -> None:
    update = update_of(EXAMPLES["several legs"])
    assert (update.event, update.order.symbol) == ("fill", "")
    assert execution_of(update) is None


def test_what_is_not_an_update_is_told_apart() -> None:
    assert decode(EXAMPLES["listening"]) == [trade_updates.Listening(["trade_updates"])]
    assert decode(EXAMPLES["error"]) == [trade_updates.Error("internal server error")]
    assert decode('{"stream":"authorization","data":{"status":"unauthorized"}}') == [
        trade_updates.Authorization("unauthorized")
    ]
    assert decode('{"stream":"weather","data":{}}') == [trade_updates.Unknown("weather")]


@pytest.mark.parametrize(
    "changes", [{"order": None}, {"price": "much"}, {"event": 7}, {"order": {"symbol": "A"}}]
)
def test_an_update_of_another_form_is_malformed_and_ends_nothing(changes: dict[str, Any]) -> None:
    message = json.loads(EXAMPLES["fill"])
    message["data"] |= changes
    [malformed] = decode(json.dumps(message))
    assert isinstance(malformed, trade_updates.Malformed)
    assert malformed.kind == "trade_updates"


@pytest.mark.parametrize("frame", [b"\xc1\xff", "", "[]", "7", '{"stream":'])
def test_a_frame_that_is_no_object_is_bad(frame: bytes | str) -> None:
    with pytest.raises(BadFrameError):
        decode(frame)


@pytest.mark.parametrize(
    "changes",
    [{"position_qty": None}, {"price": "NaN"}, {"qty": None}, {"event": "new"}],
)
def test_an_update_that_does_not_tell_all_of_an_execution_is_none(changes: dict[str, Any]) -> None:
    message = json.loads(EXAMPLES["fill"])
    message["data"] |= changes
    assert execution_of(update_of(json.dumps(message))) is None


def test_of_rests_orders_those_of_another_form_are_passed_over() -> None:
    good = {"id": "a", "status": "new", "updated_at": "2026-11-25T15:00:00Z"}
    rows = [good, {"id": "b"}, "rubbish", good | {"filled_qty": "many"}, good | {"updated_at": "?"}]
    assert [each.id for each in read_orders(rows)] == ["a"]
