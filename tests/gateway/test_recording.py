"""The position after which Redis has every event of a topic."""

import pytest

from gateway.bus.recording import Recording
from shared.bus.beginning import Beginning
from shared.event_id import EventId

SPY = "trade:SPY"
LIMIT = 1000


def at(seq: int) -> EventId:
    return EventId(1, seq)


def recording(*beginning: int, since: int = 10, published: int = 90) -> Recording:
    """Return the facts about SPY, whose beginning is given by the numbers of its ids."""
    known = {SPY: Beginning(*map(at, beginning))} if beginning else {}
    return Recording(at(since), at(published), known)


def complete_after(facts: Recording, oldest: int | None, length: int = 1) -> EventId | None:
    return facts.complete_after(SPY, None if oldest is None else at(oldest), length, LIMIT)


def test_a_topic_that_never_had_an_event_is_complete_since_redis_has_data() -> None:
    assert complete_after(recording(), None, 0) == at(10)


def test_a_history_that_was_not_trimmed_is_complete_from_its_beginning() -> None:
    assert complete_after(recording(10, 20), 20) == at(10)
    assert complete_after(recording(15, 20), 20, LIMIT) == at(15)


def test_a_trimmed_history_is_complete_from_its_oldest_event() -> None:
    assert complete_after(recording(10, 20), 40, LIMIT) == at(39)


def test_a_loss_of_redis_data_hides_everything_before_it() -> None:
    assert complete_after(recording(10, 20, since=70), 20) == at(70)


def test_an_expired_history_lacks_nothing_after_its_newest_event() -> None:
    assert complete_after(recording(10, 20, 60), None, 0) == at(60)


def test_a_history_that_was_deleted_is_certain_of_nothing_published_so_far() -> None:
    assert complete_after(recording(10, 20), None, 0) == at(90)


def test_a_history_with_no_note_may_have_been_trimmed_once_it_is_full() -> None:
    assert complete_after(recording(), 40, LIMIT - 1) == at(10)
    assert complete_after(recording(), 40, LIMIT) == at(39)


@pytest.mark.parametrize(("received", "since"), [(89, at(10)), (90, at(10)), (91, None)])
def test_a_redis_that_lacks_what_was_received_here_has_an_older_copy(
    received: int, since: EventId | None
) -> None:
    facts = recording().known_to(at(received))

    assert facts.since == since
    assert complete_after(facts, None, 0) == since
