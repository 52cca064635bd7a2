"""Bars from trades: by the published rules, also after late, cancelled and corrected ones."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocol import rfc3339
from simulator.protocol.wire import Message
from simulator.rest.timeframe import read_timeframe
from simulator.tape import symbol_bars
from simulator.tape.hours import AlwaysOpen, NyseHours
from simulator.tape.market import Market
from simulator.tape.recording import SHIPPED, read_tape

MINUTE = 60 * rfc3339.SECOND
DAY = rfc3339.parse("2026-11-23T05:00:00Z")
NOON = rfc3339.parse("2026-11-23T17:00:00Z")
HERE = Path(__file__).parent
SYMBOLS = ("AIG", "BAC", "IBM", "SPY")


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / name).read_text().splitlines()]


@pytest.fixture(scope="module")
def shipped() -> Market:
    market = Market(NyseHours())
    for number, row in enumerate(read_tape(SHIPPED).rows):
        market.observe({**row.fields, "i": number})
    return market


def test_the_bars_of_the_shipped_tape_are_those_that_others_computed(shipped: Market) -> None:
    expected = {(row["S"], rfc3339.parse(row["t"])): row for row in rows("expected_bars.jsonl")}
    end = max(start for _, start in expected) + MINUTE

    found = {
        (symbol, bar["t"]): {"T": "b", "S": symbol, **bar, "t": rfc3339.render(bar["t"])}  # type: ignore[arg-type]
        for symbol in SYMBOLS
        for bar in shipped.minute_bars(symbol, end)
    }
    assert len(expected) == 60
    assert found == expected


@pytest.mark.parametrize("name", ["5Min", "15Min"])
def test_their_folds_are_those_that_others_computed(shipped: Market, name: str) -> None:
    expected = [row for row in rows("expected_folds.jsonl") if row["timeframe"] == name]
    end = rfc3339.parse("2013-10-07T13:45:00Z")

    found = [
        {"timeframe": name, "S": symbol, **bar, "t": rfc3339.render(bar["t"])}  # type: ignore[arg-type]
        for symbol in SYMBOLS
        for bar in read_timeframe(name).fold(shipped.minute_bars(symbol, end))
    ]
    assert expected
    assert found == expected


def trade(number: int, at: int, price: float, size: float, *codes: str) -> dict[str, object]:
    made = {"T": "t", "S": "SPY", "i": number, "x": "V", "p": price, "s": size, "z": "C"}
    return made | {"c": list(codes or "@"), "t": at}


def market(*trades: Message) -> Market:
    made = Market(AlwaysOpen())
    for each in trades:
        made.observe(each)
    return made


def test_a_minute_of_odd_lots_only_has_no_bar() -> None:
    made = market(trade(1, NOON, 10.0, 5, "@", "I"), trade(2, NOON + MINUTE, 10.0, 5))

    assert made.minute("SPY", NOON) is None
    assert made.minute("SPY", NOON + MINUTE) is not None


def test_the_mean_price_is_of_the_trades_that_move_high_and_low_as_well_as_volume() -> None:
    made = market(
        trade(1, NOON, 10.0, 100), trade(2, NOON, 20.0, 50, "@", "I"), trade(3, NOON, 12.0, 100)
    )
    bar = made.minute("SPY", NOON)

    assert bar is not None
    assert (bar["v"], bar["n"], bar["h"], bar["vw"]) == (250, 3, 12.0, 11.0)


def test_a_late_report_opens_a_day_only_if_it_is_the_first() -> None:
    first = market(trade(1, NOON, 9.0, 1, "@", "Z"), trade(2, NOON + 1, 10.0, 1))
    second = market(trade(1, NOON, 10.0, 1), trade(2, NOON + MINUTE, 9.0, 1, "@", "Z"))

    bar = first.day("SPY", DAY)
    assert bar is not None
    assert (bar["o"], bar["c"], bar["l"]) == (9.0, 10.0, 9.0)
    bar = second.day("SPY", DAY)
    assert bar is not None
    assert (bar["o"], bar["c"], bar["l"]) == (10.0, 10.0, 9.0)


def test_the_closing_print_belongs_to_the_day_although_it_comes_after_the_close() -> None:
    made = Market(NyseHours())
    close = rfc3339.parse("2026-11-23T21:00:00Z")
    for number, (after, price, code) in enumerate(
        [(-1, 10.0, "@"), (61, 11.0, "6"), (62, 12.0, "T"), (3600, 13.0, "@")]
    ):
        made.observe(trade(number, close + after * rfc3339.SECOND, price, 100, code))

    bar = made.day("SPY", DAY)
    assert bar is not None
    assert (bar["c"], bar["h"], bar["v"]) == (11.0, 11.0, 400)


Change = tuple[str, int, int, float, int, str]
changes = st.lists(
    st.tuples(
        st.sampled_from(["t", "t", "t", "x", "c"]),
        st.integers(0, 11),
        st.integers(0, 4 * 60),
        st.sampled_from([9.5, 10.0, 10.5, 11.0]),
        st.integers(1, 300),
        st.sampled_from(["@", "F", "I", "Z", "T", "9", "M", "6", "4"]),
    ),
    max_size=40,
)


@given(changes)
def test_late_cancelled_and_corrected_trades_leave_the_bars_of_a_rebuild(
    story: list[Change],
) -> None:
    made = Market(AlwaysOpen())
    kept: dict[int, Message] = {}
    for number, (kind, which, second, price, size, code) in enumerate(story):
        if kind == "t":
            kept[number] = trade(number, NOON + second * rfc3339.SECOND, price, size, code)
            made.observe(kept[number])
        elif kept:
            old = list(kept)[which % len(kept)]
            was = kept.pop(old)
            if kind == "x":
                cancel = {"T": "x", "S": "SPY", "t": NOON, "x": "V"}
                made.observe(cancel | {"i": old, "p": was["p"], "s": was["s"]})
            else:
                correction = {"T": "c", "S": "SPY", "t": NOON, "x": "V", "oi": old, "ci": number}
                new = {"cp": price, "cs": size, "cc": [code]}
                made.observe(correction | new | {"op": was["p"], "os": was["s"]})
                # A correction keeps the time, and the place among others of that time.
                kept = {
                    **{key: one for key, one in kept.items() if key < old},
                    number: {**was, "i": number, "p": price, "s": size, "c": [code]},
                    **{key: one for key, one in kept.items() if key > old},
                }
    order = sorted(kept.values(), key=lambda one: int(one["t"]))  # type: ignore[call-overload]
    rebuilt = market(*order)

    end = NOON + 10 * MINUTE
    assert made.minute_bars("SPY", end) == rebuilt.minute_bars("SPY", end)
    assert made.daily_bars("SPY", end) == rebuilt.daily_bars("SPY", end)


def test_a_bar_keeps_its_values_if_its_prints_are_no_longer_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(symbol_bars, "_REMEMBERED_PRINTS", 4)
    made = market(*(trade(number, NOON + 5 + number * MINUTE, 10.0, 1) for number in range(6)))
    made.observe({"T": "x", "S": "SPY", "i": 0, "x": "V", "p": 10.0, "s": 1, "t": NOON})
    made.observe(trade(7, NOON + 1, 12.0, 5))

    bar = made.minute("SPY", NOON)
    assert bar is not None
    # The late print still moves the extremes and the volume.
    assert (bar["o"], bar["h"], bar["c"], bar["v"]) == (10.0, 12.0, 10.0, 6)
    made.observe({"T": "x", "S": "SPY", "i": 5, "x": "V", "p": 10.0, "s": 1, "t": NOON})
    assert made.minute("SPY", NOON + 5 * MINUTE) is None


def test_a_bar_that_was_published_by_hand_stands_for_that_of_the_trades() -> None:
    given = {"o": 5.0, "h": 6.0, "l": 4.0, "c": 5.5, "v": 7}
    made = market(trade(1, NOON, 10.0, 1), {"T": "b", "S": "SPY", "t": NOON, **given})
    made.observe({"T": "u", "S": "SPY", "t": NOON, **given, "v": 8})
    made.observe({"T": "d", "S": "SPY", "t": DAY, **given, "v": 100})

    assert made.minute("SPY", NOON) == {**given, "v": 8, "t": NOON}
    assert made.daily_bars("SPY", NOON)[-1]["v"] == 100
    made.observe(trade(2, NOON + 1, 10.0, 1))
    assert made.daily_bars("SPY", NOON)[-1]["v"] == 2
