"""The product against an independent reading of the shipped tape, plain and mutated."""

import pytest

from simulator.tape.recording import SHIPPED
from tests.oracle.mutation import mutated, plain
from tests.oracle.recording import recorded
from tests.oracle.replay import compare
from tests.oracle.truth import Message

PLAIN = 20_000
PART = 2_000
SEEDS = range(10)


@pytest.fixture(scope="module")
def messages() -> list[Message]:
    return recorded(SHIPPED)


def test_every_price_and_print_of_a_recorded_tape_is_right(messages: list[Message]) -> None:
    # ``python -m tests.oracle`` reads whole recordings.
    compared = compare(plain(messages[:PLAIN]).arrivals)

    assert compared.differences == []
    assert compared.prices > 5_000
    assert compared.prints >= compared.prices


@pytest.mark.parametrize("seed", SEEDS)
def test_every_price_and_print_of_a_mutated_tape_is_right(
    messages: list[Message], seed: int
) -> None:
    # Each seed takes another part of the tape.
    start = seed * PART % (len(messages) - PART)
    day = mutated(messages[start : start + PART], seed)

    compared = compare(day.arrivals, seed)

    assert compared.differences == []
    assert min(day.faults.values()) > 0
