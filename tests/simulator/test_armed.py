"""Armed faults: how often, how long, for which target."""

import pytest

from simulator.faults.armed import ArmedFaults, Fault

REFUSAL = Fault("refuse_auth", "auth", "iex", 406)
SILENCE = Fault("mute_after_auth", "auth", "iex")


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def armed(now: list[float]) -> ArmedFaults:
    return ArmedFaults(lambda: now[0])


def test_a_fault_strikes_once_unless_told_otherwise(armed: ArmedFaults) -> None:
    armed.arm(REFUSAL, None, None)

    assert [armed.take("auth", "iex") for _ in range(2)] == [REFUSAL, None]


def test_a_fault_strikes_as_often_as_armed_and_in_order(armed: ArmedFaults) -> None:
    armed.arm(REFUSAL, 2, None)
    armed.arm(SILENCE, 1, None)

    assert [armed.take("auth", "iex") for _ in range(4)] == [REFUSAL, REFUSAL, SILENCE, None]


def test_a_fault_for_a_time_strikes_always_and_then_never(
    armed: ArmedFaults, now: list[float]
) -> None:
    armed.arm(REFUSAL, None, 10.0)
    assert [armed.take("auth", "iex") for _ in range(3)] == [REFUSAL] * 3
    now[0] = 10.0
    assert armed.take("auth", "iex") is None


@pytest.mark.parametrize("at", [0.0, 10.0])
def test_count_and_time_end_a_fault_whichever_comes_first(
    armed: ArmedFaults, now: list[float], at: float
) -> None:
    armed.arm(REFUSAL, 1, 10.0)
    now[0] = at
    assert [armed.take("auth", "iex") for _ in range(2)] == [None if at else REFUSAL, None]


def test_other_stages_and_targets_are_left_alone(armed: ArmedFaults) -> None:
    armed.arm(REFUSAL, 1, None)
    armed.arm(Fault("rest", "request", "/v2/stocks", 500), 1, None)

    assert armed.take("upgrade", "iex") is None
    assert armed.take("auth", "sip") is None
    assert armed.take("request", "/v2/clock") is None
    assert armed.take("request", "/v2/stocks/bars") is not None


def test_a_fault_of_a_symbol_leaves_longer_symbols_alone(armed: ArmedFaults) -> None:
    armed.arm(Fault("adjustment", "adjustment", "F", symbol="F", ratio=2.0), None, 10.0)

    assert armed.take("adjustment", "FB", "FB") is None
    assert armed.take("adjustment", "F", "F") is not None


def test_what_is_armed_can_be_seen_and_cleared(armed: ArmedFaults, now: list[float]) -> None:
    armed.arm(REFUSAL, 3, None)
    armed.arm(Fault("rest", "request", "/v2/", None, delay_seconds=2.0), None, 10.0)
    armed.take("auth", "iex")
    now[0] = 4.0

    assert armed.shown() == [
        {
            "fault": "refuse_auth",
            "target": "iex",
            "code": 406,
            "delay_seconds": 0.0,
            "ratio": None,
            "times_left": 2,
            "seconds_left": None,
        },
        {
            "fault": "rest",
            "target": "/v2/",
            "code": None,
            "delay_seconds": 2.0,
            "ratio": None,
            "times_left": None,
            "seconds_left": 6.0,
        },
    ]
    armed.clear("iex")
    assert [one["fault"] for one in armed.shown()] == ["rest"]
    armed.clear()
    assert armed.shown() == []
