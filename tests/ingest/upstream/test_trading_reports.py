"""Reports about trading: halts, short sales, price bands, imbalances; late, repeated, malformed."""

from collections.abc import Callable
from typing import Any

import msgpack
import pytest

from tests.ingest.upstream.frame_stage import NOW_US, Stage, at, trade


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_halt_with_odd_texts_halts(stage: Stage) -> None:
    odd = {"T": "s", "S": "SPY", "sc": "H", "t": 5, "z": "C", "rm": "x" * 100_000, "sm": []}
    stage.apply(odd)

    assert stage.states.halts.unsettled() == {"SPY"}
    assert stage.reader.malformed.count == 1


def halt(code: str, seconds: int = 0, **fields: Any) -> dict[str, Any]:
    given = {"T": "s", "S": "SPY", "sc": code, "sm": "", "rc": "", "rm": "", "t": at(seconds)}
    return {**given, "z": "C", **fields}


def bands(indicator: Any = "B", seconds: int = 0, **fields: Any) -> dict[str, Any]:
    given = {"T": "l", "S": "SPY", "u": 110.5, "d": 99.5, "i": indicator, "t": at(seconds)}
    return {**given, "z": "B", **fields}


def imbalance(price: Any = 9.75, seconds: int = 0, **fields: Any) -> dict[str, Any]:
    return {"T": "i", "S": "SPY", "p": price, "t": at(seconds), "z": "B", **fields}


REPORTS: dict[str, Callable[..., dict[str, Any]]] = {
    "luld": lambda **fields: bands(**fields),
    "imbalance": lambda **fields: imbalance(**fields),
}

MALFORMED_REPORTS: list[dict[str, Any]] = [
    {"t": None},
    {"t": 5},
    {"t": "2026-11-16T17:00:00Z"},
    {"t": msgpack.ExtType(5, b"12345678")},
    {"t": msgpack.Timestamp(253_402_300_800)},
    {"t": at(2 * 24 * 3600)},
    {"S": None},
    {"S": []},
    {"S": "S" * 33},
]


@pytest.mark.parametrize("kind", REPORTS)
@pytest.mark.parametrize("bad", MALFORMED_REPORTS, ids=repr)
def test_a_malformed_report_is_counted_and_takes_no_other_with_it(
    stage: Stage, kind: str, bad: dict[str, Any]
) -> None:
    stage.demand.update({f"{kind}:SPY": 1, "price:SPY": 1})
    stage.apply(REPORTS[kind](**bad), REPORTS[kind](), trade())

    assert [topic for topic, _, _ in stage.events()] == [f"{kind}:SPY", "price:SPY"]
    assert stage.reader.malformed.count == 1


@pytest.mark.parametrize("price", [None, "9.75", -1, 0, 1e30, float("nan"), float("inf"), [], {}])
def test_an_imbalance_whose_price_cannot_be_read_is_none(stage: Stage, price: Any) -> None:
    stage.demand.update({"imbalance:SPY": 1})
    stage.apply(imbalance(price), imbalance(10.5))

    assert [body["price"] for _, _, body in stage.events()] == [10.5]
    assert stage.reader.malformed.count == 1


def test_an_imbalance_that_lacks_its_tape_has_none(stage: Stage) -> None:
    stage.demand.update({"imbalance:SPY": 1})
    stage.apply(imbalance(z=[]), {k: v for k, v in imbalance(10).items() if k != "z"})

    assert [body["tape"] for _, _, body in stage.events()] == [None, None]
    assert stage.reader.malformed.count == 1


def test_imbalances_are_published_while_a_client_watches_them(stage: Stage) -> None:
    stage.apply(imbalance())
    stage.demand.update({"imbalance:SPY": 1})
    stage.apply(imbalance(), imbalance(S="IBM"))

    ((topic, event, body),) = stage.events()
    assert (topic, event) == ("imbalance:SPY", None)
    assert body == {
        "symbol": "SPY",
        "price": 9.75,
        "tape": "B",
        "timestamp": "2026-11-16T17:00:00Z",
        "received": NOW_US,
    }


def test_a_repeated_imbalance_is_published_once_and_a_late_one_is_an_event(stage: Stage) -> None:
    stage.demand.update({"imbalance:SPY": 1})
    stage.apply(imbalance(9), imbalance(9), imbalance(8, -1), imbalance(9), imbalance(10))

    assert [body["price"] for _, _, body in stage.events()] == [9, 8, 10]
    assert (stage.reader.reports.recent.late, stage.reader.reports.recent.repeated) == (1, 2)


def test_late_and_repeated_bands_are_counted_and_replace_no_newer_ones(stage: Stage) -> None:
    stage.demand.update({"luld:SPY": 1})
    stage.apply(bands(u=1), bands(u=1), bands("D", -1, u=2), bands(seconds=1, u=3))

    assert [body["limit_up"] for _, _, body in stage.events()] == [1, 3]
    assert (stage.reader.reports.recent.late, stage.reader.reports.recent.repeated) == (1, 1)
    assert stage.states.halts.of("SPY") is None


def test_bands_of_a_symbol_whose_bands_nobody_watches_show_its_halt(stage: Stage) -> None:
    stage.apply(bands("D"))

    assert stage.events() == []
    assert stage.states.halts.supposed() == {"SPY"}


def test_a_late_or_repeated_status_is_counted_and_halts_nothing(stage: Stage) -> None:
    stage.apply(halt("H"), halt("T", 2), halt("Q", 1), halt("H"), halt("T", 2))

    assert stage.states.halts.of("SPY") is None
    assert (stage.reader.reports.recent.late, stage.reader.reports.recent.repeated) == (1, 2)


def test_a_report_of_short_sales_is_not_late_because_of_a_halt(stage: Stage) -> None:
    restriction = halt("E", -2, z="A", sm="Short Sale Restriction")
    stage.apply(halt("2", -1, z="A"), restriction, {**restriction, "t": at(-3)})

    report = stage.states.halts.report("SPY")
    assert (report.short_sale_restricted, report.short_sale_as_of) == (True, "2026-11-16T16:59:58Z")
    assert stage.reader.reports.recent.late == 1


def test_a_halt_whose_time_is_none_halts_and_is_counted(stage: Stage) -> None:
    stage.apply(halt("H", t=msgpack.ExtType(5, b"12345678")))

    assert stage.states.halts.of("SPY") is not None
    assert stage.reader.malformed.count == 1


@pytest.mark.parametrize(
    "odd", [{"sc": None}, {"sc": []}, {"sc": "H" * 100}, {"S": None}, {"S": 7}], ids=repr
)
def test_a_status_with_no_code_or_symbol_is_counted_and_halts_nothing(
    stage: Stage, odd: dict[str, Any]
) -> None:
    stage.apply(halt("H", **odd), trade())

    assert stage.states.halts.unsettled() == set()
    assert stage.published() == [("SPY", 100.5)]
    assert stage.reader.malformed.count == 1


@pytest.mark.parametrize("name", ["sm", "rc", "rm", "z", "t"])
@pytest.mark.parametrize("odd", [None, 5, [], "x" * 2000], ids=lambda odd: repr(odd)[:9])
def test_a_text_of_a_halt_that_cannot_be_read_is_absent(stage: Stage, name: str, odd: Any) -> None:
    stage.apply(halt("H", **{name: odd}))

    found = stage.states.halts.of("SPY")
    assert found is not None
    assert found.reason == "Trading is halted."
    assert stage.reader.malformed.count == (odd is not None or name not in "zt")
