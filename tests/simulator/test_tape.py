import gzip
import json
from collections import Counter
from pathlib import Path
from typing import cast

import pytest

from simulator.protocol import rfc3339
from simulator.tape.recording import SHIPPED, Sidecar, TapeError, parse_row, read_tape

TRADE = (
    '{"T":"t","S":"SPY","x":"Q","p":167.41,"s":500,"c":[" ","T"],"t":"2013-10-07T13:30:00.007Z"}'
)
QUOTE = (
    '{"T":"q","S":"IBM","bx":"P","bp":1.5,"bs":1,"ax":"P","ap":1.6,"as":4,'
    '"t":"2013-10-07T13:30:01Z","c":["R"]}'
)


def write(path: Path, *lines: str) -> Path:
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def test_a_tape_is_read_with_the_distance_of_each_row_from_the_first(tmp_path: Path) -> None:
    tape = read_tape(write(tmp_path / "a.jsonl.gz", TRADE, QUOTE))

    assert [row.offset for row in tape.rows] == [0, 993_000_000]
    assert tape.symbols == {"SPY", "IBM"}


def test_a_tape_need_not_be_compressed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(TRADE + "\n")

    assert len(read_tape(tmp_path / "a.jsonl").rows) == 1


def test_the_sidecar_gives_the_listing_tape(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"tapes": {"SPY": "B"}}')

    spy, ibm = read_tape(write(tmp_path / "a.jsonl.gz", TRADE, QUOTE)).rows

    assert list(spy.fields) == ["T", "i", "S", "x", "p", "s", "t", "c", "z"]
    assert spy.fields["z"] == "B"
    assert "z" not in ibm.fields


def test_a_row_keeps_what_it_brings() -> None:
    own = json.loads(TRADE) | {"i": 7, "z": "A", "extra": [1]}

    row = parse_row(json.dumps(own).encode(), Sidecar({"SPY": "B"}))

    assert row == own | {"t": rfc3339.parse(own["t"])}


def test_nothing_is_filled_into_a_quote_but_the_listing_tape() -> None:
    row = parse_row(QUOTE.encode(), Sidecar({"IBM": "A"}))

    assert row.keys() == json.loads(QUOTE).keys() | {"z"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "not a JSON object"),
        ("[1]", "not a JSON object"),
        ("{broken", "not a JSON object"),
        (TRADE.replace('"T":"t"', '"T":"n"'), "\"T\" is 'n'"),
        (TRADE.replace('"S":"SPY"', '"S":"s p"'), "\"S\" is 's p'"),
        (TRADE.replace("2013-10-07T", "2013-13-07T"), "month must be in"),
        (TRADE.replace("167.41", '"167"'), "\"p\" is '167'"),
        (TRADE.replace("500", "-1"), '"s" is -1'),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = write(tmp_path / "a.jsonl.gz", TRADE, line, TRADE)

    with pytest.raises(TapeError) as caught:
        read_tape(path)

    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert problem in str(caught.value)


def test_a_missing_an_empty_and_a_damaged_tape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="No such file"):
        read_tape(tmp_path / "missing.jsonl.gz")
    with pytest.raises(TapeError, match="empty"):
        read_tape(write(tmp_path / "empty.jsonl.gz"))
    cut = write(tmp_path / "cut.jsonl.gz", TRADE)
    cut.write_bytes(cut.read_bytes()[:-9])
    with pytest.raises(TapeError, match="damaged"):
        read_tape(cut)


def test_a_wrong_sidecar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"tape": {}}')

    with pytest.raises(TapeError, match=r"a\.json"):
        read_tape(write(tmp_path / "a.jsonl.gz", TRADE))


def test_the_shipped_tape_is_what_its_sources_say() -> None:
    tape = read_tape(SHIPPED)
    kinds = Counter((row.fields["S"], row.fields["T"]) for row in tape.rows)
    times = [cast("int", row.fields["t"]) for row in tape.rows]

    assert len(tape.rows) == 56_071
    assert kinds["SPY", "t"] == 21_429
    assert kinds["AIG", "q"] == 11_834
    assert times == sorted(times)
    assert times[0] == rfc3339.parse("2013-10-07T13:30:00.007Z")
    assert {row.fields["z"] for row in tape.rows if row.fields["S"] == "SPY"} == {"B"}
    closes = {symbol: bar.c for symbol, bar in tape.sidecar.previous_daily_bars.items()}
    assert closes == {"AIG": 48.73, "BAC": 13.81, "IBM": 182.01, "SPY": 167.42}
