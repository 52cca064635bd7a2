"""Alpaca's requests per minute, and the half that polling may have."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.upstream.request_budget import PAUSE_SECONDS, RequestBudget
from tests.ingest.demand.wants import Clock


def taken(budget: RequestBudget, *, polling: bool = False) -> int:
    """Acquire all permits that are available now."""
    count = 0
    while budget.acquire(polling=polling) == 0:
        count += 1
    return count


def most_in_a_minute(times: list[float]) -> int:
    """Return how many of the ascending times lie within one minute, wherever that begins."""
    most = begins = 0
    for ends, at in enumerate(times):
        while at >= times[begins] + 60:
            begins += 1
        most = max(most, ends - begins + 1)
    return most


@given(st.lists(st.integers(0, 600), max_size=60).map(sorted))
def test_the_fullest_minute_is_the_one_that_counting_each_of_them_finds(seconds: list[int]) -> None:
    times = [float(at) for at in seconds]
    counted = [sum(start <= at < start + 60 for at in times) for start in times]

    assert most_in_a_minute(times) == max(counted, default=0)


def test_a_burst_is_possible_and_the_wait_is_told() -> None:
    clock = Clock()
    budget = RequestBudget(200, clock)
    assert taken(budget) == 50
    wait = budget.acquire()
    assert 0 < wait < 1
    clock.now += wait
    assert budget.acquire() == 0


def test_polling_leaves_half_for_all_else() -> None:
    clock = Clock()
    budget = RequestBudget(200, clock)
    assert taken(budget, polling=True) == 25
    assert taken(budget) == 25

    polls = 0
    for _ in range(600):
        clock.now += 0.1
        polls += taken(budget, polling=True)
    assert polls <= 60 * budget.polls_per_second + 1 <= 100
    assert taken(budget) >= 25


def test_a_refusal_empties_it_for_as_long_as_it_says() -> None:
    clock = Clock()
    budget = RequestBudget(200, clock)
    budget.on_too_many(20.0)
    assert 20 < budget.acquire() < 21
    assert 20 < budget.acquire(polling=True) < 60
    clock.now += 20.5
    assert taken(budget) == 1

    budget.on_too_many(None)
    clock.now += PAUSE_SECONDS
    assert budget.acquire() > 0
    budget.on_too_many(1e9)
    clock.now += 61
    assert budget.acquire() == 0


@given(
    per_minute=st.integers(1, 1000),
    steps=st.lists(st.tuples(st.floats(0, 20), st.booleans(), st.integers(1, 300)), max_size=40),
)
def test_no_minute_has_more_than_the_limit_wherever_it_begins(
    per_minute: int, steps: list[tuple[float, bool, int]]
) -> None:
    clock = Clock()
    budget = RequestBudget(per_minute, clock)
    times: list[float] = []
    for seconds, polling, count in steps:
        clock.now += seconds
        answers = [budget.acquire(polling=polling) for _ in range(count)]
        times += [clock.now] * answers.count(0)
    assert most_in_a_minute(times) <= max(per_minute, 3)
