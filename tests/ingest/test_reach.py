"""Whether a process reaches Alpaca, by its attempts."""

from ingest.reach import PROBE_LIFE_SECONDS, Reach, UpstreamReach


def test_one_failed_attempt_is_no_proof_and_two_are() -> None:
    reach = UpstreamReach(lambda: 0.0)
    assert {Reach.UNKNOWN} == {reach.state}
    reach.on_attempt(0.01, was_greeted=False)
    assert {Reach.UNKNOWN} == {reach.state}
    reach.on_attempt(0.01, was_greeted=False)
    assert {Reach.UNREACHABLE} == {reach.state}


def test_one_attempt_that_took_its_whole_limit_is_a_proof() -> None:
    reach = UpstreamReach(lambda: 0.0)
    reach.on_attempt(3.0, was_greeted=False)

    assert {Reach.UNREACHABLE} == {reach.state}


def test_a_greeting_counts_for_some_seconds_and_forgets_the_failures() -> None:
    now = 100.0
    reach = UpstreamReach(lambda: now)
    reach.on_attempt(3.0, was_greeted=False)
    reach.on_attempt(0.1, was_greeted=True)
    assert {Reach.REACHES} == {reach.state}

    now += PROBE_LIFE_SECONDS
    assert {Reach.UNKNOWN} == {reach.state}


def test_a_new_role_begins_with_nothing_known() -> None:
    reach = UpstreamReach(lambda: 0.0)
    reach.on_attempt(3.0, was_greeted=False)
    reach.begin()

    assert {Reach.UNKNOWN} == {reach.state}
