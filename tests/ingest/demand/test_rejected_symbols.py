"""Rejections by channel and symbol, and the wants that are possible meanwhile."""

from itertools import pairwise

from ingest.demand.rejected_symbols import (
    FIRST_REJECTION_SECONDS,
    LONGEST_REJECTION_SECONDS,
    RejectedSymbols,
)
from tests.ingest.demand.wants import want

TWO = ("trades", "quotes")


def test_the_wait_doubles_with_each_rejection_up_to_the_longest() -> None:
    rejected, now = RejectedSymbols(TWO), 0.0
    wanted = [want("A", 1, "trades")]
    times = [now]
    for _ in range(7):
        rejected.add("trades", "A", now)
        while not rejected.possible(wanted, now):
            now += FIRST_REJECTION_SECONDS / 2
        times.append(now)

    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits == [FIRST_REJECTION_SECONDS * 2**number for number in range(5)] + [
        LONGEST_REJECTION_SECONDS,
        LONGEST_REJECTION_SECONDS,
    ]


def test_a_symbol_whose_first_channel_is_rejected_is_wanted_on_none() -> None:
    rejected = RejectedSymbols(TWO)
    rejected.add("trades", "A", 0)
    rejected.add("quotes", "B", 0)

    assert rejected.possible([want(each, 1, *TWO) for each in "ABC"], 1) == [
        want("B", 1, "trades"),
        want("C", 1, *TWO),
    ]
    assert rejected.symbols_of("trades", "quotes") == {"A", "B"}
    assert rejected.symbols_of("trades") == {"A"}


def test_a_symbol_that_is_accepted_starts_with_the_first_wait_again() -> None:
    rejected, wanted = RejectedSymbols(TWO), [want("A", 1, "trades")]
    rejected.add("trades", "A", 0)
    rejected.discard("trades", "A")
    assert not rejected.has("trades", "A")
    rejected.add("trades", "A", 0)

    assert rejected.possible(wanted, FIRST_REJECTION_SECONDS) == wanted


def test_an_unwanted_symbol_keeps_its_rejection_until_its_retry_is_due() -> None:
    rejected = RejectedSymbols(TWO)
    rejected.add("trades", "A", 0)
    rejected.forget_unwanted([], FIRST_REJECTION_SECONDS - 1)
    assert rejected.has("trades", "A"), "a client may return within seconds"
    rejected.forget_unwanted([], FIRST_REJECTION_SECONDS)

    assert not rejected.has("trades", "A")
