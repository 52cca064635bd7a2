"""The ledger's own rule for the last price, on tapes small enough to see it."""

import random

import pytest

from simulator.protocol import rfc3339
from tests.chaos.ledger import Last, Ledger, Print, Quote, Values
from tests.chaos.tape import Tape


def a_print(trade_id: int, at: int, price: float, conditions: str = " ", tape: str = "A") -> Print:
    values = Values(trade_id, price, 100)
    return Print("IBM", "V", at, at, values, tuple(conditions), tape)


@pytest.fixture
def prints() -> list[Print]:
    return [a_print(1, 100, 50.0), a_print(2, 200, 51.0)]


@pytest.fixture
def ledger(prints: list[Print]) -> Ledger:
    found = Ledger()
    for print_ in prints:
        found.trade(print_)
    return found


def test_the_newest_print_by_the_exchanges_time_is_the_last(ledger: Ledger) -> None:
    ledger.trade(a_print(3, 150, 49.0))

    assert ledger.last("IBM") == Last(200, 51.0)
    assert ledger.last("SPY") is None


@pytest.mark.parametrize(
    ("conditions", "tape", "counts"),
    [
        (" F", "A", True),
        (" I", "A", False),
        (" B", "A", False),
        ("@B", "C", True),
        ("W", "C", False),
        ("@FI", "C", False),
    ],
)
def test_all_conditions_of_a_print_must_count_on_its_tape(
    conditions: str, tape: str, counts: bool
) -> None:
    ledger = Ledger()
    ledger.trade(a_print(1, 1, 9.0, conditions, tape))

    assert (ledger.last("IBM") is not None) is counts
    assert ledger.printed("IBM", 1, 9.0) is counts
    assert ledger.traded_at("IBM", 9.0)


@pytest.mark.parametrize(
    ("conditions", "counts"), [((), True), (("I",), True), (("B",), False), (("t",), False)]
)
def test_a_print_with_no_tape_counts_unless_its_condition_excludes_it(
    conditions: tuple[str, ...], counts: bool
) -> None:
    ledger = Ledger()
    ledger.trade(Print("FIL/USD", None, 1, 1, Values(None, 9.0, 0.5), conditions, None))

    assert (ledger.last("FIL/USD") is not None) is counts


def test_of_several_prints_of_one_moment_the_last_to_arrive_is_the_last_price(
    ledger: Ledger,
) -> None:
    ledger.trade(a_print(3, 200, 52.0))
    ledger.trade(a_print(4, 200, 53.0))

    assert ledger.last("IBM") == Last(200, 53.0)


def test_a_quote_that_is_repeated_has_arrived_last() -> None:
    ledger, quotes = Ledger(), [Quote(at, 1.0, 2, None, None) for at in (5, 6, 5)]
    for quote in quotes:
        ledger.quote("IBM", quote)

    assert [ledger.arrival("IBM", quote) for quote in quotes] == [2, 1, 2]
    assert ledger.arrival("IBM", quotes[0]._replace(at=7)) is None


def test_a_cancelled_print_gives_way_to_the_one_before(ledger: Ledger, prints: list[Print]) -> None:
    ledger.cancel(prints[1], 300)

    assert ledger.last("IBM") == Last(100, 50.0)
    assert ledger.retracted("IBM", 200)
    assert not ledger.retracted("IBM", 100)


def test_a_corrected_print_keeps_its_place_with_another_price(
    ledger: Ledger, prints: list[Print]
) -> None:
    ledger.correct(prints[1], Values(3, 51.5, 100), 300)

    assert ledger.last("IBM") == Last(200, 51.5)
    assert ledger.of("IBM", "V", 200, Values(3, 51.5, 100)) is prints[1]
    assert [ledger.printed("IBM", 200, price) for price in (51.0, 51.5, 52.0)] == [
        True,
        True,
        False,
    ]


def test_a_tape_has_everything_and_all_of_it_is_in_the_ledger() -> None:
    tape = Tape(Ledger(), random.Random(1), retractions=True)  # noqa: S311 - a seed, no secret
    messages = [tape.anything(("SPY", "F"), 10**18 + i * 10**7) for i in range(3000)]
    trades = [message for message in messages if message["T"] == "t"]
    prints = [each for symbol in ("SPY", "F") for each in tape.ledger.prints[symbol]]
    times = [rfc3339.parse(trade["t"]) for trade in trades]
    ids = {(trade["S"], trade["x"], trade["i"]) for trade in trades if trade["x"] == "V"}

    assert {message["T"] for message in messages} == {"t", "c", "x", "q"}
    assert len(ids) == sum(trade["x"] == "V" for trade in trades)
    assert len({trade["i"] for trade in trades if trade["x"] == "D"}) < len(trades) / 3
    assert len(prints) == len(trades)
    assert sum(each.is_cancelled for each in prints) == sum(m["T"] == "x" for m in messages)
    assert 0.6 < sum(each.counts for each in prints) / len(prints) < 0.9
    assert times != sorted(times)
