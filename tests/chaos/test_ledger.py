"""The ledger's own rule for the last price, on tapes small enough to see it."""

import random

import pytest

from simulator.protocol import rfc3339
from tests.chaos.ledger import Ledger, Print
from tests.chaos.tape import Tape

A, C = [" "], ["@"]


@pytest.fixture
def ledger() -> Ledger:
    found = Ledger()
    found.trade("IBM", 1, 100, 50.0, A, "A")
    found.trade("IBM", 2, 200, 51.0, A, "A")
    return found


def test_the_newest_print_by_the_exchanges_time_is_the_last(ledger: Ledger) -> None:
    ledger.trade("IBM", 3, 150, 49.0, A, "A")

    assert ledger.last("IBM") == Print(200, 51.0, 2, True)
    assert ledger.last("SPY") is None


@pytest.mark.parametrize(
    ("conditions", "tape", "counts"),
    [
        ([" ", "F"], "A", True),
        ([" ", "I"], "A", False),
        ([" ", "B"], "A", False),
        (["@", "B"], "C", True),
        (["W"], "C", False),
        (["@", "F", "I"], "C", False),
    ],
)
def test_all_conditions_of_a_print_must_count_on_its_tape(
    conditions: list[str], tape: str, counts: bool
) -> None:
    ledger = Ledger()
    ledger.trade("X", 1, 1, 9.0, conditions, tape)

    assert (ledger.last("X") is not None) is counts
    assert ledger.printed("X", 1, 9.0) is counts


def test_a_cancelled_print_gives_way_to_the_one_before(ledger: Ledger) -> None:
    ledger.cancel("IBM", 2)

    assert ledger.last("IBM") == Print(100, 50.0, 1, True)
    assert ledger.retracted("IBM", 200)
    assert not ledger.retracted("IBM", 100)


def test_a_corrected_print_keeps_its_place_with_another_price(ledger: Ledger) -> None:
    ledger.correct("IBM", 2, 3, 51.5)

    assert ledger.last("IBM") == Print(200, 51.5, 3, True)
    assert ledger.printed("IBM", 200, 51.0)
    assert ledger.printed("IBM", 200, 51.5)
    assert not ledger.printed("IBM", 200, 52.0)


def test_a_tape_has_everything_and_all_of_it_is_in_the_ledger() -> None:
    tape = Tape(Ledger(), random.Random(1), retractions=True)  # noqa: S311 - a seed, no secret
    messages = [tape.anything(("SPY", "F"), 10**18 + i * 10**7) for i in range(3000)]
    trades = [message for message in messages if message["T"] == "t"]
    prints = [each for symbol in ("SPY", "F") for each in tape.ledger.prints[symbol]]
    times = [rfc3339.parse(trade["t"]) for trade in trades]

    assert {message["T"] for message in messages} == {"t", "c", "x"}
    assert len({trade["i"] for trade in trades}) == len(trades)
    assert len(prints) == len(trades) - sum(message["T"] == "x" for message in messages)
    assert 0.6 < sum(each.counts for each in prints) / len(prints) < 0.9
    assert times != sorted(times)
