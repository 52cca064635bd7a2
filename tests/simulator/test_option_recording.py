"""The recorded options: the shipped files, and files with mistakes."""

import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest

from simulator.options.recording import (
    SHIPPED_OPTION_CHAINS,
    SHIPPED_OPTION_TAPE,
    parse_option_row,
    read_chain,
    read_option_tape,
)
from simulator.protocol import rfc3339
from simulator.tape.bars import MINUTE
from simulator.tape.recording import TapeError

TRADE = '{"T":"t","S":"SPY230901C00470000","t":"2023-08-03T13:30:59.998Z","p":0.66,"s":13}'
QUOTE = (
    '{"T":"q","S":"SPY230901C00430000","t":"2023-08-03T13:30:59.999Z",'
    '"ap":23.18,"as":66,"bp":22.12,"bs":20}'
)
SNAPSHOT: dict[str, Any] = {
    "dailyBar": {"o": 2, "h": 3, "l": 1, "c": 2.5, "v": 7, "t": "2024-01-04T05:00:00Z"},
    "impliedVolatility": 0.2,
    "greeks": {"delta": 0.5, "gamma": 0.1, "rho": 0.2, "theta": -0.3, "vega": 0.4},
}


def chain(tmp_path: Path, **snapshots: Any) -> Path:
    path = tmp_path / "chain.json"
    path.write_text(json.dumps({"snapshots": snapshots, "open_interest": {}}))
    return path


def test_a_row_gets_the_fields_that_each_message_has_in_alpacas_order() -> None:
    trade, quote = (parse_option_row(line.encode()) for line in (TRADE, QUOTE))

    assert list(trade) == ["T", "S", "t", "p", "s", "x", "c"]
    assert list(quote) == ["T", "S", "t", "bx", "bp", "bs", "ax", "ap", "as", "c"]
    assert (trade["x"], trade["c"], quote["bx"], quote["ax"], quote["c"]) == tuple("NSCCA")
    assert trade["t"] == rfc3339.parse("2023-08-03T13:30:59.998Z")


def test_a_row_keeps_its_own_fields() -> None:
    own = json.loads(TRADE) | {"x": "B", "c": "I", "extra": 1}

    row = parse_option_row(json.dumps(own).encode())

    assert row == own | {"t": rfc3339.parse(own["t"])}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[1]", "not a JSON object"),
        (TRADE.replace('"T":"t"', '"T":"b"'), "\"T\" is 'b', expected one of t q"),
        (TRADE.replace("SPY230901C00470000", "SPY"), "symbol is 'SPY'"),
        (TRADE.replace("0.66", "-1"), '"p" is -1'),
        (QUOTE.replace('"bs":20', '"bs":null'), '"bs" is None'),
        (QUOTE.replace("T13:30", "T25:30"), "hour must be in"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{TRADE}\n{line}\n")

    with pytest.raises(TapeError) as caught:
        read_option_tape(path)

    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert problem in str(caught.value)


def test_the_shipped_tape_is_what_its_sources_say() -> None:
    tape = read_option_tape(SHIPPED_OPTION_TAPE)
    kinds = Counter((row.fields["S"], row.fields["T"]) for row in tape.rows)
    times = [cast("int", row.fields["t"]) for row in tape.rows]

    assert kinds == {
        ("SPY230901C00430000", "q"): 405,
        ("SPY230901C00430000", "t"): 9,
        ("SPY230901C00470000", "q"): 405,
        ("SPY230901C00470000", "t"): 82,
        ("SPY230901P00430000", "q"): 405,
        ("SPY230901P00430000", "t"): 92,
        ("SPY230901P00470000", "q"): 405,
        ("SPY230901P00470000", "t"): 7,
    }
    assert times == sorted(times)
    minutes = Counter(
        (row.fields["S"], row.fields["T"], time // MINUTE)
        for row, time in zip(tape.rows, times, strict=True)
    )
    assert set(minutes.values()) == {1}
    assert times[0] == rfc3339.parse("2023-08-03T13:30:59.998Z")


def test_the_shipped_chains_are_what_their_sources_say() -> None:
    spy, goog = (read_chain(path) for path in SHIPPED_OPTION_CHAINS)

    assert (spy.day, len(spy.contracts)) == (date(2024, 1, 4), 36)
    assert (goog.day, len(goog.contracts)) == (date(2015, 12, 23), 2192)
    assert len({each.contract for each in goog.contracts}) == 2192
    assert {each.contract.expiration.year for each in goog.contracts} == {2015, 2016, 2017, 2018}
    known = [[each for each in chain.contracts if each.open_interest] for chain in (spy, goog)]
    assert [len(each) for each in known] == [9, 1340]


def test_zeros_of_the_recorded_model_are_no_volatility_and_no_greeks() -> None:
    goog = read_chain(SHIPPED_OPTION_CHAINS[1]).contracts

    assert sum(each.implied_volatility is None for each in goog) == 458
    assert all((each.implied_volatility is None) == (each.greeks is None) for each in goog)


@pytest.mark.parametrize(
    ("snapshots", "problem"),
    [
        ({}, "expected contracts of one day, found 0 days"),
        ({"SPY": SNAPSHOT}, "symbol is 'SPY'"),
        ({"SPY240105C00315000": {}}, "missing required field `dailyBar`"),
        ({"SPY240105C00315000": SNAPSHOT | {"impliedVolatility": "x"}}, "Expected `float`"),
        ({"SPY240105C00315000": SNAPSHOT | {"greeks": None}}, "Expected `object`"),
        (
            {
                "SPY240105C00315000": SNAPSHOT,
                "SPY240105C00316000": SNAPSHOT
                | {"dailyBar": SNAPSHOT["dailyBar"] | {"t": "2024-01-05T05:00:00Z"}},
            },
            "found 2 days",
        ),
    ],
)
def test_a_wrong_chain_is_explained(
    tmp_path: Path, snapshots: dict[str, Any], problem: str
) -> None:
    path = chain(tmp_path, **snapshots)

    with pytest.raises(TapeError) as caught:
        read_chain(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)


def test_a_missing_and_a_damaged_chain_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="No such file"):
        read_chain(tmp_path / "missing.json.gz")
    (tmp_path / "cut.json.gz").write_bytes(SHIPPED_OPTION_CHAINS[0].read_bytes()[:-9])
    with pytest.raises(TapeError, match="damaged"):
        read_chain(tmp_path / "cut.json.gz")
