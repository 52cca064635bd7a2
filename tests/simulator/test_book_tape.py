"""Tapes of pairs: their rows, and the two that are shipped."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from simulator.crypto.book_tape import (
    BITFINEX,
    GEMINI,
    first_prices,
    parse_row,
    quoted_pairs,
    read_book_tape,
    trade_ids,
)
from simulator.protocol import rfc3339
from simulator.tape.recording import TapeError

AT = "2021-06-24T00:14:26.63848Z"
TRADE: dict[str, Any] = {"T": "t", "S": "FIL/USD", "t": AT, "p": 58.5, "s": 0.5, "tks": "B"}
BOOK: dict[str, Any] = {
    "T": "o",
    "S": "BTC/USD",
    "t": AT,
    "r": True,
    "a": [{"p": 102.5, "s": 1}],
    "b": [{"p": 100, "s": 0.25}],
}
QUOTE: dict[str, Any] = {"T": "q", "S": "A/USDT", "t": AT, "ap": 3, "as": 1, "bp": 2, "bs": 1}


def parsed(row: dict[str, Any], **changes: object) -> dict[str, object]:
    return parse_row(json.dumps({**row, **changes}).encode())


def tape(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_row_is_a_message_with_alpacas_order_of_fields() -> None:
    time = {"t": rfc3339.parse(AT)}

    assert list(parsed(TRADE)) == ["T", "S", "p", "s", "t", "i", "tks"]
    assert list(parsed(BOOK)) == ["T", "S", "t", "b", "a", "r"]
    assert parsed(QUOTE, S="BTC/USD") == QUOTE | time | {"S": "BTC/USD"}
    assert parsed(TRADE) == TRADE | time | {"i": None}
    assert parsed(TRADE, i=7) == TRADE | time | {"i": 7}


@pytest.mark.parametrize(
    ("row", "wrong", "text"),
    [
        (TRADE, {"S": "FIL"}, "\"S\" is 'FIL', expected a pair such as BTC/USD"),
        (TRADE, {"S": None}, '"S" is None'),
        (TRADE, {"T": "x"}, "expected one of t q o"),
        (TRADE, {"t": "noon"}, "not an RFC 3339 time"),
        (TRADE, {"s": -1}, '"s" is -1'),
        (QUOTE, {"S": "A/USD", "bp": None}, '"S" is'),
        (QUOTE, {"S": "BTC/USD", "bp": None}, '"bp" is None'),
        (BOOK, {"b": None}, '"b" or "a" is no list of levels'),
        (BOOK, {"a": [{"p": 1}]}, '"b" or "a" is no list of levels'),
    ],
)
def test_a_wrong_row_is_named(row: dict[str, Any], wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parsed(row, **wrong)


def test_a_wrong_line_is_named_with_its_file(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match=r"pairs.jsonl, line 2: .*expected a pair"):
        read_book_tape(tape(tmp_path, BOOK, TRADE | {"S": "SPY"}))
    with pytest.raises(TapeError, match="the tape is empty"):
        read_book_tape(tape(tmp_path))


def test_a_pair_begins_at_its_first_trade_quote_or_mid_point(tmp_path: Path) -> None:
    rows = [
        BOOK | {"S": "ONE/USD", "a": []},
        TRADE | {"S": "ONE/USD"},
        BOOK,
        TRADE | {"S": "BTC/USD"},
        QUOTE | {"S": "TWO/USD"},
    ]
    read = read_book_tape(tape(tmp_path, *rows))

    assert first_prices(read) == {"ONE/USD": 58.5, "BTC/USD": 101.25, "TWO/USD": 2.5}
    assert quoted_pairs(read) == {"TWO/USD"}
    assert trade_ids(read) == []


@pytest.mark.parametrize(
    ("path", "kinds", "pairs"), [(GEMINI, {"o": 655, "t": 16}, 10), (BITFINEX, {"o": 1520}, 6)]
)
def test_a_shipped_tape_has_one_whole_book_of_each_pair_before_its_changes(
    path: Path, kinds: dict[str, int], pairs: int
) -> None:
    read = read_book_tape(path)
    seen: set[object] = set()
    for row in read.rows:
        if row.fields["T"] == "o":
            assert (row.fields.get("r") is True) is (row.fields["S"] not in seen)
            seen.add(row.fields["S"])

    assert Counter(row.fields["T"] for row in read.rows) == kinds
    assert seen == read.symbols == first_prices(read).keys()
    assert len(seen) == pairs
    assert len(set(trade_ids(read))) == kinds.get("t", 0)
