"""Imbalances that the ingest has missed become a gap."""

import msgspec

from ingest.bus.announcer import Announcer
from ingest.bus.outbox import Outbox
from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand
from ingest.upstream.imbalance_gaps import ImbalanceGaps
from tests.ingest.demand.wants import Clock


class Stage:
    """The gaps of a stream; ``clock`` is both unix and monotonic seconds."""

    def __init__(self, *watched: str) -> None:
        self.clock = Clock()
        self.demand = Demand(self.clock)
        self.subscription = Subscription(None, monotonic=self.clock)
        self.outbox = Outbox()
        self.gaps = ImbalanceGaps(
            self.demand, self.subscription, Announcer(self.outbox), self.clock
        )
        self.watch(*watched)

    def watch(self, *symbols: str) -> None:
        self.demand.update({f"imbalance:{symbol}": 1 for symbol in symbols})

    def acknowledge(self, *symbols: str) -> None:
        self.subscription.on_acknowledged({"imbalances": symbols})
        self.gaps.on_acknowledged()

    def lose(self, since: float) -> None:
        self.gaps.lost(since)
        self.subscription.begin()

    def published(self) -> list[tuple[str, str, str, str]]:
        gaps = [msgspec.json.decode(each.body) for each in self.outbox.take(99)]
        return [(*each["topics"], each["from"], each["to"], each["reason"]) for each in gaps]


def at(second: int) -> str:
    """Return a time of the first hour of 1970, in which a test's clock starts at 1000 s."""
    return f"1970-01-01T00:{second // 60}:{second % 60:02}.000Z"


def test_a_lost_connection_is_a_gap_from_its_newest_data_until_the_next_subscription() -> None:
    stage = Stage("SPY", "IBM")
    stage.acknowledge("SPY")
    assert stage.published() == []
    stage.clock.now += 10
    stage.lose(1007.0)
    stage.clock.now += 10
    stage.lose(1015.0)  # of a connection that was not subscribed to anything
    stage.clock.now += 10
    stage.acknowledge("IBM", "SPY")

    assert stage.published() == [("imbalance:SPY", at(1007), at(1030), "upstream_lost")]
    stage.acknowledge("IBM", "SPY")
    assert stage.published() == []


def test_a_gap_between_two_leaders_is_continued_until_the_subscription() -> None:
    stage = Stage("SPY")
    stage.gaps.continue_gap("SPY", 1000.0)
    stage.clock.now += 60
    stage.acknowledge("SPY")
    stage.gaps.continue_gap("SPY", stage.clock.now)
    stage.acknowledge("SPY")

    assert stage.published() == [("imbalance:SPY", at(1000), at(1060), "upstream_lost")]


def test_a_symbol_that_nobody_watches_any_more_has_no_gap() -> None:
    stage = Stage("SPY")
    stage.acknowledge("SPY")
    stage.lose(1000.0)
    stage.watch()
    stage.clock.now += 60
    stage.acknowledge("SPY")

    assert stage.published() == []
