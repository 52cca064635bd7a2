"""No print is shown twice, and none is mistaken for another one."""

import sys
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingest.market.recent_prints import EARLY_WITHDRAWALS, RecentPrints
from ingest.market.shown_prints import SAME_ID_PRINTS
from shared import rfc3339
from shared.trade import Cancel, Correction, Trade
from tests.ingest.trades import NOON, SECOND

DAY = 24 * 3600 * SECOND


def text(at: int) -> str:
    return rfc3339.from_nanoseconds(at)


def print_of(number: int | None = 1, at: int = NOON, **fields: Any) -> Trade:
    values: dict[str, Any] = {"symbol": "SPY", "price": 5.5, "size": 1, "exchange": "V"} | fields
    return Trade(
        **values,
        id=None if number is None else str(number),
        conditions=(),
        tape="B",
        eligible=True,
        timestamp=text(at),
        received=0,
    )


def cancel_of(wrong: Trade, at: int, **fields: Any) -> Cancel:
    """Return the stream's cancel of a print; ``at`` is the time of the report."""
    values: dict[str, Any] = {"original_price": wrong.price, "original_size": wrong.size} | fields
    return Cancel(
        symbol=wrong.symbol,
        original_id=wrong.id or "",
        action="C",
        exchange=wrong.exchange,
        tape=wrong.tape,
        timestamp=text(at),
        received=0,
        **values,
    )


def correction_of(wrong: Trade, at: int, number: int, **fields: Any) -> Correction:
    values: dict[str, Any] = {"price": wrong.price, "size": wrong.size} | fields
    return Correction(
        symbol=wrong.symbol,
        original_id=wrong.id or "",
        original_price=wrong.price,
        original_size=wrong.size,
        id=str(number),
        exchange=wrong.exchange,
        conditions=(),
        tape=wrong.tape,
        timestamp=text(at),
        received=0,
        **values,
    )


def recalling(*events: Trade | Cancel | Correction, is_whole: bool = True) -> RecentPrints:
    recent = RecentPrints()
    recent.recall("SPY", events, is_whole=is_whole)
    return recent


def original_time(event: Cancel | Correction | None) -> str | None:
    assert event is not None
    return event.original_timestamp


def times(events: Sequence[Cancel | Correction]) -> list[str | None]:
    return [each.original_timestamp for each in events]


def test_a_print_is_new_once() -> None:
    recent = RecentPrints()
    assert [recent.add(print_of(1)), recent.add(print_of(2)), recent.add(print_of(1))] == [
        True,
        True,
        False,
    ]


def test_ids_are_of_a_symbol_and_an_exchange_and_times_and_values_stand_in_for_them() -> None:
    recent = RecentPrints()
    prints = [
        print_of(1),
        print_of(1, symbol="IBM"),
        print_of(1, exchange="N"),
        print_of(None),
        print_of(None, NOON + SECOND // 10),
        print_of(None, price=5.6),
    ]
    assert [recent.add(each) for each in prints + prints] == [True] * 6 + [False] * 6


def test_an_id_of_the_day_before_is_another_print() -> None:
    recent = RecentPrints()
    friday = [recent.add(print_of(number, NOON - 3 * DAY)) for number in range(1, 301)]
    monday = [recent.add(print_of(number, NOON)) for number in range(1, 321)]
    assert (sum(friday), sum(monday)) == (300, 320)
    assert not any(recent.add(print_of(number, NOON)) for number in range(1, 321))


def test_an_id_that_a_days_facilities_share_is_a_print_of_each_of_them() -> None:
    # AAPL on 2021-08-23, FINRA's D: 80721, 17913 and 712 interleaved, and used earlier that day.
    recent = RecentPrints()
    first = print_of(17913, NOON, exchange="D", price=100.0)
    second = print_of(17913, NOON + 9 * SECOND // 10, exchange="D", price=100.5)
    assert [recent.add(first), recent.add(second), recent.add(first)] == [True, True, False]


def test_an_id_that_returns_day_after_day_is_remembered_for_a_bounded_number_of_days() -> None:
    recent = RecentPrints()
    assert all(recent.add(print_of(1, NOON + day * DAY)) for day in range(10 * SAME_ID_PRINTS))
    assert recent.known_since("SPY") == NOON + (9 * SAME_ID_PRINTS - 1) * DAY


def test_the_table_of_a_busy_tape_does_not_grow_by_what_is_forgotten() -> None:
    recent = RecentPrints(bound=840, kept=800)
    sizes = []
    for number in range(1, 20_001):
        recent.add(print_of(number, NOON + number))
        sizes.append(sys.getsizeof(recent._tapes["SPY"].shown))

    assert max(sizes) == max(sizes[:840])


def test_events_of_an_earlier_leader_are_known() -> None:
    wrong, right = print_of(1), print_of(2, NOON + 1)
    recent = RecentPrints()
    assert not recent.recalls("SPY")
    assert recent.recall("SPY", [wrong, cancel_of(wrong, NOON + 2), right], is_whole=True) == []
    assert recent.recalls("SPY")
    assert not recent.add(wrong)
    assert recent.withdraw(cancel_of(wrong, NOON + 2)) is None, "it was published before"
    assert recent.withdraw(cancel_of(right, NOON + 3)) is not None


def test_a_withdrawal_names_the_time_of_its_print_and_comes_once() -> None:
    recent = recalling()
    print_ = print_of(1)
    recent.add(print_)
    assert original_time(recent.withdraw(cancel_of(print_, NOON + SECOND))) == print_.timestamp
    assert recent.withdraw(cancel_of(print_, NOON + SECOND)) is None
    assert recent.withdraw(cancel_of(print_, NOON, original_timestamp=print_.timestamp)) is None
    assert not recent.add(print_), "a void print is not shown again"


def test_among_equal_ids_a_cancel_means_the_print_whose_price_and_size_it_names() -> None:
    recent = recalling()
    first = print_of(17913, NOON, exchange="D", price=100.0)
    others = [
        print_of(17913, NOON + 1, exchange="D", price=100.5),
        print_of(17913, NOON + 2, exchange="D", price=100.0, size=7),
    ]
    for each in (first, *others):
        recent.add(each)
    assert original_time(recent.withdraw(cancel_of(first, NOON + SECOND))) == first.timestamp


def test_a_cancel_that_names_no_values_means_the_newest_print_of_its_id() -> None:
    recent = recalling()
    older, newer = print_of(1), print_of(1, NOON + 1, price=6)
    recent.add(older)
    recent.add(newer)
    event = cancel_of(older, NOON + SECOND, original_price=None, original_size=None)
    assert original_time(recent.withdraw(event)) == newer.timestamp


def test_a_cancel_means_no_print_of_another_day_and_none_after_it() -> None:
    recent = recalling()
    yesterday, later = print_of(1, NOON - DAY), print_of(1, NOON + 2 * SECOND)
    recent.add(yesterday)
    recent.add(later)
    assert original_time(recent.withdraw(cancel_of(later, NOON))) is None


def test_a_print_that_comes_after_its_cancel_is_withdrawn_again() -> None:
    recent = recalling()
    print_ = print_of(1)
    early = recent.withdraw(cancel_of(print_, NOON + 1))
    assert original_time(early) is None, "it may be of a print that is forgotten"
    assert recent.add(print_)
    assert times(recent.take_early(print_)) == [print_.timestamp]
    assert recent.take_early(print_) == []
    assert recent.withdraw(cancel_of(print_, NOON + 1)) is None
    assert not recent.add(print_)


def test_a_correction_and_the_cancel_of_its_result_both_follow_a_print_that_comes_after_them() -> (
    None
):
    recent, wrong = RecentPrints(), print_of(555)
    correction = correction_of(wrong, NOON + 1, 556, price=5.6)
    recent.withdraw(correction)
    recent.withdraw(cancel_of(print_of(556, price=5.6), NOON + 2))
    recent.add(wrong)

    taken = recent.take_early(wrong)
    assert [(type(each), each.original_id) for each in taken] == [
        (Correction, "555"),
        (Cancel, "556"),
    ]
    assert recent.early == {}


def test_an_early_cancel_of_one_facility_spares_the_print_of_another() -> None:
    recent = recalling()
    meant = print_of(5, NOON, exchange="D", price=100.0)
    other = print_of(5, NOON - 1, exchange="D", price=100.5)
    recent.withdraw(cancel_of(meant, NOON + 1))
    recent.add(other)
    assert recent.take_early(other) == []
    recent.add(meant)
    assert times(recent.take_early(meant)) == [meant.timestamp]


def test_a_void_print_of_rest_that_the_tape_never_showed_is_no_event() -> None:
    recent = recalling()
    print_ = print_of(1)
    assert recent.withdraw(cancel_of(print_, NOON, original_timestamp=print_.timestamp)) is None
    assert recent.withdraw(cancel_of(print_, NOON + 1)) is None, "the stream reports it as well"
    assert recent.add(print_)
    assert times(recent.take_early(print_)) == [print_.timestamp]


def test_a_withdrawal_before_the_history_is_read_waits_for_it() -> None:
    recent = RecentPrints()
    print_ = print_of(1)
    event = cancel_of(print_, NOON + 1, original_timestamp=print_.timestamp)
    assert recent.withdraw(event) is None
    assert recent.recall("SPY", [print_], is_whole=True) == [event]
    assert recent.withdraw(event) is None


def test_of_a_forgotten_print_a_withdrawal_is_an_event() -> None:
    recent = recalling(print_of(2, NOON), is_whole=False)
    forgotten = print_of(1, NOON - SECOND)
    assert recent.known_since("SPY") == NOON
    event = cancel_of(forgotten, NOON + 1)
    assert recent.withdraw(event) == event


def test_a_correction_replaces_a_print_at_its_own_time() -> None:
    recent = recalling()
    wrong = print_of(1)
    recent.add(wrong)
    correction = correction_of(wrong, NOON + SECOND, 2, price=6.5)
    assert original_time(recent.withdraw(correction)) == wrong.timestamp
    assert recent.withdraw(correction) is None
    replacement = print_of(2, NOON + SECOND, price=6.5)
    assert not recent.add(replacement, corrected=True), "REST shows it at any time of the day"
    assert original_time(recent.withdraw(cancel_of(print_of(2, price=6.5), NOON + 2 * SECOND)))


def test_a_corrected_print_that_keeps_its_id_is_another_one_than_the_wrong_one() -> None:
    recent = recalling()
    wrong = print_of(1)
    recent.add(wrong)
    correction = correction_of(wrong, NOON + 1, 1, price=6.5)
    assert recent.withdraw(correction) is not None
    void = cancel_of(wrong, NOON + 2, original_timestamp=wrong.timestamp)
    assert recent.withdraw(void) is None, "REST marks the wrong print, which is gone"
    assert recent.withdraw(cancel_of(print_of(1, price=6.5), NOON + 3)) is not None


def test_a_correction_of_conditions_alone_comes_once() -> None:
    recent = recalling()
    wrong = print_of(1)
    recent.add(wrong)
    correction = correction_of(wrong, NOON + 1, 1)
    assert recent.withdraw(correction) is not None
    assert recent.withdraw(correction) is None


def test_a_wrong_print_that_comes_after_its_replacement_only_goes() -> None:
    recent = recalling()
    wrong, right = print_of(1), print_of(2, price=6.5)
    recent.withdraw(correction_of(wrong, NOON + 1, 2, price=6.5))
    recent.add(right, corrected=True)
    recent.add(wrong)
    [event] = recent.take_early(wrong)
    assert isinstance(event, Cancel)
    assert (event.original_id, event.original_timestamp) == ("1", wrong.timestamp)


def test_of_an_incomplete_history_the_first_prints_are_no_reliable_start() -> None:
    late, first = print_of(1, NOON - DAY), print_of(2)
    assert recalling(late, first, is_whole=False).known_since("SPY") == NOON
    assert recalling(first, is_whole=True).known_since("SPY") is None
    assert recalling().known_since("SPY") is None


def test_a_busy_symbol_costs_no_quiet_one_its_prints() -> None:
    recent = RecentPrints(bound=100, kept=80)
    quiet = [print_of(number, symbol="QUIET") for number in range(5)]
    for each in quiet:
        recent.add(each)
    for number in range(1000):
        assert recent.add(print_of(number, NOON + number, symbol="BUSY"))
    assert not any(recent.add(each) for each in quiet)
    assert recent.known_since("QUIET") is None
    since = recent.known_since("BUSY")
    assert since is not None
    known = range(since - NOON + 1, 1000)
    assert len(known) >= 70
    assert not any(recent.add(print_of(number, NOON + number, symbol="BUSY")) for number in known)


def test_the_newest_prints_have_an_oldest() -> None:
    recent = recalling(*(print_of(number, NOON + number) for number in range(5)))
    assert recent.time_of_newest("SPY", 3) == NOON + 2
    assert recent.time_of_newest("SPY", 9) == NOON
    assert recent.time_of_newest("IBM", 9) is None
    recent.add(print_of(1, NOON + 9))
    assert recent.time_of_newest("SPY", 9) == NOON, "an id that returns hides no older print"
    assert recent.time_of_newest("SPY", 2) == NOON + 4


def test_withdrawals_of_unknown_prints_are_bounded() -> None:
    recent = recalling()
    for number in range(2 * EARLY_WITHDRAWALS):
        recent.withdraw(cancel_of(print_of(number), NOON))
        recent.withdraw(cancel_of(print_of(0, price=number), NOON))
    assert sum(map(len, recent.early.values())) <= EARLY_WITHDRAWALS + SAME_ID_PRINTS


@given(
    ids=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), max_size=60),
    bound=st.integers(2, 9),
)
def test_prints_since_the_known_time_are_new_once_and_no_more_than_the_bound_are_kept(
    ids: list[tuple[int, int]], bound: int
) -> None:
    recent = RecentPrints(bound, bound - 1)
    seen = set()
    for number, day in ids:
        print_ = print_of(number, NOON + day * DAY + number)
        since = recent.known_since("SPY")
        if since is None or NOON + day * DAY + number > since:
            assert recent.add(print_) == ((number, day) not in seen)
        else:
            recent.add(print_)
        seen.add((number, day))
        assert sum(len(each.shown) for each in recent._tapes.values()) <= bound
