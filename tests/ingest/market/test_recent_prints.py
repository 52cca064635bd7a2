"""No print is shown twice."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingest.market.recent_prints import RecentPrints
from shared.trade import Trade


def print_of(number: int | None = 1, **fields: Any) -> Trade:
    values: dict[str, Any] = {"symbol": "SPY", "price": 5.5, "size": 1, "exchange": "V"} | fields
    return Trade(
        **{"timestamp": "2026-11-16T17:00:00Z", **values},
        id=None if number is None else str(number),
        conditions=(),
        tape="B",
        eligible=True,
        received=0,
    )


def test_a_print_is_new_once() -> None:
    recent = RecentPrints()
    assert [recent.add(print_of(1)), recent.add(print_of(2)), recent.add(print_of(1))] == [
        True,
        True,
        False,
    ]


def test_ids_are_of_a_symbol_and_an_exchange_and_times_stand_in_for_them() -> None:
    recent = RecentPrints()
    prints = [
        print_of(1),
        print_of(1, symbol="IBM"),
        print_of(1, exchange="N"),
        print_of(None),
        print_of(None, timestamp="2026-11-16T17:00:00.1Z"),
    ]
    assert [recent.add(each) for each in prints + prints] == [True] * 5 + [False] * 5


def test_what_an_earlier_leader_has_shown_is_not_new() -> None:
    recent = RecentPrints()
    assert not recent.recalls("SPY")
    recent.recall("SPY", [print_of(1)])
    assert recent.recalls("SPY")
    assert not recent.add(print_of(1))


@given(ids=st.lists(st.integers(0, 9), max_size=50), bound=st.integers(1, 5))
def test_of_the_newest_none_is_new_and_no_more_are_kept(ids: list[int], bound: int) -> None:
    recent = RecentPrints(bound)
    newest: list[int] = []
    for each in ids:
        assert recent.add(print_of(each)) == (each not in newest)
        if each not in newest:
            newest = [*newest, each][-bound:]
    assert len(recent._shown) == len(newest)
