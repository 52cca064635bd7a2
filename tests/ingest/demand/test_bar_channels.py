"""Bars need no slot, trades beside them take only free ones, and rejections teach otherwise."""

import pytest

from ingest.demand.learnt_limits import LIMIT_RETRY_SECONDS
from ingest.demand.subscription import Rejection, Subscription, SubscriptionChange
from ingest.demand.wanted import LINGER_SECONDS, Demand, Want
from tests.ingest.demand.wants import Alpaca, Clock, names, want, wants


def charts(symbols: list[str], *channels: str) -> list[Want]:
    return [want(symbol, 1, *(channels or ["bars"])) for symbol in symbols]


def test_forty_charts_and_thirty_prices_fit_a_plan_of_thirty_symbols() -> None:
    alpaca, subscription = Alpaca(30), Subscription(30)
    prices = names(30, "P")
    alpaca.settle(subscription, wants(prices) + charts(names(40), "bars", "dailyBars"))

    assert alpaca.held["trades"] == set(prices)
    for channel in ("bars", "updatedBars", "dailyBars"):
        assert alpaca.held[channel] == set(names(40))
    assert (subscription.over_limit, subscription.limit) == ([], 30)


def test_charts_get_the_slots_that_prices_leave_and_yield_them() -> None:
    alpaca, subscription = Alpaca(3), Subscription(3)
    charted = [want("A", 1, "bars"), want("B", 9, "bars"), want("C", 5, "dailyBars")]
    alpaca.settle(subscription, [want("P"), *charted])
    assert alpaca.held["trades"] == {"P", "B", "C"}

    alpaca.settle(subscription, [want("P"), want("Q"), want("R", 0), *charted])
    assert alpaca.held["trades"] == {"P", "Q", "R"}
    assert alpaca.held["bars"] == {"A", "B"}
    assert subscription.over_limit == []


def test_a_chart_whose_quotes_are_watched_needs_no_further_slot_for_its_trades() -> None:
    alpaca, subscription = Alpaca(1), Subscription(1)
    alpaca.settle(subscription, [want("A", 1, "quotes", "bars")])

    assert alpaca.held["quotes"] == alpaca.held["trades"] == {"A"}


def test_bars_leave_after_the_linger_and_larger_bars_need_those_of_minutes() -> None:
    clock = Clock()
    demand, alpaca, subscription = Demand(clock), Alpaca(), Subscription(None, monotonic=clock)
    demand.update({"bar.1Hour:SPY": 1, "bar.1Day:IBM": 1})
    alpaca.settle(subscription, demand.wanted())
    assert alpaca.held["bars"] == alpaca.held["updatedBars"] == {"SPY"}
    assert alpaca.held["dailyBars"] == {"IBM"}

    demand.update({})
    clock.now += LINGER_SECONDS - 1
    alpaca.settle(subscription, demand.wanted())
    assert alpaca.held["bars"] == {"SPY"}
    clock.now += 2
    alpaca.settle(subscription, demand.wanted())
    assert not any(alpaca.held.values())


@pytest.mark.parametrize("code", [Rejection.NOT_IN_PLAN, Rejection.NO_SUCH_CHANNEL])
def test_a_feed_that_has_no_bars_is_asked_for_each_channel_once(code: Rejection) -> None:
    alpaca, subscription = Alpaca(bars=code), Subscription(None)
    for _ in range(2):
        assert alpaca.settle(subscription, charts(names(3), "bars", "dailyBars")) == []
        subscription.begin()
        alpaca.lost()

    assert [each.channel for each in alpaca.requests].count("bars") == 1
    assert [each.channel for each in alpaca.requests].count("dailyBars") == 1
    assert subscription.limit is None


def test_one_symbol_that_alpaca_does_not_understand_costs_no_other_its_bars() -> None:
    alpaca, subscription = Alpaca(0, bad=frozenset({"S0007"})), Subscription(0)
    alpaca.settle(subscription, charts(names(20)))

    assert alpaca.held["bars"] == alpaca.held["updatedBars"] == set(names(20)) - {"S0007"}
    # Only the price of a symbol without a slot is polled.
    assert subscription.rejected == subscription.partly_rejected == set()


def test_bars_that_are_too_many_by_themselves_get_a_limit_and_cost_no_price() -> None:
    clock, alpaca = Clock(), Alpaca(bars=Rejection.SYMBOL_LIMIT)
    subscription = Subscription(30, monotonic=clock)
    wanted = wants(names(10, "P")) + charts(names(5))
    alpaca.settle(subscription, wanted)
    assert (alpaca.held["trades"], alpaca.held["bars"]) == ({*names(10, "P"), *names(5)}, set())
    assert subscription.limit == 30

    asked = len(alpaca.requests)
    alpaca.settle(subscription, wanted)
    assert len(alpaca.requests) == asked
    clock.now += LIMIT_RETRY_SECONDS
    alpaca.settle(subscription, wanted)
    assert alpaca.requests[asked:] == [SubscriptionChange("subscribe", "bars", ("S0000",))]

    alpaca.bars = None
    clock.now += LIMIT_RETRY_SECONDS
    alpaca.settle(subscription, wanted)
    assert alpaca.held["bars"] == set(names(5))


@pytest.mark.parametrize("plan", [30, None])
def test_on_a_plan_that_counts_bars_the_prices_come_first(plan: int | None) -> None:
    alpaca, subscription = Alpaca(30, counts_bars=True), Subscription(plan)
    alpaca.settle(subscription, charts(names(25)))
    assert len(alpaca.held["bars"]) == 25

    alpaca.settle(subscription, wants(names(20, "P")) + charts(names(25)))
    assert alpaca.held["trades"] >= set(names(20, "P"))
    if plan is not None:
        assert len(alpaca.held["bars"]) == 10
        assert (subscription.limit, subscription.over_limit) == (30, [])


def test_a_limit_that_bars_do_not_cause_is_learnt_and_they_return() -> None:
    clock, alpaca = Clock(), Alpaca(10)
    subscription = Subscription(None, monotonic=clock)
    alpaca.settle(subscription, charts(names(5)))
    wanted = wants(names(12, "P")) + charts(names(5))
    alpaca.settle(subscription, wanted)
    assert subscription.limit == 10
    clock.now += LIMIT_RETRY_SECONDS
    alpaca.settle(subscription, wanted)

    assert alpaca.held["trades"] == set(names(10, "P"))
    assert alpaca.held["bars"] == set(names(5))
    assert subscription.over_limit == names(12, "P")[10:]


def test_a_feed_that_acknowledges_bars_and_brings_none_is_left_in_peace() -> None:
    subscription = Subscription(None, monotonic=Clock())
    wanted = [want("A", 1, "trades", "bars")]
    subscription.next_change(wanted)
    subscription.on_acknowledged({"trades": ["A"]})
    subscription.next_change(wanted)  # statuses
    subscription.on_acknowledged({"trades": ["A"], "statuses": ["A"]})
    assert subscription.next_change(wanted) == SubscriptionChange("subscribe", "bars", ("A",))
    subscription.on_acknowledged({"trades": ["A"], "statuses": ["A"]})

    assert subscription.stuck
    assert subscription.next_change(wanted) is None
