"""A plan is the same for the same seed, and survives being written down."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.faults import KINDS, UPSTREAM
from tests.chaos.plan import Fault, Odds, draw, read, written

ODDS = {"short": Odds(3), "long": Odds(1, (1, 4)), "never": Odds(0)}


@given(seed=st.integers(0, 10_000), count=st.integers(1, 60))
def test_a_plan_has_as_many_faults_as_asked_for_and_is_read_as_it_was_written(
    seed: int, count: int
) -> None:
    steps = draw(seed, count, ODDS)

    assert sum(map(len, steps)) == count
    assert read(written(steps), ODDS) == steps
    assert draw(seed, count, ODDS) == steps


def test_faults_are_drawn_by_their_odds_and_last_as_long_as_theirs() -> None:
    faults = [fault for step in draw(1, 2000, ODDS) for fault in step]
    kinds = [fault.kind for fault in faults]

    assert 1300 < kinds.count("short") < 1700
    assert "never" not in kinds
    assert all(1 <= fault.seconds <= 4 for fault in faults if fault.kind == "long")
    assert all(fault.seconds == 0 for fault in faults if fault.kind == "short")


def test_another_seed_is_another_plan() -> None:
    assert draw(1, 50, ODDS) != draw(2, 50, ODDS)


def test_a_plan_may_be_written_by_hand() -> None:
    assert read("short@12, long:2.5@0.3+short@0", ODDS) == [
        (Fault("short", 0, 12),),
        (Fault("long", 2.5, 0.3), Fault("short")),
    ]


@pytest.mark.parametrize("text", ["", "short", "other@1", "short@", "short@1++short@1", "short@-1"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no fault"):
        read(text, ODDS)


def test_every_fault_can_be_written() -> None:
    kinds = {**KINDS, **UPSTREAM}

    assert read(",".join(f"{kind}@0" for kind in kinds), kinds) == [
        (Fault(kind),) for kind in kinds
    ]
