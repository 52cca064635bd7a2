"""A fault that has struck nothing is reported, and a kind that never does fails the run."""

from tests.chaos.faults import KINDS
from tests.chaos.simulated import SIMULATED
from tests.chaos.strikes import ENOUGH, Strikes


def test_faults_that_found_no_connection_are_shown_by_kind() -> None:
    strikes = Strikes()
    for missed in (True, False, True):
        strikes.note("reset", missed=missed)
    strikes.note("fin", missed=False)

    assert str(strikes) == "faults that found no connection: reset 2 of 3"
    assert str(Strikes()) == "faults that found no connection: none"


def test_only_a_kind_that_has_struck_nothing_many_times_is_idle() -> None:
    strikes = Strikes()
    for number in range(ENOUGH):
        strikes.note("reset", missed=True)
        strikes.note("fin", missed=number > 0)
        if number:
            strikes.note("mute", missed=True)

    assert strikes.idle_kinds == ["reset"]


def test_every_fault_of_the_simulator_is_drawn() -> None:
    assert SIMULATED.keys() <= KINDS.keys()
    assert all(kind.odds.weight > 0 for kind in KINDS.values())
