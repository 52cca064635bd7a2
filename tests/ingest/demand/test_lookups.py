"""The order of look-ups, and the retries of failed ones."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from ingest.demand import lookups as module
from ingest.demand.lookups import (
    BATCHES_AT_ONCE,
    DOUBTFUL_SECONDS,
    GAP_SECONDS,
    REPAIR_COST,
    SILENT_SECONDS,
    SYMBOL_POLL_SECONDS,
    SYMBOLS_PER_LOOKUP,
    Batch,
    Lookups,
    Reason,
)
from tests.ingest.demand.wants import Clock, names

MONDAY, TUESDAY = date(2026, 11, 16), date(2026, 11, 17)


class Schedule:
    """Look-ups at a time of our own."""

    def __init__(self, polls_per_second: float = 1.0) -> None:
        self.clock = Clock()
        self.lookups = Lookups(self.clock, polls_per_second)
        self.wanted: list[str] = []
        self.polled: list[str] = []
        self.today = MONDAY

    def due(self) -> Batch | None:
        self.lookups.follow(set(self.wanted), self.polled, self.today)
        return self.lookups.take_due()

    def do(self) -> dict[str, Reason]:
        """Do the due look-ups and return them."""
        batch = self.due()
        if batch is None:
            return {}
        self.lookups.done(batch)
        return batch.reasons

    def fail(self) -> dict[str, Reason]:
        """Fail in the due look-ups and return them."""
        batch = self.due()
        if batch is None:
            return {}
        self.lookups.failed(batch)
        return batch.reasons

    def known(self, *symbols: str) -> "Schedule":
        """Want symbols and have them looked up."""
        self.wanted = list(symbols)
        while self.do():
            pass
        return self


def test_a_new_symbol_is_looked_up_once_and_again_when_it_comes_back() -> None:
    schedule = Schedule()
    schedule.wanted = ["A", "B"]
    assert schedule.do() == {"A": Reason.NEW, "B": Reason.NEW}
    assert schedule.do() == {}
    schedule.wanted = ["B"]
    assert schedule.do() == {}
    schedule.wanted = ["A", "B"]
    assert schedule.do() == {"A": Reason.NEW}


def test_batches_are_bounded_and_so_are_those_under_way() -> None:
    schedule = Schedule()
    schedule.wanted = names(1000)
    batches = [schedule.due() for _ in range(BATCHES_AT_ONCE)]
    assert [len(batch.reasons) for batch in batches if batch] == [SYMBOLS_PER_LOOKUP] * 3
    assert len({symbol for batch in batches if batch for symbol in batch.reasons}) == 300
    assert schedule.due() is None
    assert batches[1] is not None
    schedule.lookups.done(batches[1])
    following = schedule.due()
    assert following is not None
    assert set(following.reasons).isdisjoint(batches[0].reasons if batches[0] else ())


def test_the_urgent_come_first_and_take_the_rest_along() -> None:
    schedule = Schedule().known(*names(50, "OLD"))
    schedule.polled = names(150, "OLD")[:50]
    schedule.lookups.on_stream_lost(dict.fromkeys(names(20, "OLD"), 7.0))
    schedule.lookups.on_subscribed(set(names(20, "OLD")))
    schedule.lookups.doubt(["OLD0020"])
    schedule.wanted += names(60, "NEW")
    batch = schedule.due()

    assert batch is not None
    assert list(batch.reasons.values()) == (
        [Reason.NEW] * 60 + [Reason.RECONNECT] * 20 + [Reason.DOUBTFUL] + [Reason.POLL] * 19
    )
    assert not batch.polling


def test_what_is_polled_has_its_turn_every_few_seconds_one_batch_at_a_time() -> None:
    schedule = Schedule().known(*names(150))
    schedule.polled = names(150)
    first = schedule.due()
    assert first is not None
    assert first.polling
    assert schedule.due() is None, "the others must not wait for polls"
    schedule.lookups.doubt(["S0149"])
    urgent = schedule.due()
    assert urgent is not None
    assert urgent.reasons["S0149"] is Reason.DOUBTFUL
    schedule.lookups.done(first)
    schedule.lookups.done(urgent)

    assert schedule.do() == {}
    schedule.clock.now += SYMBOL_POLL_SECONDS
    assert len(schedule.do()) + len(schedule.do()) == 150


def test_silent_symbols_are_checked_a_hundred_at_a_time_and_leave_room_for_prices() -> None:
    schedule = Schedule().known(*names(300))
    schedule.lookups.confirm(names(300))
    first = schedule.due()
    assert first is not None
    assert first.polling
    assert list(first.reasons.values()) == [Reason.SILENT] * SYMBOLS_PER_LOOKUP
    schedule.lookups.done(first)
    assert schedule.due() is None, "prices come first"
    schedule.lookups.doubt(["S0299"])
    assert schedule.do() == {"S0299": Reason.DOUBTFUL}

    checked = set(first.reasons)
    for _ in range(2):
        schedule.clock.now += SILENT_SECONDS
        checked |= set(schedule.do())
    assert checked == set(names(300))


def test_a_failed_check_is_not_repeated_at_once() -> None:
    schedule = Schedule().known("A")
    schedule.lookups.confirm(["A"])
    assert schedule.fail() == {"A": Reason.SILENT}
    schedule.clock.now += 60

    assert schedule.do() == {}


def test_the_prints_of_a_withheld_symbol_are_requested_in_turn() -> None:
    schedule = Schedule().known("A", "B")
    schedule.lookups.on_subscribed({"A", "B"})
    for since in (7.0, 12.0, 17.0):
        schedule.lookups.repair({"A": since})
        assert caught_up(schedule) == {"A": since}
        schedule.lookups.repair({"A": since})
        assert caught_up(schedule) == {}
        schedule.clock.now += SYMBOL_POLL_SECONDS


def test_repairs_of_many_withheld_symbols_leave_most_of_the_budget_to_prices() -> None:
    polls_per_second = 1.0
    withheld = names(1000)
    schedule = Schedule(polls_per_second).known(*withheld)
    schedule.lookups.on_subscribed(set(withheld))
    schedule.lookups.repair(dict.fromkeys(withheld, 7.0))
    for _ in range(10):
        assert len(caught_up(schedule)) == SYMBOLS_PER_LOOKUP

    turn = 10 / polls_per_second * REPAIR_COST
    schedule.clock.now += turn - 1
    schedule.lookups.repair(dict.fromkeys(withheld, 12.0))
    assert caught_up(schedule) == {}

    schedule.clock.now += 1
    schedule.lookups.repair(dict.fromkeys(withheld, 12.0))
    assert len(caught_up(schedule)) == SYMBOLS_PER_LOOKUP


def test_a_withheld_symbol_whose_prints_cannot_be_fetched_is_announced_as_a_gap() -> None:
    schedule = Schedule().known("A")
    schedule.lookups.on_subscribed({"A"})
    unrepairable: dict[float, list[str]] = {}
    for second in range(60):
        schedule.lookups.repair({"A": 7.0 + second})
        if (batch := schedule.due()) is not None:
            schedule.lookups.done(batch)  # its snapshot is answered, its gap stays open
        unrepairable |= schedule.lookups.take_unrepairable()
        schedule.clock.now += 1

    assert unrepairable[7.0] == ["A"]


def test_many_that_are_polled_wait_longer_so_that_the_budget_suffices() -> None:
    schedule = Schedule(polls_per_second=0.5).known(*names(1000))
    schedule.polled = names(1000)
    for _ in range(10):
        assert len(schedule.do()) == 100
    schedule.clock.now += 19.9
    assert schedule.do() == {}
    schedule.clock.now += 0.1
    assert len(schedule.do()) == 100


def test_a_new_day_asks_for_everything_again_also_for_the_refused() -> None:
    schedule = Schedule()
    schedule.wanted = ["A", "B"]
    batch = schedule.due()
    assert batch is not None
    schedule.lookups.reject("B")
    schedule.lookups.done(batch)
    schedule.polled = ["B"]
    schedule.lookups.doubt(["B"])
    schedule.lookups.on_subscribed({"B"})
    schedule.lookups.open_gap("B", 7.0)
    schedule.clock.now += 60
    assert schedule.do() == {}
    assert schedule.lookups.take_unrepairable() == {}

    schedule.today = TUESDAY
    schedule.polled = []
    assert schedule.do() == dict.fromkeys("AB", Reason.PREVIOUS_CLOSE)
    assert schedule.do() == {}


def test_closes_that_are_due_are_read_with_a_more_urgent_lookup_and_again_if_that_fails() -> None:
    schedule = Schedule().known("A", "B")
    schedule.lookups.renew_closes()
    schedule.lookups.doubt(["A"])
    batch = schedule.due()
    assert batch is not None
    assert batch.reasons == {"A": Reason.DOUBTFUL, "B": Reason.PREVIOUS_CLOSE}
    assert batch.closes == {"A", "B"}
    schedule.lookups.failed(batch)
    schedule.clock.now += 60
    batch = schedule.due()
    assert batch is not None
    assert batch.closes == {"A", "B"}
    schedule.lookups.done(batch)
    assert schedule.do() == {}


def test_closes_that_become_due_while_a_symbol_is_looked_up_are_read_after_that() -> None:
    schedule = Schedule()
    schedule.wanted = ["A"]
    first = schedule.due()
    assert first is not None
    schedule.lookups.renew_closes()
    assert schedule.due() is None
    schedule.lookups.done(first)
    batch = schedule.due()
    assert batch is not None
    assert batch.closes == {"A"}


def test_doubts_of_one_second_are_one_request() -> None:
    schedule = Schedule().known("A", "B")
    schedule.lookups.doubt(["A"])
    assert schedule.do() == {"A": Reason.DOUBTFUL}
    schedule.lookups.doubt(["A"])
    schedule.lookups.doubt(["B", "UNWANTED"])
    assert schedule.do() == {}
    schedule.clock.now += DOUBTFUL_SECONDS
    assert schedule.do() == dict.fromkeys("AB", Reason.DOUBTFUL)


def test_a_doubt_during_a_lookup_needs_another_one() -> None:
    schedule = Schedule().known("A")
    schedule.lookups.doubt(["A"])
    batch = schedule.due()
    assert batch is not None
    schedule.clock.now += DOUBTFUL_SECONDS
    schedule.lookups.doubt(["A"])
    assert schedule.due() is None
    schedule.lookups.done(batch)
    assert schedule.do() == {"A": Reason.DOUBTFUL}


def test_what_failed_is_asked_again_later_each_time_and_does_not_delay_the_others() -> None:
    schedule = Schedule()
    schedule.wanted = ["A"]
    waits = []
    for _ in range(6):
        started = schedule.clock.now
        while not schedule.fail():
            schedule.clock.now += 0.5
        waits.append(schedule.clock.now - started)
    assert waits == [0, 1, 2, 4, 8, 10]

    schedule.wanted = ["A", "B"]
    assert schedule.do() == {"B": Reason.NEW}
    schedule.clock.now += 10
    assert schedule.do() == {"A": Reason.NEW}
    schedule.clock.now += 100
    assert schedule.do() == {}


def test_a_failed_poll_waits_for_its_turn() -> None:
    schedule = Schedule().known("A")
    schedule.polled = ["A"]
    assert schedule.fail() == {"A": Reason.POLL}
    schedule.clock.now += SYMBOL_POLL_SECONDS - 1
    assert schedule.do() == {}
    schedule.clock.now += 1
    assert schedule.do() == {"A": Reason.POLL}


def reconnected(schedule: Schedule, **since: float) -> Schedule:
    """Lose the stream at times of each symbol, and have it bring them again."""
    schedule.lookups.on_stream_lost(since)
    schedule.lookups.on_subscribed(since.keys())
    return schedule


def caught_up(schedule: Schedule) -> dict[str, float]:
    """Do the due look-ups; return the gaps that were closed, with their starts."""
    batch = schedule.due()
    if batch is None:
        return {}
    since = {symbol: missed.since for symbol, missed in batch.gaps.items()}
    batch.gaps.clear()
    schedule.lookups.done(batch)
    return since


def test_what_cannot_be_had_in_three_tries_or_in_time_is_missed_once() -> None:
    schedule = reconnected(Schedule().known("A", "B"), A=7.0, UNWANTED=7.0)
    for seconds in (1, 2, 0):
        assert schedule.lookups.take_unrepairable() == {}
        assert schedule.fail() == {"A": Reason.RECONNECT}
        schedule.clock.now += seconds
    assert schedule.lookups.take_unrepairable() == {7.0: ["A"]}
    assert schedule.lookups.take_unrepairable() == {}

    schedule.lookups.open_gap("B", 9.0)
    reconnected(schedule, B=8.0)
    schedule.clock.now += GAP_SECONDS
    assert schedule.lookups.take_unrepairable() == {8.0: ["B"]}, "since the first of the two"
    assert schedule.do() == dict.fromkeys("AB", Reason.RECONNECT), "its price is wanted still"


def test_what_was_had_after_a_reconnect_is_not_missed() -> None:
    schedule = reconnected(Schedule().known("A", "B"), A=7.0, B=8.0)
    assert schedule.fail() == dict.fromkeys("AB", Reason.RECONNECT)
    schedule.clock.now += 1
    assert caught_up(schedule) == {"A": 7.0, "B": 8.0}
    schedule.clock.now += GAP_SECONDS
    assert schedule.lookups.take_unrepairable() == {}
    assert schedule.do() == {}


def test_a_snapshot_alone_does_not_make_up_for_what_was_missed() -> None:
    schedule = reconnected(Schedule().known("A"), A=7.0)
    for seconds in (1, 2, 0):
        assert schedule.do() == {"A": Reason.RECONNECT}
        schedule.clock.now += seconds / 2
        schedule.lookups.doubt(["A"])
        schedule.do()
        schedule.clock.now += seconds / 2
    assert schedule.lookups.take_unrepairable() == {7.0: ["A"]}


def test_nothing_is_caught_up_with_before_the_stream_brings_it_again() -> None:
    schedule = Schedule().known("A", "B")
    schedule.lookups.on_stream_lost({"A": 7.0, "B": 7.0})
    schedule.clock.now += 2 * GAP_SECONDS
    assert (schedule.do(), schedule.lookups.take_unrepairable()) == ({}, {})
    schedule.lookups.on_subscribed({"A"})
    assert caught_up(schedule) == {"A": 7.0}
    schedule.lookups.on_subscribed({"A", "B"})
    assert caught_up(schedule) == {"B": 7.0}
    schedule.lookups.open_gap("A", 9.0)
    assert caught_up(schedule) == {"A": 9.0}


def test_what_the_stream_has_no_slot_for_is_caught_up_with_at_its_poll() -> None:
    schedule = Schedule().known("A", "B")
    schedule.lookups.on_stream_lost({"A": 7.0, "B": 7.0})
    schedule.lookups.on_subscribed({"A"})
    schedule.polled = ["B"]
    assert caught_up(schedule) == {"A": 7.0, "B": 7.0}
    schedule.lookups.repair({"B": 9.0})
    assert caught_up(schedule) == {"B": 9.0}


def test_a_loss_during_a_lookup_needs_another_one_since_the_first() -> None:
    schedule = reconnected(Schedule().known("A"), A=7.0)
    batch = schedule.due()
    assert batch is not None
    schedule.lookups.on_stream_lost({"A": 8.0})
    schedule.lookups.failed(batch)
    schedule.clock.now += 10
    assert schedule.do() == {"A": Reason.RECONNECT}, "for its price"
    schedule.lookups.on_subscribed({"A"})
    assert caught_up(schedule) == {"A": 7.0}


def test_a_lookup_from_before_the_reconnect_is_not_enough() -> None:
    schedule = Schedule()
    schedule.wanted = ["A"]
    batch = schedule.due()
    assert batch is not None
    reconnected(schedule, A=7.0)
    schedule.lookups.done(batch)
    assert caught_up(schedule) == {"A": 7.0}


@given(
    steps=st.lists(
        st.tuples(
            st.sets(st.sampled_from(names(8))),
            st.sampled_from(["done", "failed", "late"]),
            st.sampled_from([0.0, 1.0, 30.0]),
        ),
        max_size=30,
    )
)
def test_whatever_fails_nothing_is_asked_twice_at_once_and_all_are_had_in_the_end(
    steps: list[tuple[set[str], str, float]],
) -> None:
    schedule, under_way = Schedule(), list[Batch]()
    for wanted, end, seconds in steps:
        schedule.wanted = sorted(wanted)
        schedule.polled = schedule.wanted[:2]
        batch = schedule.due()
        if batch is not None:
            busy = {symbol for other in under_way for symbol in other.reasons}
            assert busy.isdisjoint(batch.reasons)
            assert wanted.issuperset(batch.reasons)
            under_way.append(batch)
        assert len(under_way) <= module.BATCHES_AT_ONCE
        if end != "late" and under_way:
            finish = schedule.lookups.done if end == "done" else schedule.lookups.failed
            finish(under_way.pop(0))
        schedule.clock.now += seconds
    for batch in under_way:
        schedule.lookups.failed(batch)
    schedule.polled = []
    schedule.clock.now += 60
    while schedule.do():
        pass
    assert schedule.lookups._known == set(schedule.wanted)
    assert schedule.lookups._requests == {}
