"""Limits of single channels, as those of options: trades and quotes do not share slots."""

from collections.abc import Sequence

from ingest.demand.channels import OPTION_CHANNELS, QUOTES, TRADES
from ingest.demand.learnt_limits import LIMIT_RETRY_SECONDS
from ingest.demand.subscription import Rejection, Subscription, SubscriptionChange
from ingest.demand.wanted import Want


class Vendor:
    """Answers each change; ``room`` is the number of symbols of a channel."""

    def __init__(self, limits: dict[str, int], **room: int) -> None:
        self.now = 0.0
        self.room = room
        self.there: dict[str, set[str]] = {TRADES: set(), QUOTES: set()}
        self.most: dict[str, int] = {TRADES: 0, QUOTES: 0}
        """The most symbols that each channel has had at one time."""
        self.rejected: list[SubscriptionChange] = []
        self.subscription = Subscription(
            None, channels=OPTION_CHANNELS, limits=limits, monotonic=lambda: self.now
        )

    def settle(self, wanted: Sequence[Want]) -> None:
        """Answer until no change is needed."""
        for _ in range(100):
            change = self.subscription.next_change(wanted)
            if change is None:
                return
            there = self.there[change.channel]
            if change.action == "unsubscribe":
                there.difference_update(change.symbols)
            elif len(there | set(change.symbols)) > self.room.get(change.channel, 10**6):
                self.rejected.append(change)
                self.subscription.on_rejected(Rejection.SYMBOL_LIMIT)
                continue
            else:
                there.update(change.symbols)
            self.most = {name: max(self.most[name], len(self.there[name])) for name in self.there}
            self.subscription.on_acknowledged(self.there)
        raise AssertionError("no end of changes")


def want(symbol: str, *channels: str, viewers: int = 1, position: bool = False) -> Want:
    return Want(symbol, frozenset(channels), position, viewers, False)


def lingering(symbol: str, *channels: str) -> Want:
    return Want(symbol, frozenset(channels), False, 0, True)


def test_quotes_beyond_their_limit_cost_no_trades() -> None:
    vendor = Vendor({QUOTES: 2})
    wanted = [want(name, TRADES, QUOTES, viewers=9 - n) for n, name in enumerate("ABCD")]
    vendor.settle(wanted)

    assert vendor.there == {TRADES: set("ABCD"), QUOTES: set("AB")}
    assert vendor.rejected == []
    assert vendor.subscription.over_limit == []
    assert vendor.subscription.partly_over_limit == ["C", "D"]


def test_a_symbol_of_which_only_quotes_are_watched_has_no_slot_at_all_beyond_the_limit() -> None:
    vendor = Vendor({QUOTES: 1})
    vendor.settle([want("A", QUOTES, viewers=2), want("B", QUOTES)])

    assert vendor.there == {TRADES: set(), QUOTES: {"A"}}
    assert vendor.subscription.over_limit == ["B"]
    assert vendor.subscription.partly_over_limit == []


def test_positions_come_before_the_most_watched() -> None:
    vendor = Vendor({QUOTES: 1})
    vendor.settle([want("A", QUOTES, viewers=9), want("B", QUOTES, position=True)])

    assert vendor.there[QUOTES] == {"B"}


def test_a_full_channel_is_freed_before_it_gets_another_symbol() -> None:
    vendor = Vendor({QUOTES: 2}, quotes=2)
    vendor.settle([want("A", TRADES, QUOTES), want("B", TRADES, QUOTES)])
    # A lingers on trades, which comes first in the order of channels and is not full.
    vendor.settle([want("C", QUOTES, viewers=5), want("B", TRADES, QUOTES, viewers=5)])

    assert vendor.there == {TRADES: {"B"}, QUOTES: {"B", "C"}}
    assert vendor.rejected == []
    assert vendor.most[QUOTES] == 2


def test_a_rejection_teaches_a_limit_and_each_channel_has_its_own() -> None:
    vendor = Vendor({}, trades=3)
    wanted = [want(name, TRADES, QUOTES, viewers=9 - n) for n, name in enumerate("ABCDE")]
    vendor.settle(wanted)

    assert vendor.there == {TRADES: set("ABC"), QUOTES: set("ABCDE")}
    assert vendor.subscription.over_limit == ["D", "E"]
    assert all(change.channel == TRADES for change in vendor.rejected)


def test_a_plan_that_has_grown_is_found_by_one_more_symbol() -> None:
    vendor = Vendor({}, quotes=1)
    wanted = [want(name, QUOTES, viewers=9 - n) for n, name in enumerate("ABC")]
    vendor.settle(wanted)
    assert vendor.there[QUOTES] == {"A"}

    vendor.room = {}
    vendor.settle(wanted)
    assert vendor.there[QUOTES] == {"A"}, "too soon for another test"
    vendor.now = LIMIT_RETRY_SECONDS
    vendor.settle(wanted)
    assert vendor.there[QUOTES] == set("ABC")


def test_a_lingering_symbol_keeps_its_slot_until_another_one_needs_it() -> None:
    vendor = Vendor({QUOTES: 1})
    vendor.settle([want("A", QUOTES)])
    vendor.settle([lingering("A", QUOTES)])
    assert vendor.there[QUOTES] == {"A"}

    vendor.settle([want("B", QUOTES), lingering("A", QUOTES)])
    assert vendor.there[QUOTES] == {"B"}
    assert vendor.subscription.over_limit == []
