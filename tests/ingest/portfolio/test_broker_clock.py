"""Whether an execution was before a moment of ours, by the delays of the others."""

import pytest

from ingest.portfolio.broker_clock import EXECUTIONS_AT_LEAST, MEMORY_SECONDS, BrokerClock

AHEAD = 1_795_000_000.0
"""The broker's unix time minus our monotonic time."""


def clock_after(*executions: tuple[float, float]) -> BrokerClock:
    """Return a clock that has seen executions at times of ours, each with a delay."""
    clock = BrokerClock()
    for at, delay in executions:
        clock.on_execution(AHEAD + at, at + delay)
    return clock


def test_an_execution_before_a_moment_is_known_as_such_by_a_prompt_one_of_the_last_hour() -> None:
    late = [(10.0 + number, 2.0) for number in range(10 * EXECUTIONS_AT_LEAST)]
    clock = clock_after((0, 0.05), *late)
    assert clock.is_before(AHEAD + 400, 400.1)
    assert not clock.is_before(AHEAD + 400, 400.0)


def test_a_quiet_account_remembers_its_newest_executions_however_old_they_are() -> None:
    clock = clock_after((0, 0.05), (2 * MEMORY_SECONDS, 2.0))
    assert clock.is_before(AHEAD + 9000, 9000.1)


def test_a_step_back_of_the_brokers_clock_is_noticed_after_an_hour() -> None:
    late = [(100.0 + number, 60.05) for number in range(EXECUTIONS_AT_LEAST)]
    assert clock_after((0, 0.05), *late).is_before(AHEAD + 9000, 9001.0)
    late.append((MEMORY_SECONDS, 60.05))
    assert not clock_after((0, 0.05), *late).is_before(AHEAD + 9000, 9001.0)


@pytest.mark.parametrize("moment", [0.0, AHEAD])
def test_without_any_execution_none_is_known_to_be_before_a_moment(moment: float) -> None:
    assert not BrokerClock().is_before(moment, 1e12)
