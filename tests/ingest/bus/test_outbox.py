"""The queue of events that wait to be published."""

import json
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.bus.outbox import Outbox, Publication
from shared import gap, news, rfc3339
from shared.bus import keys
from shared.gap import GAP, Gap
from shared.news import News
from shared.topics import NEWS, ORDERED, TRADE
from tests.examples import examples

TOPICS = ("price:A", "price:B", "status:A", "trade:A", "trade:B", "news:*")


def at(number: int) -> str:
    return rfc3339.from_nanoseconds(1_763_300_000_000_000_000 + number)


def publication(topic: str, number: int, event: str | None = None) -> Publication:
    name = "updated_at" if topic.startswith(NEWS) else "timestamp"
    body = json.dumps({"n": number, name: at(number)}).encode()
    return Publication(topic, body, event=event)


def number_of(taken: Publication) -> int:
    number: int = json.loads(taken.body)["n"]
    return number


def loss_of(taken: Publication) -> tuple[str, str]:
    told = json.loads(taken.body)
    assert told["topics"] == [taken.topic]
    assert told["reason"] == "redis_unavailable"
    return told["from"], told["to"]


def is_ordered(topic: str) -> bool:
    return topic.partition(":")[0] in ORDERED


def test_publications_leave_in_the_order_in_which_they_came() -> None:
    outbox = Outbox()
    for number, topic in enumerate(("price:A", "trade:A", "price:A", "status:A")):
        outbox.offer(publication(topic, number))

    assert [number_of(each) for each in outbox.take(3)] == [0, 1, 2]
    assert [number_of(each) for each in outbox.take(3)] == [3]
    assert (outbox.conflated, outbox.lost) == (0, 0)


def test_waiting_is_set_exactly_while_something_waits() -> None:
    outbox = Outbox(bound=2)
    assert not outbox.waiting.is_set()
    for number in range(5):
        outbox.offer(publication("trade:A", number))
        outbox.offer(publication("price:A", number))
    while outbox.take(1):
        assert outbox.waiting.is_set() == bool(outbox)
    assert not outbox.waiting.is_set()


def test_after_it_was_crowded_and_emptied_everything_is_kept_again() -> None:
    outbox = Outbox(bound=4)
    for number in range(6):
        outbox.offer(publication("price:A", number))
    assert [number_of(each) for each in outbox.take(10)] == [5]

    for number in range(4):
        outbox.offer(publication("price:A", number))
    assert [number_of(each) for each in outbox.take(10)] == [0, 1, 2, 3]


def test_a_named_event_of_a_merge_topic_replaces_no_value_and_is_replaced_by_none() -> None:
    outbox = Outbox(bound=1)
    outbox.offer(publication("price:A", 1))
    outbox.offer(publication("price:A", 2, event=GAP))
    outbox.offer(publication("price:A", 3))

    assert [(each.event, number_of(each)) for each in outbox.take(9)] == [(None, 3), (GAP, 2)]


def test_a_row_replaces_the_older_one_of_its_symbol_and_no_other() -> None:
    outbox = Outbox(bound=1)
    for symbol, number in (("BAC", 1), ("IBM", 2), ("BAC", 3)):
        outbox.offer(Publication("position:*", b"%d" % number, row=symbol))

    assert [(each.row, each.body) for each in outbox.take(10)] == [("BAC", b"3"), ("IBM", b"2")]


def test_of_a_topic_no_more_is_kept_than_its_history_holds() -> None:
    length = keys.HISTORY_LENGTHS[TRADE]
    outbox = Outbox(bound=length + 1)
    for number in range(length + 5):
        outbox.offer(publication("trade:A", number))

    announced, *kept = outbox.take(10_000)
    assert loss_of(announced) == (at(0), at(4))
    assert [number_of(each) for each in kept] == list(range(5, length + 5))
    assert outbox.lost == 5


def test_a_lost_gap_is_part_of_the_loss_that_is_announced() -> None:
    outbox = Outbox(bound=1)
    earlier = Gap(topics=["trade:A"], from_=at(1), to=at(2), reason="upstream_lost")
    outbox.offer(Publication("trade:A", gap.encode(earlier), event=GAP))
    outbox.offer(publication("trade:A", 3))
    outbox.offer(publication("trade:A", 4))

    announced, last = outbox.take(9)
    assert loss_of(announced) == (at(1), at(3))
    assert number_of(last) == 4


def test_the_loss_of_an_article_is_told_by_the_time_of_its_version() -> None:
    article = News(
        id="1",
        headline="",
        summary="",
        author="",
        source="",
        url=None,
        symbols=["A"],
        created_at=at(1),
        updated_at=at(2),
    )
    outbox = Outbox(bound=1)
    outbox.offer(Publication("news:*", news.encode(article)))
    outbox.offer(publication("news:*", 3))

    assert loss_of(outbox.take(1)[0]) == (at(2), at(2))
    assert not outbox


def test_a_batch_of_which_nobody_knows_whether_it_arrived_leaves_gaps_for_ordered_events() -> None:
    outbox = Outbox()
    batch = [publication(topic, n) for n, topic in enumerate((*TOPICS, *TOPICS))]

    left = outbox.without_ordered(batch)

    gaps = {each.topic: loss_of(each) for each in left if each.event == GAP}
    assert gaps == {t: (at(n), at(n + 6)) for n, t in enumerate(TOPICS) if is_ordered(t)}
    assert [each for each in left if each.event is None] == [
        each for each in batch if not is_ordered(each.topic)
    ]
    assert outbox.lost == 6


steps = st.lists(st.one_of(st.sampled_from(TOPICS), st.integers(1, 7)), max_size=300)


@examples(times=3)
@given(steps, st.integers(1, 30))
def test_whatever_is_offered_and_taken_the_bound_holds_and_every_loss_is_announced(
    script: list[str | int], bound: int
) -> None:
    outbox = Outbox(bound)
    offered: dict[str, list[int]] = defaultdict(list)
    taken: dict[str, list[Publication]] = defaultdict(list)
    ever_full = False
    for number, step in enumerate(script):
        if isinstance(step, str):
            ever_full = ever_full or len(outbox) >= bound
            outbox.offer(publication(step, number))
            offered[step].append(number)
        else:
            batch = outbox.take(step)
            assert len(batch) <= step + 1
            for each in batch:
                taken[each.topic].append(each)
        assert len(outbox) <= bound + len(offered)
    while batch := outbox.take(3):
        for each in batch:
            taken[each.topic].append(each)
    assert len(outbox) == 0

    for topic, numbers in offered.items():
        values = [number_of(each) for each in taken[topic] if each.event is None]
        assert values == sorted(set(values))
        assert values[-1] == numbers[-1]
        if not ever_full:
            assert values == numbers
        gaps = [each for each in taken[topic] if each.event == GAP]
        assert gaps == [] or is_ordered(topic)
        if is_ordered(topic):
            assert holes_told(taken[topic]) == holes_in(values, numbers)
    kept = sum(each.event is None for each_topic in taken.values() for each in each_topic)
    assert kept + outbox.conflated + outbox.lost == sum(map(len, offered.values()))


def holes_in(values: list[int], offered: list[int]) -> list[tuple[str, str]]:
    """Return the first and last of each run of offered numbers that is missing."""
    holes: list[list[int]] = []
    run: list[int] = []
    for number in offered:
        if number in values:
            holes += [run] if run else []
            run = []
        else:
            run.append(number)
    return [(at(hole[0]), at(hole[-1])) for hole in holes]


def holes_told(taken: list[Publication]) -> list[tuple[str, str]]:
    return [loss_of(each) for each in taken if each.event == GAP]


def test_every_ordered_kind_has_a_history_and_no_other() -> None:
    assert set(keys.HISTORY_LENGTHS) == ORDERED


@pytest.mark.parametrize("topic", ["price:A", "trade:A"])
def test_what_is_offered_for_ever_does_not_grow(topic: str) -> None:
    outbox = Outbox(bound=50)
    for number in range(2000):
        outbox.offer(publication(topic, number))
        assert len(outbox) <= 50
