"""The distribution of the recoveries, and the requirements on it."""

from tests.chaos.plan import Fault
from tests.chaos.report import ENOUGH_FAULTS, Recovery, percentile, recoveries, too_slow

RESET, KILL = Fault("reset"), Fault("kill_leader")


def after(seconds: float, *step: Fault, ghost: float | None = None) -> Recovery:
    return Recovery(step, seconds, seconds, seconds, ghost)


def test_a_step_counts_for_each_of_its_faults_and_ghosts_apart() -> None:
    found = [after(0.5, RESET, KILL), after(0.1, RESET), after(2.8, RESET, ghost=0.7)]
    rows = {line.split()[0]: line.split()[1:] for line in recoveries(found)[1:4]}

    assert rows["reset"] == ["2", "0.500", "0.500", "0.500", "0.500"]
    assert rows["kill_leader"][0] == "1"
    assert rows["all"][0] == "3"
    assert any("0.700" in line for line in recoveries(found)[5:])


def test_a_percentile_is_the_time_within_which_that_share_is() -> None:
    times = [each / 100 for each in range(100)]

    assert [percentile(times, share) for share in (0.5, 0.99, 1.0)] == [0.5, 0.99, 0.99]


def test_the_requirements_are_judged_on_enough_faults_without_the_ghosts() -> None:
    good = [after(0.9, RESET)] * ENOUGH_FAULTS
    ghosts = [after(9.0, RESET, ghost=0.9)] * 50

    assert too_slow(good + ghosts) == []
    assert len(too_slow([after(2.0, RESET)] * ENOUGH_FAULTS)) == 1
    assert len(too_slow([*good, after(4.0, KILL), after(4.0, KILL)])) == 1
    assert len(too_slow(good + [after(9.0, RESET, ghost=1.2)] * 50)) == 1
    assert too_slow([after(9.0, RESET)] * (ENOUGH_FAULTS - 1)) == []


def test_the_seconds_with_no_fresh_price_are_shown_for_each_step_and_for_all() -> None:
    found = [after(0.1, RESET)._replace(stale_seconds=2.5), after(0.1, KILL)]

    assert "2.500 s" in str(found[0])
    [row] = [line for line in recoveries(found) if line.startswith("no fresh price")]
    assert row.split()[3:] == ["2", "2.500", "2.500", "2.500", "2.500", "(steps)"]


def test_the_seconds_until_pairs_and_contracts_are_here_again_are_shown() -> None:
    found = [after(0.1, RESET)._replace(others_seconds=3.5, others_stale_seconds=1.25)]
    rows = {line.partition("  ")[0]: line.split()[-5:-1] for line in recoveries(found)}

    assert "3.500 s" in str(found[0])
    assert rows["pairs, contracts here"] == ["3.500"] * 4
    assert rows["no fresh pair, contract"] == ["1.250"] * 4
