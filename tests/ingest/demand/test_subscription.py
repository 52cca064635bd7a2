"""Wanted against acknowledged, against a small model of Alpaca."""

from collections.abc import Callable

import pytest

from ingest.demand.channels import TEST_CHANNELS
from ingest.demand.learnt_limits import LIMIT_RETRY_SECONDS
from ingest.demand.rejected_symbols import FIRST_REJECTION_SECONDS, LONGEST_REJECTION_SECONDS
from ingest.demand.subscription import Rejection, Subscription, SubscriptionChange
from ingest.demand.wanted import Want
from tests.ingest.demand.wants import Alpaca, Clock, names, want, wants

TWO = ("trades", "quotes")


def without_statuses(limit: int | None = None) -> Subscription:
    return Subscription(limit, channels=TEST_CHANNELS, monotonic=Clock())


def test_only_the_difference_is_asked_for_and_what_is_new_comes_first() -> None:
    alpaca, subscription = Alpaca(), without_statuses()
    alpaca.settle(subscription, wants(["A", "B"]))
    alpaca.settle(subscription, wants(["B", "C"]))

    assert alpaca.requests == [
        SubscriptionChange("subscribe", "trades", ("A", "B")),
        SubscriptionChange("subscribe", "trades", ("C",)),
        SubscriptionChange("unsubscribe", "trades", ("A",)),
    ]


def test_trades_come_before_quotes_before_statuses_one_channel_a_request() -> None:
    alpaca, subscription = Alpaca(), Subscription(None)
    alpaca.settle(subscription, [want("A", 2, *TWO), want("B"), want("C", 1, "quotes")])

    assert alpaca.requests == [
        SubscriptionChange("subscribe", "trades", ("A", "B")),
        SubscriptionChange("subscribe", "quotes", ("C", "A")),
        SubscriptionChange("subscribe", "statuses", ("A", "B")),
    ]
    alpaca.settle(subscription, [])
    assert not any(alpaca.held.values())


def test_a_thousand_symbols_at_once_are_ten_requests() -> None:
    alpaca, subscription = Alpaca(), without_statuses()
    alpaca.settle(subscription, wants(names(1000)))
    alpaca.settle(subscription, [])

    assert [len(each.symbols) for each in alpaca.requests] == [100] * 20


def test_nothing_is_asked_for_while_an_answer_is_due() -> None:
    subscription = without_statuses()
    assert subscription.next_change(wants(["A"])) is not None
    assert subscription.next_change(wants(["B"])) is None
    subscription.on_acknowledged({"trades": ["A"]})
    assert subscription.next_change(wants(["B"])) == SubscriptionChange(
        "subscribe", "trades", ("B",)
    )


def test_slots_are_freed_before_they_are_needed_and_not_otherwise() -> None:
    alpaca, subscription = Alpaca(2), without_statuses(2)
    alpaca.settle(subscription, wants(["A", "B"]))
    alpaca.settle(subscription, wants(["B", "C"]))
    assert [each.action for each in alpaca.requests[1:]] == ["unsubscribe", "subscribe"]

    alpaca.settle(subscription, wants(["B"]))
    alpaca.settle(subscription, wants(["D"]))
    assert [each.action for each in alpaca.requests[4:]] == ["subscribe", "unsubscribe"]


def test_a_symbol_takes_one_slot_in_both_channels() -> None:
    alpaca, subscription = Alpaca(3), without_statuses(3)
    alpaca.settle(subscription, wants(names(4), *TWO))

    assert [len(alpaca.held[channel]) for channel in TWO] == [3, 3]
    assert subscription.over_limit == ["S0003"]
    assert subscription.partly_over_limit == []


@pytest.mark.parametrize("real_limit", [0, 1, 7, 30, 99, 100, 137])
def test_a_lower_limit_is_learnt_without_losing_what_was_held(real_limit: int) -> None:
    alpaca, subscription = Alpaca(real_limit), Subscription(None)
    alpaca.settle(subscription, wants(names(250)), most=30)

    assert subscription.limit == real_limit
    assert alpaca.held["trades"] == set(names(real_limit))
    assert subscription.over_limit == names(250)[real_limit:]
    asked = len(alpaca.requests)
    alpaca.settle(subscription, wants(names(250)))
    assert len(alpaca.requests) == asked, "a learnt limit is not tried again and again"


def test_what_was_learnt_lasts_for_the_next_connection() -> None:
    alpaca, subscription = Alpaca(3), without_statuses(5)
    alpaca.settle(subscription, wants(names(5)))
    subscription.begin()
    assert subscription.acknowledged == {"trades": set(), "quotes": set()}

    alpaca = Alpaca(3)
    alpaca.settle(subscription, wants(names(5)))
    assert alpaca.requests == [SubscriptionChange("subscribe", "trades", tuple(names(3)))]


def test_one_more_than_a_learnt_limit_is_tried_now_and_then() -> None:
    clock, alpaca = Clock(), Alpaca(30)
    subscription = Subscription(None, channels=TEST_CHANNELS, monotonic=clock)
    alpaca.settle(subscription, wants(names(200)))
    for _ in range(2):
        clock.now += LIMIT_RETRY_SECONDS
        asked = len(alpaca.requests)
        alpaca.settle(subscription, wants(names(200)))
        assert alpaca.requests[asked:] == [SubscriptionChange("subscribe", "trades", ("S0030",))]
        assert subscription.limit == 30

    alpaca.limit = None
    clock.now += LIMIT_RETRY_SECONDS
    alpaca.settle(subscription, wants(names(200)))
    assert subscription.limit is None
    assert alpaca.held["trades"] == set(names(200))


def test_slots_that_are_counted_per_channel_are_learnt_and_go_to_trades_first() -> None:
    alpaca, subscription = Alpaca(30, pairs=True), Subscription(30)
    alpaca.settle(subscription, wants(names(20), *TWO))
    assert alpaca.held["trades"] == set(names(20))
    assert alpaca.held["quotes"] == set(names(10))
    assert (subscription.over_limit, subscription.partly_over_limit) == ([], names(20)[10:])

    alpaca.settle(subscription, wants(names(35), *TWO))
    assert alpaca.held["trades"] == set(names(30))
    assert alpaca.held["quotes"] == set()
    assert (subscription.over_limit, subscription.partly_over_limit) == (names(35)[30:], names(30))


def test_a_symbol_that_alpaca_does_not_understand_is_isolated_and_tried_again_alone() -> None:
    clock, alpaca = Clock(), Alpaca(bad=frozenset({"S0017"}))
    subscription = Subscription(None, monotonic=clock)
    assert alpaca.settle(subscription, wants(names(400)), most=40) == ["S0017"]
    assert subscription.rejected == {"S0017"}
    assert alpaca.held["trades"] == set(names(400)) - {"S0017"}
    assert alpaca.settle(subscription, wants(names(400))) == []

    clock.now += LONGEST_REJECTION_SECONDS
    assert alpaca.settle(subscription, wants(names(500))) == ["S0017"]
    assert alpaca.requests[-1].symbols != ("S0017",)
    assert subscription.rejected == {"S0017"}

    alpaca.bad = frozenset()
    clock.now += LONGEST_REJECTION_SECONDS
    alpaca.settle(subscription, wants(names(500)))
    assert subscription.rejected == set()
    assert alpaca.held["trades"] == set(names(500))


def test_a_symbol_whose_quotes_alone_are_rejected_keeps_its_trades() -> None:
    clock = Clock()
    subscription = Subscription(None, channels=TEST_CHANNELS, monotonic=clock)
    wanted, both = [want("A", 1, *TWO)], {"trades": ["A"], "quotes": ["A"]}
    subscription.next_change(wanted)
    subscription.on_acknowledged({"trades": ["A"]})
    for wait in (FIRST_REJECTION_SECONDS, 2 * FIRST_REJECTION_SECONDS):
        assert subscription.next_change(wanted) == SubscriptionChange("subscribe", "quotes", ("A",))
        subscription.on_acknowledged({"trades": ["A"]})  # the answer leaves it out
        assert subscription.next_change(wanted) is None
        assert (subscription.rejected, subscription.partly_rejected) == (set(), {"A"})
        clock.now += wait

    subscription.next_change(wanted)
    subscription.on_acknowledged(both)
    assert subscription.partly_rejected == set()


def test_a_rejected_symbol_that_nobody_wants_is_forgotten() -> None:
    clock, alpaca = Clock(), Alpaca(bad=frozenset({"A"}))
    subscription = Subscription(None, monotonic=clock)
    alpaca.settle(subscription, wants(["A"]))
    alpaca.settle(subscription, [])
    assert subscription.rejected == {"A"}
    clock.now += LONGEST_REJECTION_SECONDS
    alpaca.settle(subscription, [])
    assert subscription.rejected == set()


@pytest.mark.parametrize(
    "code", [Rejection.SYNTAX, Rejection.SYMBOL_LIMIT, Rejection.NO_SUCH_CHANNEL]
)
def test_a_feed_without_statuses_is_asked_for_them_once(code: Rejection) -> None:
    alpaca, subscription = Alpaca(statuses=code), Subscription(None)
    assert alpaca.settle(subscription, wants(["A"])) == []
    assert subscription.given_up == {"statuses"}
    assert (subscription.limit, subscription.rejected) == (None, set())

    subscription.begin()
    alpaca.lost()
    alpaca.settle(subscription, wants(["A", "B"]))
    assert [each.channel for each in alpaca.requests] == ["trades", "statuses", "trades"]


def test_an_error_that_is_not_about_a_change_is_the_connections() -> None:
    subscription = Subscription(None)
    assert not subscription.concerns_change(Rejection.NO_SUCH_CHANNEL)
    subscription.next_change(wants(["A"]))
    assert not subscription.concerns_change(Rejection.NO_SUCH_CHANNEL)
    assert subscription.concerns_change(Rejection.SYMBOL_LIMIT)


def test_a_refusal_that_nobody_waits_for_changes_nothing() -> None:
    subscription = without_statuses()
    subscription.on_acknowledged({"trades": ["A"]})

    assert subscription.on_rejected(Rejection.SYMBOL_LIMIT) == ()
    assert subscription.limit is None
    assert subscription.acknowledged["trades"] == {"A"}


def test_an_answer_that_does_nothing_of_what_was_asked_is_noticed() -> None:
    subscription = without_statuses()
    assert subscription.next_change(wants(["A", "B"])) is not None
    subscription.on_acknowledged({"trades": ["X"]})
    assert subscription.stuck
    assert subscription.next_change(wants(["A", "B"])) == SubscriptionChange(
        "subscribe", "trades", ("A",)
    )
    subscription.on_acknowledged({"trades": ["X"]})
    assert subscription.rejected == {"A"}
    assert subscription.next_change(wants(["A", "B"])) == SubscriptionChange(
        "subscribe", "trades", ("B",)
    )
    subscription.on_acknowledged({"trades": ["A", "B"]})
    assert subscription.next_change(wants(["A", "B"])) is None
    assert (subscription.stuck, subscription.rejected) == (False, set())


def test_an_answer_that_lacks_or_adds_symbols_is_the_truth() -> None:
    subscription = without_statuses()
    subscription.next_change(wants(["A", "B", "C"]))
    subscription.on_acknowledged({"trades": ["A", "X"]})

    assert not subscription.stuck
    assert subscription.next_change(wants(["A", "B", "C"])) == SubscriptionChange(
        "subscribe", "trades", ("B", "C")
    )
    subscription.on_acknowledged({"trades": ["A", "B", "C", "X"]})
    assert subscription.next_change(wants(["A", "B", "C"])) == SubscriptionChange(
        "unsubscribe", "trades", ("X",)
    )


def test_a_refused_unsubscribe_is_not_repeated_at_once_and_blames_no_symbol() -> None:
    subscription = without_statuses()
    subscription.on_acknowledged({"trades": ["A"]})
    assert subscription.next_change([]) == SubscriptionChange("unsubscribe", "trades", ("A",))

    assert subscription.on_rejected(Rejection.SYNTAX) == ()
    assert subscription.stuck
    assert subscription.rejected == set()


def test_after_a_reconnect_everything_is_subscribed_again_the_most_important_first() -> None:
    alpaca, subscription = Alpaca(), without_statuses()
    wanted = [*wants(names(150)), want("POS", position=True), want("TOP", 9)]
    alpaca.settle(subscription, wanted)
    subscription.begin()
    alpaca.lost()
    asked = len(alpaca.requests)
    alpaca.settle(subscription, wanted)

    assert alpaca.requests[asked].symbols[:2] == ("POS", "TOP")
    assert [len(each.symbols) for each in alpaca.requests[asked:]] == [100, 52]


def test_a_symbol_that_the_stream_rejects_is_tried_again_soon_and_then_less_often() -> None:
    clock, alpaca = Clock(), Alpaca(bad=frozenset({"XYZ"}))
    subscription = Subscription(None, channels=TEST_CHANNELS, monotonic=clock)
    tries: list[float] = []
    for _ in range(2000):
        if alpaca.settle(subscription, wants(["SPY", "XYZ"])):
            tries.append(clock.now - 1000)
        clock.now += 1

    assert tries[:7] == [0, 30, 90, 210, 450, 930, 1530]
    assert alpaca.held["trades"] == {"SPY"}


def test_a_renewed_symbol_leaves_and_returns_one_change_after_the_other() -> None:
    alpaca, subscription = Alpaca(), Subscription(None)
    alpaca.settle(subscription, wants(["A", "B"]))
    asked = len(alpaca.requests)
    subscription.renew("trades", ["B", "NOT_THERE"])
    alpaca.settle(subscription, wants(["A", "B"]))

    assert alpaca.requests[asked:] == [
        SubscriptionChange("unsubscribe", "trades", ("B",)),
        SubscriptionChange("subscribe", "trades", ("B",)),
    ]


def test_a_renewed_symbol_keeps_its_slot() -> None:
    alpaca, subscription = Alpaca(1), without_statuses(1)
    alpaca.settle(subscription, wants(["Z"]))
    subscription.renew("trades", ["Z"])
    alpaca.settle(subscription, wants(["A", "Z"]))

    assert alpaca.held["trades"] == {"Z"}
    assert subscription.over_limit == ["A"]


def test_a_renewed_symbol_that_no_client_wants_any_more_stays_away() -> None:
    alpaca, subscription = Alpaca(1), without_statuses(1)
    alpaca.settle(subscription, wants(["Z"]))
    subscription.renew("trades", ["Z"])
    change = subscription.next_change(wants(["Z"]))
    assert change is not None
    alpaca.answer(change, subscription)
    alpaca.settle(subscription, wants(["A"]))

    assert alpaca.held["trades"] == {"A"}
    alpaca.settle(subscription, wants(["A", "Z"]))
    assert subscription.over_limit == ["Z"]


def test_a_renewal_that_the_vendor_rejects_is_not_repeated_for_ever() -> None:
    subscription = without_statuses()
    subscription.on_acknowledged({"trades": ["A"]})
    subscription.renew("trades", ["A"])
    assert subscription.next_change(wants(["A"])) == SubscriptionChange(
        "unsubscribe", "trades", ("A",)
    )
    subscription.on_rejected(Rejection.SYNTAX)

    assert subscription.next_change(wants(["A"])) is None


def settled(alpaca: Alpaca, subscription: Subscription) -> list[Want]:
    """Return wants for which nothing is to be changed."""
    wanted = wants(["A", "B"])
    alpaca.settle(subscription, wanted)
    assert subscription.next_change(wanted) is None
    return wanted


@pytest.mark.parametrize(
    "happens",
    [
        lambda subscription: subscription.begin(),
        lambda subscription: subscription.on_acknowledged({"trades": ["A"]}),
        lambda subscription: subscription.renew("trades", ["B"]),
    ],
    ids=["reconnect", "answer", "renewal"],
)
def test_an_unchanged_demand_is_compared_again_once_the_subscription_may_differ(
    happens: Callable[[Subscription], None],
) -> None:
    alpaca, subscription = Alpaca(), without_statuses()
    wanted = settled(alpaca, subscription)

    happens(subscription)
    change = subscription.next_change(wanted)
    assert change is not None
    assert "B" in change.symbols


def test_an_unchanged_demand_is_compared_again_when_a_rejected_symbol_may_be_tried() -> None:
    clock = Clock()
    alpaca = Alpaca(bad=frozenset({"B"}))
    subscription = Subscription(None, channels=TEST_CHANNELS, monotonic=clock)
    wanted = settled(alpaca, subscription)

    clock.now += FIRST_REJECTION_SECONDS - 1
    assert subscription.next_change(wanted) is None
    clock.now += 1
    assert subscription.next_change(wanted) == SubscriptionChange("subscribe", "trades", ("B",))


def test_an_unchanged_demand_is_compared_again_when_a_learnt_limit_may_be_tested() -> None:
    clock = Clock()
    alpaca = Alpaca(1)
    subscription = Subscription(None, channels=TEST_CHANNELS, monotonic=clock)
    wanted = settled(alpaca, subscription)

    clock.now += LIMIT_RETRY_SECONDS - 1
    assert subscription.next_change(wanted) is None
    clock.now += 1
    assert subscription.next_change(wanted) == SubscriptionChange("subscribe", "trades", ("B",))


@pytest.mark.parametrize("is_named", [True, False])
def test_a_channel_that_answers_may_not_name_is_subscribed_unless_it_is_rejected(
    is_named: bool,
) -> None:
    subscription = Subscription(None, monotonic=Clock())
    held: set[str] = set()

    def settle(*symbols: str) -> list[SubscriptionChange]:
        changes: list[SubscriptionChange] = []
        while change := subscription.next_change(wants(list(symbols), "imbalances")):
            changes.append(change)
            held.update(change.symbols)
            if change.action == "unsubscribe":
                held.difference_update(change.symbols)
            subscription.on_acknowledged({"imbalances": held} if is_named and held else {})
        return changes

    assert settle("A", "B") == [SubscriptionChange("subscribe", "imbalances", ("A", "B"))]
    assert settle("B") == [SubscriptionChange("unsubscribe", "imbalances", ("A",))]
    assert subscription.acknowledged["imbalances"] == {"B"}
    assert settle() == [SubscriptionChange("unsubscribe", "imbalances", ("B",))]
    assert settle() == []
    subscription.begin()
    assert subscription.acknowledged["imbalances"] == set()


@pytest.mark.parametrize("channel", ["imbalances", "lulds"])
def test_a_feed_that_lacks_an_optional_channel_is_asked_once(channel: str) -> None:
    subscription = Subscription(None, monotonic=Clock())
    wanted = [want("A", 1, channel)]
    assert subscription.next_change(wanted) == SubscriptionChange("subscribe", channel, ("A",))
    assert subscription.concerns_change(Rejection.NO_SUCH_CHANNEL)
    assert subscription.on_rejected(Rejection.NO_SUCH_CHANNEL) == ()
    subscription.begin()

    assert subscription.next_change(wanted) is None
