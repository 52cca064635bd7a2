"""The messages of the option stream in the types of the stocks' messages."""

from typing import Any

import msgpack
import pytest

from ingest.alpaca import option_messages
from ingest.alpaca.messages import Error, Quote, Subscribed, Success, Trade
from ingest.alpaca.unreadable import BadFrameError, LostFields, Malformed, Unknown
from tests.ingest.trades import NOON

AT = msgpack.Timestamp.from_unix_nano(NOON)
CALL = "SPY261218C00500000"
TRADE = {"T": "t", "S": CALL, "t": AT, "p": 0.66, "s": 13, "x": "N", "c": "I"}
QUOTE = {"T": "q", "S": CALL, "t": AT, "bx": "C", "bp": 1.5, "bs": 20, "ax": "D", "ap": 1.6,
         "as": 66, "c": "A"}  # fmt: skip


def decoded(*messages: Any) -> list[Any]:
    return option_messages.decode(msgpack.packb(list(messages)))


def test_a_trade_has_one_condition_no_id_and_no_tape() -> None:
    [found] = decoded(TRADE)

    assert isinstance(found, Trade)
    assert (found.symbol, found.price, found.size) == (CALL, 0.66, 13)
    assert (found.exchange, found.conditions, found.id, found.tape) == ("N", ("I",), None, None)


def test_a_quote_has_both_exchanges() -> None:
    [found] = decoded(QUOTE)

    assert isinstance(found, Quote)
    assert (found.bid, found.bid_size, found.bid_exchange) == (1.5, 20, "C")
    assert (found.ask, found.ask_size, found.ask_exchange) == (1.6, 66, "D")
    assert (found.conditions, found.tape) == (("A",), None)


def test_answers_are_those_of_all_streams() -> None:
    answers = decoded(
        {"T": "success", "msg": "authenticated"},
        {"T": "subscription", "trades": [CALL], "quotes": []},
        {"T": "error", "code": 405, "msg": "symbol limit exceeded"},
    )

    assert [type(each) for each in answers] == [Success, Subscribed, Error]


@pytest.mark.parametrize(
    ("odd", "lost"),
    [
        ({"s": None}, "s"),
        ({"s": "13"}, "s"),
        ({"x": 5}, "x"),
        ({"x": "N" * 17}, "x"),
        ({"c": ["I"]}, "c"),
        ({"c": 7}, "c"),
    ],
    ids=repr,
)
def test_an_optional_field_of_another_form_costs_the_field_and_not_the_trade(
    odd: dict[str, Any], lost: str
) -> None:
    message, problem, other = decoded({**TRADE, **odd}, TRADE)

    assert isinstance(message, Trade)
    assert message.price == 0.66
    assert isinstance(problem, LostFields)
    assert problem.problem.startswith(f"{lost}: ")
    assert isinstance(other, Trade)


@pytest.mark.parametrize(
    "bad",
    [
        *({**TRADE, "p": each} for each in (None, "0.66", -1, 0, 1e30, float("nan"))),
        {**TRADE, "p": []},
        *({**TRADE, "t": each} for each in (None, 5, "2026-11-27T15:00:00Z")),
        *({**TRADE, "S": each} for each in (None, 7, "S" * 33)),
        {"T": "t"},
        *({**QUOTE, "t": each} for each in (None, 5)),
        *({**QUOTE, "S": each} for each in (None, "S" * 33)),
        {**QUOTE, "S": []},
        {"T": "q"},
        7,
        "t",
        {"T": None},
        {},
    ],
    ids=repr,
)
def test_a_malformed_message_takes_no_other_with_it(bad: Any) -> None:
    before, malformed, after = decoded(TRADE, bad, QUOTE)

    assert isinstance(before, Trade)
    assert isinstance(malformed, Malformed)
    assert isinstance(after, Quote)


@pytest.mark.parametrize("kind", ["b", "u", "d", "s", "l", "i", "o", "c", "x", "n", "?"])
def test_kinds_that_options_do_not_have_are_unknown(kind: str) -> None:
    assert decoded({"T": kind, "S": CALL}) == [Unknown(kind)]


@pytest.mark.parametrize("frame", [b"", b"\xc1", b"\x80", b"\x91", "text", b"\x91" * 5000])
def test_a_frame_that_is_no_array_of_messages_is_an_error(frame: bytes | str) -> None:
    with pytest.raises(BadFrameError):
        option_messages.decode(frame)
