"""Wanted against acknowledged, against a small model of Alpaca."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.demand.subscription import (
    INVALID_SYNTAX,
    SYMBOL_LIMIT,
    SYMBOLS_AT_ONCE,
    Change,
    Subscription,
)


class Alpaca:
    """Takes or refuses a request as a whole, and answers with the whole set."""

    def __init__(self, limit: int | None = None, bad: frozenset[str] = frozenset()) -> None:
        self.limit = limit
        self.bad = bad
        self.held: dict[str, None] = {}
        self.requests: list[Change] = []

    def answer(self, change: Change, subscription: Subscription) -> tuple[str, ...]:
        self.requests.append(change)
        if change.action == "unsubscribe":
            for symbol in change.symbols:
                self.held.pop(symbol, None)
        elif self.bad.intersection(change.symbols):
            return subscription.on_refused(INVALID_SYNTAX)
        else:
            wanted = self.held | dict.fromkeys(change.symbols)
            if self.limit is not None and len(wanted) > self.limit:
                return subscription.on_refused(SYMBOL_LIMIT)
            self.held = wanted
        subscription.on_acknowledged(list(self.held))
        return ()

    def settle(self, subscription: Subscription, wanted: list[str]) -> list[str]:
        """Play until nothing is left to ask for; return what could not be had."""
        refused: list[str] = []
        for _ in range(4 * len(wanted) + 4 * len(self.held) + 20):
            change = subscription.next_change(wanted)
            if change is None:
                return refused
            assert subscription.next_change(wanted) is None, "one request at a time"
            assert 0 < len(change.symbols) <= SYMBOLS_AT_ONCE
            refused += self.answer(change, subscription)
        raise AssertionError(f"does not settle: {self.requests[-5:]}")


def names(count: int, prefix: str = "S") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def test_only_the_difference_is_asked_for() -> None:
    alpaca, subscription = Alpaca(), Subscription(None)
    alpaca.settle(subscription, ["A", "B"])
    alpaca.settle(subscription, ["B", "C"])

    assert alpaca.requests == [
        Change("subscribe", ("A", "B")),
        Change("unsubscribe", ("A",)),
        Change("subscribe", ("C",)),
    ]
    assert subscription.acknowledged == {"B", "C"}


def test_large_demands_go_in_pieces() -> None:
    alpaca, subscription = Alpaca(), Subscription(None)
    alpaca.settle(subscription, names(250))
    alpaca.settle(subscription, [])

    assert [len(each.symbols) for each in alpaca.requests] == [100, 100, 50] * 2
    assert subscription.acknowledged == set()


def test_nothing_is_asked_for_while_an_answer_is_due() -> None:
    subscription = Subscription(None)
    assert subscription.next_change(["A"]) is not None
    assert subscription.next_change(["B"]) is None
    subscription.on_acknowledged(["A"])
    assert subscription.next_change(["B"]) == Change("unsubscribe", ("A",))


def test_beyond_the_plans_limit_the_most_important_are_taken_and_the_rest_is_told() -> None:
    alpaca, subscription = Alpaca(30), Subscription(30)
    wanted = names(35)

    assert alpaca.settle(subscription, wanted) == []
    assert subscription.acknowledged == set(wanted[:30])
    assert subscription.over_limit == wanted[30:]


def test_who_has_a_place_keeps_it_however_the_importance_changes() -> None:
    alpaca, subscription = Alpaca(3), Subscription(3)
    alpaca.settle(subscription, ["A", "B", "C", "D"])
    asked = len(alpaca.requests)
    alpaca.settle(subscription, ["D", "C", "B", "A"])

    assert len(alpaca.requests) == asked
    alpaca.settle(subscription, ["D", "C", "B"])
    assert subscription.acknowledged == {"B", "C", "D"}
    assert subscription.over_limit == []


@pytest.mark.parametrize("real_limit", [0, 1, 7, 30])
def test_a_lower_limit_than_the_plans_is_learnt_without_losing_what_was_held(
    real_limit: int,
) -> None:
    alpaca, subscription = Alpaca(real_limit), Subscription(None)
    wanted = names(50)
    alpaca.settle(subscription, wanted)

    assert subscription.acknowledged == set(wanted[:real_limit])
    assert subscription.over_limit == wanted[real_limit:]
    assert subscription.limit == real_limit
    asked = len(alpaca.requests)
    alpaca.settle(subscription, wanted)
    assert len(alpaca.requests) == asked, "a learnt limit is not tried again and again"


def test_a_new_connection_starts_from_nothing_and_from_the_plans_limit() -> None:
    alpaca, subscription = Alpaca(2), Subscription(5)
    alpaca.settle(subscription, names(5))
    assert subscription.limit == 2

    subscription.begin()
    assert subscription.acknowledged == set()
    assert subscription.limit == 5
    alpaca = Alpaca(5)
    alpaca.settle(subscription, names(5))
    assert subscription.acknowledged == set(names(5))


def test_a_symbol_that_alpaca_does_not_understand_is_isolated() -> None:
    alpaca, subscription = Alpaca(bad=frozenset({"S17"})), Subscription(None)
    refused = alpaca.settle(subscription, names(40))

    assert refused == ["S17"]
    assert subscription.rejected == {"S17"}
    assert subscription.acknowledged == set(names(40)) - {"S17"}


def test_a_refusal_that_nobody_waits_for_changes_nothing() -> None:
    subscription = Subscription(None)
    subscription.on_acknowledged(["A"])

    assert subscription.on_refused(SYMBOL_LIMIT) == ()
    assert subscription.limit is None
    assert subscription.acknowledged == {"A"}


def test_an_answer_that_changes_nothing_is_noticed() -> None:
    subscription = Subscription(None)
    assert subscription.next_change(["A"]) is not None
    subscription.on_acknowledged([])
    assert subscription.stuck
    assert subscription.next_change(["A"]) is not None
    subscription.on_acknowledged(["A"])
    assert not subscription.stuck


def test_a_refused_unsubscribe_is_not_repeated_at_once_and_blames_no_symbol() -> None:
    subscription = Subscription(None)
    subscription.on_acknowledged(["A"])
    assert subscription.next_change([]) == Change("unsubscribe", ("A",))

    assert subscription.on_refused(INVALID_SYNTAX) == ()
    assert subscription.stuck
    assert subscription.rejected == set()


@given(
    limit=st.none() | st.integers(1, 12),
    real_limit=st.none() | st.integers(0, 12),
    bad=st.frozensets(st.sampled_from(names(20)), max_size=4),
    demands=st.lists(st.lists(st.sampled_from(names(20)), unique=True), min_size=1, max_size=6),
    lost=st.sets(st.integers(0, 5)),
    draw=st.randoms(use_true_random=False),
)
def test_whatever_is_wanted_it_settles_within_the_limit(
    limit: int | None,
    real_limit: int | None,
    bad: frozenset[str],
    demands: list[list[str]],
    lost: set[int],
    draw: random.Random,
) -> None:
    alpaca, subscription = Alpaca(real_limit, bad), Subscription(limit)
    for number, wanted in enumerate(demands):
        if number in lost:
            alpaca.held = {}
            subscription.begin()
        # the demand changes while requests are under way
        for _ in range(draw.randrange(3)):
            if change := subscription.next_change(draw.sample(wanted, len(wanted))):
                alpaca.answer(change, subscription)
        kept = subscription.acknowledged.intersection(wanted)
        alpaca.settle(subscription, wanted)

        possible = [symbol for symbol in wanted if symbol not in bad]
        most = min(len(possible), *(each for each in (limit, real_limit) if each is not None), 99)
        assert subscription.acknowledged == set(alpaca.held) <= set(possible)
        assert len(alpaca.held) == most
        assert kept <= subscription.acknowledged, "who had a place lost it"
        assert subscription.rejected <= bad
        served = subscription.acknowledged.union(subscription.over_limit, subscription.rejected)
        assert served >= set(wanted), "a symbol is neither served nor accounted for"
