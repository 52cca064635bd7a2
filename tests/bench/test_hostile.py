"""A small attack on a gateway: no request gets in, and a fault would be reported."""

import random

import pytest

from bench import hostile
from bench.hostile import Measured, Phase, Terms
from bench.hostile_load import Answers
from bench.hostile_requests import Attacker
from bench.steady_streams import SteadyStreams

TOKENS = ["one-token-of-this-test", "another-token-of-it"]


def measured(before: float, during: float, **changed: object) -> Measured:
    """Return a run with a p99 before and during the attack, in ms."""
    values = {
        "phases": [Phase("before", [before]), Phase("during", [during]), Phase("after", [1.0])],
        "answers": Answers({"wrong token": {"401": 9}}, [], []),
        "streams": SteadyStreams(1, TOKENS[0]),
        "tokens": TOKENS,
        "unauthorized": 9,
        "mib": (50.0, 51.0),
        "log": "",
    }
    return Measured(**{**values, **changed})  # type: ignore[arg-type]


@pytest.mark.slow
async def test_nobody_gets_in_and_every_stream_lasts() -> None:
    found = await hostile.measure(
        Terms(150, streams=5, per_second=300, at_once=64, quiet_seconds=0.3, seed=1)
    )

    assert found.faults == []
    assert found.unauthorized > 20
    assert sum(sum(counts.values()) for counts in found.answers.answers.values()) == 150
    assert all(phase.late for phase in found.phases)
    assert "no request got in" in hostile.report(found)


@pytest.mark.parametrize(("before", "during", "factor"), [(50, 90, 1.8), (1, 4, 1.0), (1, 15, 3.0)])
def test_the_shortest_ages_are_no_lateness(before: float, during: float, factor: float) -> None:
    assert measured(before, during).factor == pytest.approx(factor)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"answers": Answers({"wrong token": {"200": 1}}, [], [])}, "wrong token: 1x 200"),
        ({"answers": Answers({"odd path": {"500": 2}}, [], [])}, "odd path: 2x 500"),
        ({"answers": Answers({}, ["in"], ["leak"])}, "leak"),
        ({"log": f"GET /?x={TOKENS[1]}"}, f"a token in the log: GET /?x={TOKENS[1]}"),
        ({"log": "Traceback (most recent call last):"}, "a traceback in the log"),
    ],
)
def test_a_run_says_what_must_not_be(changed: dict[str, object], fault: str) -> None:
    assert fault in measured(1, 1, **changed).faults
    assert fault in hostile.report(measured(1, 1, **changed))


def test_an_attacker_never_sends_a_right_token() -> None:
    attacker = Attacker(TOKENS, random.Random(1))  # noqa: S311 - repeatable
    kinds = set()
    for _ in range(2_000):
        attack = attacker.draw()
        kinds.add(attack.kind)
        for token in TOKENS:
            assert f"Bearer {token}\r\n".encode() not in attack.sent
    assert len(kinds) == 9
