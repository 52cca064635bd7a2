"""The waits between attempts, and the limits of each."""

import random

import pytest

from ingest.upstream.reconnect_pace import (
    GHOST_SECONDS,
    LONG_OUTAGE_SECONDS,
    PATIENCE,
    QUICK_CONNECTIONS,
    STABLE_SECONDS,
    ReconnectPace,
)
from ingest.upstream.upstream_error import Retry, UpstreamError

LOST, SLOT, TOO_MANY = UpstreamError("lost"), UpstreamError("slot", 406), UpstreamError("many", 429)


class Attempts:
    """A pace in time."""

    def __init__(self, seed: int = 1) -> None:
        self.now = 1000.0
        chance = random.Random(seed)  # noqa: S311 - a wait, no secret
        self.pace = ReconnectPace(lambda: self.now, chance.uniform)

    def fail(self, error: UpstreamError = LOST, *, is_urgent: bool = True) -> float:
        wait = self.pace.wait_after(error, is_urgent=is_urgent)
        self.now += wait
        return wait

    def fail_for(self, seconds: float, *, is_urgent: bool = True) -> list[float]:
        end, waits = self.now + seconds, []
        while self.now < end:
            waits.append(self.fail(is_urgent=is_urgent))
        return waits


def test_the_first_attempts_follow_soon_and_with_jitter() -> None:
    drawn = [[Attempts(seed).fail() for seed in range(200)]]
    drawn.append([(made := Attempts(seed)).fail() and made.fail() for seed in range(200)])

    assert [
        (min(each) > 0.04, max(each) < limit)
        for each, limit in zip(drawn, (0.31, 0.61), strict=True)
    ] == [(True, True)] * 2
    assert all(len(set(each)) > 100 for each in drawn)


def test_while_clients_wait_no_pause_is_longer_than_two_seconds_and_five_in_a_long_outage() -> None:
    attempts = Attempts()

    assert max(attempts.fail_for(LONG_OUTAGE_SECONDS)) <= 2.0
    later = attempts.fail_for(600)
    assert 2.5 <= min(later) < max(later) <= 5.0


def test_while_no_client_waits_the_pauses_grow_to_half_a_minute() -> None:
    waits = Attempts().fail_for(600, is_urgent=False)

    assert 15 <= waits[-1] <= 30
    assert max(waits) <= 30


def test_after_a_connection_that_worked_the_next_failure_is_the_first() -> None:
    attempts = Attempts()
    attempts.fail_for(60)
    attempts.pace.on_connection_lost(0.5, has_worked=True)

    assert attempts.pace.patience == PATIENCE[0]
    assert attempts.fail() <= 0.3


@pytest.mark.parametrize(("lasted", "longest"), [(STABLE_SECONDS, 0.3), (1.0, 2.0)])
def test_a_connection_that_brought_nothing_counts_as_a_success_only_if_it_lasted(
    lasted: float, longest: float
) -> None:
    attempts = Attempts()
    attempts.fail_for(60)
    attempts.pace.on_connection_lost(lasted, has_worked=False)

    assert attempts.fail() == pytest.approx(longest, rel=1.0)
    assert (attempts.pace.patience == PATIENCE[0]) is (longest == 0.3)


def test_connections_that_are_cut_again_and_again_do_not_become_a_loop() -> None:
    attempts, connections = Attempts(), 0
    end = attempts.now + 600
    while attempts.now < end:
        connections += 1
        attempts.now += 0.1
        attempts.pace.on_connection_lost(0.1, has_worked=True)
        attempts.fail()

    assert connections < 10 * (QUICK_CONNECTIONS + 60)


def test_after_406_a_slot_is_asked_for_every_second_until_no_dead_session_can_hold_it() -> None:
    attempts = Attempts()
    start, waits = attempts.now, []
    while attempts.now < start + GHOST_SECONDS:
        waits.append(attempts.fail(SLOT))

    assert 0.5 <= min(waits) < max(waits) <= 0.7
    later = [attempts.fail(SLOT) for _ in range(100)]
    assert 3 <= min(later) < max(later) <= 10
    assert attempts.pace.patience == PATIENCE[0], "Alpaca answers: nothing has failed to connect"

    attempts.pace.on_connection_lost(1.0, has_worked=True)
    assert attempts.fail(SLOT) <= 0.7, "another dead session"


def test_on_a_socket_that_alpaca_keeps_the_slot_is_asked_for_more_often() -> None:
    pace = Attempts().pace
    waits = [pace.wait_after(SLOT, is_urgent=True, keeps_socket=True) for _ in range(100)]

    assert 0.3 <= min(waits) < max(waits) <= 0.5


@pytest.mark.parametrize("error", [TOO_MANY, UpstreamError("none", retry=Retry.MUCH_LATER)])
def test_a_pause_that_alpaca_demands_is_kept(error: UpstreamError) -> None:
    waits = [Attempts(seed).fail(error) for seed in range(100)]

    assert 90 <= min(waits) < max(waits) <= 110


def test_a_slow_network_gets_longer_limits_with_each_failure() -> None:
    attempts, limits = Attempts(), []
    for _ in range(6):
        limits.append(attempts.pace.patience)
        attempts.fail()

    assert limits == [PATIENCE[0], *PATIENCE, PATIENCE[-1]]
    assert [each.connect for each in PATIENCE] == sorted(each.connect for each in PATIENCE)
    assert PATIENCE[0].connect == 3.0
