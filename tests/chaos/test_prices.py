"""The checker finds each violation when it is fed one, and nothing where there is none."""

from typing import Any

import pytest

from simulator.protocol import rfc3339
from tests.chaos.follower import Greeting
from tests.chaos.ledger import Ledger, Print, Values
from tests.chaos.prices import Prices

SECOND = rfc3339.SECOND
PRINTS = [(index, index * SECOND, 50.0 + index) for index in range(1, 9)]


class Story:
    """A client's events, in a short form."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.ledger = Ledger()
        self.prints = [
            Print("SPY", "V", at, at, Values(trade_id, price, 100), (" ",), "A")
            for trade_id, at, price in PRINTS
        ]
        for print_ in self.prints:
            self.ledger.trade(print_)
        closes = {"SPY": {50.0}}
        self.follower = Prices("it", ("SPY",), self.ledger, closes, self.complaints.append)
        self.greeting = Greeting("it", self.complaints.append)

    def stream(self, *ids: tuple[str, int]) -> "Story":
        """Feed a stream with these prices: event id and number of the print."""
        self.opened()
        self.event("hello")
        self.price(*ids[0])
        self.event("ready")
        for each in ids[1:]:
            self.price(*each)
        return self

    def opened(self) -> None:
        self.greeting.opened()
        self.follower.opened()

    def event(self, kind: str) -> None:
        self.greeting.event(kind, {})
        self.follower.event(kind, {})

    def price(self, event_id: str, number: int, **other: Any) -> None:
        price = {"event_id": event_id, "symbol": "SPY", "price": 50.0 + number, "exchange": "V"}
        shown = {**price, "timestamp": rfc3339.render(number * SECOND), "reason": None}
        self.greeting.event("price", {})
        self.follower.event("price", {**shown, **other})

    def no_price(self, event_id: str, reason: str) -> None:
        self.price(event_id, 0, price=None, timestamp=None, exchange=None, reason=reason)


@pytest.fixture
def story() -> Story:
    return Story()


def test_an_honest_client_has_nothing_to_complain_of(story: Story) -> None:
    story.stream(("7-1", 1), ("7-2", 2), ("7-9", 3))
    story.stream(("7-9", 3), ("8-1", 3), ("8-2", 5))

    assert story.complaints == []
    assert story.follower.shown["SPY"] == (5 * SECOND, 55.0)


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ([("7-8", 3)], "7-8 after 7-9"),
        ([("6-99", 3)], "6-99 after 7-9"),
        ([("7-9", 3), ("7-9", 3)], "7-9 after 7-9"),
        ([("7-10", 2)], "went back 1.000 s"),
    ],
)
def test_an_older_value_after_a_newer_one_is_found_over_a_reconnect(
    story: Story, second: list[tuple[str, int]], says: str
) -> None:
    story.stream(("7-1", 1), ("7-9", 3)).stream(*second)

    assert len(story.complaints) == 1
    assert says in story.complaints[0]
    assert "stream 2" in story.complaints[0]


def test_a_price_may_go_back_when_what_was_shown_has_been_cancelled(story: Story) -> None:
    story.stream(("7-1", 2), ("7-2", 3))
    story.ledger.cancel(story.prints[2], 9 * SECOND)
    story.price("7-3", 2)
    assert story.complaints == []

    story.price("7-4", 1)
    assert len(story.complaints) == 1


def test_a_price_that_no_print_made_is_found(story: Story) -> None:
    story.stream(("7-1", 1))
    story.price("7-2", 2, price=999.0)

    assert "no last price at any time" in story.complaints[0]


def test_the_close_of_a_minute_needs_no_print(story: Story) -> None:
    story.stream(("7-1", 1))
    story.price("7-2", 2, exchange=None, timestamp=rfc3339.render(60 * SECOND))

    assert story.complaints == []


def test_another_previous_close_is_found(story: Story) -> None:
    story.stream(("7-1", 1))
    story.price("7-2", 2, previous_close=50.0)
    story.price("7-3", 3, previous_close=None)
    assert story.complaints == []

    story.price("7-4", 4, previous_close=25.0)
    assert "previous close 25.0" in story.complaints[0]


@pytest.mark.parametrize("reason", ["redis_unavailable", "no_trade_seen"])
def test_a_gateway_may_know_nothing_when_a_stream_begins_and_only_then(
    story: Story, reason: str
) -> None:
    story.stream(("7-1", 1))
    story.opened()
    story.event("hello")
    story.no_price("0-0", reason)
    story.event("ready")
    story.price("7-1", 1)
    story.price("7-2", 2)
    assert story.complaints == []

    story.no_price("0-0", reason)
    assert len(story.complaints) == 2


def test_a_gateway_gives_each_reason_for_no_price_once(story: Story) -> None:
    story.opened()
    story.event("hello")
    story.no_price("0-0", "redis_unavailable")
    story.no_price("0-0", "no_trade_seen")
    assert story.complaints == []

    story.no_price("0-0", "no_trade_seen")
    assert len(story.complaints) == 1


def test_a_price_that_is_taken_away_is_found(story: Story) -> None:
    story.stream(("7-1", 1))
    story.no_price("7-2", "unknown_symbol")

    assert "has lost its price" in story.complaints[0]


def test_a_stream_begins_with_hello_and_is_ready_once_and_complete(story: Story) -> None:
    story.opened()
    story.price("7-1", 1)
    story.event("hello")
    story.event("ready")
    story.event("ready")
    assert [text.split(": ")[1].split(" ")[0] for text in story.complaints] == [
        "price",
        "hello",
        "ready",
    ]

    story.opened()
    story.event("hello")
    story.event("ready")
    assert "ready without a price event for SPY" in story.complaints[-1]


def test_what_was_not_asked_for_is_found(story: Story) -> None:
    story.stream(("7-1", 1))
    story.price("7-2", 2, symbol="NOBODY")

    assert "did not ask for" in story.complaints[0]


PAIR, CALL = "FIL/USD", "SPY301220C00500000"


def follow_other(symbol: str, at: int, price: float, **other: Any) -> list[str]:
    """Feed a price of a symbol that was printed once, at 5 s and 50 dollars."""
    complaints: list[str] = []
    ledger = Ledger()
    ledger.trade(Print(symbol, None, 5 * SECOND, 9 * SECOND, Values(1, 50.0, 0.5), (), None))
    found = Prices("it", (symbol,), ledger, {}, complaints.append)
    found.opened()
    shown = {"symbol": symbol, "event_id": "7-1", "price": price, "exchange": None, "reason": None}
    found.event("price", {**shown, "timestamp": rfc3339.render(at * SECOND), **other})
    return complaints


def test_a_price_of_a_pair_needs_its_print_because_it_has_no_bars() -> None:
    assert follow_other(PAIR, 5, 50.0) == []
    assert "no last price at any time" in follow_other(PAIR, 60, 50.0)[0]
    assert "no last price at any time" in follow_other(PAIR, 5, 51.0)[0]


@pytest.mark.parametrize(("symbol", "delayed"), [(PAIR, False), (CALL, True)])
def test_a_price_of_a_contract_alone_is_delayed(symbol: str, delayed: bool) -> None:
    assert follow_other(symbol, 5, 50.0, delayed=delayed) == []
    assert "delayed is wrong" in follow_other(symbol, 5, 50.0, delayed=not delayed)[0]
