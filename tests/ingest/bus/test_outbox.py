"""What waits to be published."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.bus.outbox import Outbox, Publication


def publication(topic: str, number: int) -> Publication:
    return Publication(topic, b"%d" % number, traded=True)


def test_publications_leave_in_the_order_in_which_they_came() -> None:
    outbox = Outbox()
    for number, topic in enumerate("abab"):
        outbox.offer(publication(topic, number))

    assert [each.body for each in outbox.take(3)] == [b"0", b"1", b"2"]
    assert [each.body for each in outbox.take(3)] == [b"3"]
    assert outbox.conflated == 0


def test_waiting_is_set_exactly_while_something_waits() -> None:
    outbox = Outbox()
    assert not outbox.waiting.is_set()
    outbox.offer(publication("a", 1))
    outbox.offer(publication("b", 2))
    outbox.take(1)
    assert outbox.waiting.is_set()
    outbox.take(1)
    assert not outbox.waiting.is_set()
    outbox.offer(publication("a", 3))
    outbox.clear()
    assert not outbox.waiting.is_set()
    assert len(outbox) == 0


@given(st.lists(st.sampled_from("abcdefgh"), max_size=200), st.integers(8, 20))
def test_beyond_the_bound_the_newest_of_each_topic_stays(topics: list[str], bound: int) -> None:
    outbox = Outbox(bound)
    newest: dict[str, bytes] = {}
    for number, topic in enumerate(topics):
        outbox.offer(publication(topic, number))
        newest[topic] = b"%d" % number
        assert len(outbox) <= bound + 1

    left = outbox.take(1000)
    assert len(left) + outbox.conflated == len(topics)
    assert {each.topic: each.body for each in left} == newest
    for topic in newest:  # within a topic a later one never comes before an earlier one
        numbers = [int(each.body) for each in left if each.topic == topic]
        assert numbers == sorted(numbers)
