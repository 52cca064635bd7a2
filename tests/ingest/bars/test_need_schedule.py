"""Which questions go to REST together, in which order, and how often."""

from ingest.bars.bar_changes import DayNeed, FillNeed, MinutesNeed, Need, TradesNeed
from ingest.bars.need_schedule import REQUESTS_AT_ONCE, SYMBOLS_PER_REQUEST, TRIES, NeedSchedule
from ingest.bars.timeframes import MINUTE_NS
from tests.ingest.demand.wants import Clock, names

BEGIN = 1_000_000 * MINUTE_NS


def taken(schedule: NeedSchedule) -> list[Need]:
    return [need for need, _ in schedule.take()]


def minutes(symbol: str, begin: int = 0, end: int = 1) -> MinutesNeed:
    return MinutesNeed(symbol, BEGIN + begin * MINUTE_NS, BEGIN + end * MINUTE_NS, BEGIN)


def test_two_hundred_new_charts_are_two_requests() -> None:
    schedule = NeedSchedule(Clock())
    schedule.add(FillNeed(symbol, "1Min") for symbol in names(2 * SYMBOLS_PER_REQUEST))

    assert [len(taken(schedule)) for _ in range(2)] == [SYMBOLS_PER_REQUEST] * 2
    schedule.done()
    assert taken(schedule) == []


def test_missed_minutes_come_before_histories_and_those_before_days() -> None:
    schedule, trades = NeedSchedule(Clock()), TradesNeed("A", BEGIN, BEGIN + 1)
    needs: list[Need] = [
        trades,
        DayNeed("A"),
        FillNeed("A", "1Hour"),
        FillNeed("A", "1Min"),
        minutes("A"),
    ]
    schedule.add(needs)
    order = []
    while batch := taken(schedule):
        order += batch
        schedule.done()

    assert order == [minutes("A"), FillNeed("A", "1Min"), FillNeed("A", "1Hour"), *needs[1::-1]]


def test_spans_that_are_far_apart_are_asked_for_separately() -> None:
    schedule = NeedSchedule(Clock())
    schedule.add([minutes("A"), minutes("B", 1, 2), minutes("C", 60, 61)])

    assert taken(schedule) == [minutes("A"), minutes("B", 1, 2)]
    assert taken(schedule) == [minutes("C", 60, 61)]


def test_prices_keep_most_of_the_threads_and_an_equal_question_is_asked_once() -> None:
    schedule = NeedSchedule(Clock())
    for _ in range(2):
        schedule.add(FillNeed("A", each) for each in ("1Min", "5Min", "1Day"))
    assert [len(taken(schedule)) for _ in range(REQUESTS_AT_ONCE + 1)] == [1, 1, 0]
    schedule.done()
    assert len(taken(schedule)) == 1
    schedule.done()
    assert taken(schedule) == []


def test_a_failed_question_waits_longer_each_time_and_a_span_is_lost_in_the_end() -> None:
    clock = Clock()
    schedule = NeedSchedule(clock)
    schedule.add([minutes("A")])
    waits: list[float] = []
    lost: list[MinutesNeed] = []
    begun = clock.now
    for _ in range(TRIES):
        while not (batch := schedule.take()):
            clock.now += 0.5
        waits.append(clock.now - begun)
        begun = clock.now
        lost += schedule.failed(batch)

    assert waits == [0, 1, 2, 4, 8]
    assert lost == [minutes("A")]
    assert schedule.take() == []


def test_a_history_is_tried_for_as_long_as_it_is_wanted() -> None:
    clock = Clock()
    schedule = NeedSchedule(clock)
    schedule.add([FillNeed("A", "1Min")])
    for _ in range(4 * TRIES):
        assert schedule.failed(schedule.take()) == []
        clock.now += 3600
    schedule.forget_others({"B"})

    assert schedule.take() == []
