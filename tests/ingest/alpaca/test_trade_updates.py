"""The account's stream on the wire. The messages are those of Alpaca's documentation."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingest.alpaca import trade_updates
from ingest.alpaca.messages import BadFrameError
from ingest.alpaca.trade_updates import TradeUpdate, decode

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
