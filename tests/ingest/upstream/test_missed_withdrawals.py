"""Cancels and corrections that the stream has not brought: REST's marks change price and tape."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from ingest.bus.announcer import Announcer
from ingest.bus.outbox import Outbox
from ingest.demand import wanted
from ingest.demand.wanted import Demand
from ingest.market.last_price import LastPrices
from ingest.market.prints import Trade
from ingest.market.rest_prints import Fate, RestPrint
from ingest.market.tape_events import cancel_event, print_event
from ingest.upstream.missed_prints import LOOK_BACK_NS, RECHECK_NS, MissedPrints
from shared import trade as events
from shared.price import Price
from shared.topics import kind_of
from tests.ingest.demand.wants import Clock
from tests.ingest.trades import NOON, SECOND, cancel_of, trade, two_days

BASE = trade(NOON, 100.0, number=1)
BAD = trade(NOON + 5_000_000, 150.0, number=2)
LOST = NOON + SECOND
"""The connection is lost; prints are missing from here on."""


class Ingest:
    """The parts that a print passes, from the stream or from REST to the outbox."""

    def __init__(self, *history: events.Trade | events.Withdrawal, recalled: bool = True) -> None:
        self.now = LOST + SECOND
        self.demand = Demand(Clock())
        self.demand.update({"trade:SPY": 1, "price:SPY": 1})
        self.prices = LastPrices(two_days())
        self.outbox = Outbox()
        self.announcer = Announcer(self.outbox)
        if recalled:
            self.announcer.recall_tape("SPY", history, is_whole=True)
        self.missed = MissedPrints(self.prices, self.demand, self.announcer, lambda: self.now)

    def stream(self, *prints: Trade) -> None:
        for each in prints:
            last = self.prices.on_trade(each, each.at_ns, self.now // 1000)
            self.announcer.trade(print_event(each, 0, eligible=True))
            if last is not None:
                self.announcer.price(last, traded=True)

    def rest(self, *prints: RestPrint, since: int = LOST) -> None:
        """Apply REST's answer after the stream has been lost and is subscribed again."""
        self.prices.begin(["SPY"])
        self.missed.apply("SPY", prints, since)

    def events(self) -> list[dict[str, Any]]:
        """Return, once, the events of the tape, each with its name."""
        return [
            {"event": each.event or "trade", **msgspec.json.decode(each.body)}
            for each in self.outbox.take(10_000)
            if kind_of(each.topic) == "trade"
        ]

    def price(self) -> float | None:
        last = self.prices.last_price("SPY")
        return None if last is None else last.price


def shown(events: Sequence[dict[str, Any]]) -> list[tuple[str, Any]]:
    return [(each["event"], each.get("original_id") or each.get("id")) for each in events]


def void(print_: Trade) -> RestPrint:
    return RestPrint(print_, Fate.CANCELED)


def test_a_cancel_during_an_outage_withdraws_price_and_print() -> None:
    ingest = Ingest()
    ingest.stream(BASE, BAD)
    ingest.events()
    ingest.rest(RestPrint(BASE), void(BAD))

    assert ingest.price() == 100.0
    [cancel] = ingest.events()
    assert shown([cancel]) == [("cancel", "2")]
    assert (cancel["original_price"], cancel["original_timestamp"], cancel["action"]) == (
        150.0,
        "2026-11-16T17:00:00.005Z",
        "C",
    )


def test_a_cancel_that_stream_and_rest_bring_is_one_event() -> None:
    ingest = Ingest()
    ingest.stream(BASE, BAD)
    ingest.events()
    for _ in range(2):
        ingest.rest(void(BAD))
        ingest.announcer.withdrawal(cancel_event(cancel_of(BAD, LOST), 0))
    assert shown(ingest.events()) == [("cancel", "2")]


def test_a_void_print_that_was_missed_is_not_shown() -> None:
    ingest = Ingest()
    ingest.stream(BASE)
    ingest.events()
    ingest.rest(RestPrint(BASE), void(BAD))
    assert ingest.events() == []
    assert ingest.price() == 100.0


@pytest.mark.parametrize("number", [2, 3], ids=["keeping its id", "with another id"])
def test_a_correction_during_an_outage_is_applied(number: int) -> None:
    right = trade(BAD.at_ns, 100.5, number=number)
    ingest = Ingest()
    ingest.stream(BASE, BAD)
    ingest.events()
    for _ in range(2):
        rows = [RestPrint(BAD, Fate.INCORRECT), RestPrint(right, Fate.CORRECTED)]
        ingest.rest(RestPrint(BASE), *rows)

    assert ingest.price() == 100.5
    same_id, other_id = [("correction", "2")], [("cancel", "2"), ("trade", "3")]
    assert shown(ingest.events()) == (same_id if number == 2 else other_id)


def test_rest_repeats_a_correction_of_the_stream_without_effect() -> None:
    ingest = Ingest()
    ingest.stream(BASE, BAD)
    right = trade(BAD.at_ns, 100.5, number=3)
    wrong = RestPrint(BAD, Fate.INCORRECT)
    ingest.rest(wrong, RestPrint(right, Fate.CORRECTED))
    ingest.outbox.take(100)
    ingest.rest(wrong, RestPrint(right, Fate.CORRECTED))
    assert ingest.outbox.take(100) == []


def test_the_next_leader_finds_a_cancel_from_the_time_between() -> None:
    before = Ingest()
    before.stream(BASE, BAD)
    last = before.prices.last_price("SPY")
    assert last is not None
    stored = msgspec.convert(msgspec.to_builtins(last), Price)
    ingest = Ingest(*(print_event(each, 0, eligible=True) for each in (BASE, BAD)))
    ingest.prices.restore(stored)
    ingest.rest(RestPrint(BASE), void(BAD))

    assert shown(ingest.events()) == [("cancel", "2")]
    assert ingest.price() == 100.0


def test_a_cancel_that_rest_brings_before_the_history_is_read_waits_for_it() -> None:
    ingest = Ingest(recalled=False)
    ingest.rest(RestPrint(BASE), void(BAD))
    assert ingest.events() == []
    history = [print_event(each, 0, eligible=True) for each in (BASE, BAD)]
    ingest.announcer.recall_tape("SPY", history, is_whole=True)
    assert shown(ingest.events()) == [("cancel", "2")]


def test_rest_is_asked_back_to_the_print_of_the_last_price_and_no_further_than_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wanted, "RECLAIM_SECONDS", 0.0)
    ingest = Ingest()
    assert ingest.missed.withdrawable_since("SPY") is None
    ingest.stream(BASE, BAD)
    ingest.demand.update({"price:SPY": 1})
    assert ingest.missed.withdrawable_since("SPY") == BAD.at_ns / 1e9
    ingest.demand.update({"trade:SPY": 1})
    assert ingest.missed.withdrawable_since("SPY") == BASE.at_ns / 1e9

    ingest.now = BASE.at_ns + LOOK_BACK_NS + 1
    assert ingest.missed.withdrawable_since("SPY") == (ingest.now - LOOK_BACK_NS) / 1e9
    ingest.now = BAD.at_ns + LOOK_BACK_NS + 1
    ingest.demand.update({"price:SPY": 1})
    assert ingest.missed.withdrawable_since("SPY") is None


def test_a_snapshot_older_than_the_last_price_is_one_sign_and_the_prints_row_the_second() -> None:
    ingest = Ingest()
    ingest.stream(BASE, BAD)
    ingest.demand.update({"price:SPY": 1})
    ingest.missed.compare("SPY", BASE.at_ns)
    assert ingest.missed.take_contradicted() == {}, "REST may be behind"

    ingest.now = BAD.at_ns + 2 * LOOK_BACK_NS
    ingest.missed.compare("SPY", BAD.at_ns)
    assert ingest.missed.take_contradicted() == {}
    ingest.missed.compare("SPY", BASE.at_ns)
    assert ingest.missed.take_contradicted() == {"SPY": BAD.at_ns}
    assert ingest.price() == 150.0
    ingest.rest(void(BAD), since=ingest.now)
    assert ingest.price() == 100.0


def test_on_a_delayed_feed_prints_are_as_young_as_on_another() -> None:
    ingest = Ingest()
    ingest.stream(BASE, BAD)
    delay = 900 * SECOND
    feed = MissedPrints(
        ingest.prices, ingest.demand, ingest.announcer, lambda: ingest.now + delay, delay
    )
    assert feed.withdrawable_since("SPY") == BASE.at_ns / 1e9
    feed.compare("SPY", BASE.at_ns)

    assert feed.take_contradicted() == {}, "REST may be behind"


def test_a_last_price_that_rest_never_shows_is_checked_once_a_minute() -> None:
    ingest = Ingest()
    ingest.stream(BASE, BAD)
    ingest.now += 60 * SECOND
    found: list[str] = []
    for _ in range(3):
        ingest.missed.compare("SPY", BASE.at_ns)
        found += ingest.missed.take_contradicted()
        ingest.now += RECHECK_NS // 2
    assert found == ["SPY", "SPY"]


def test_many_contradictions_are_checked_one_after_the_other() -> None:
    ingest = Ingest()
    for name in ("A", "B", "C", "D", "E"):
        ingest.prices.on_trade(trade(NOON, 100, symbol=name), NOON, NOON // 1000)
    ingest.now += 60 * SECOND
    for name in ("A", "B", "C", "D", "E"):
        ingest.missed.compare(name, NOON - 1)
    ingest.missed.compare("E", NOON)
    taken = [list(ingest.missed.take_contradicted()) for _ in range(3)]
    assert taken == [["A", "B", "C"], ["D"], []]


def test_the_replacement_of_a_shown_print_is_shown_although_older_prints_are_forgotten() -> None:
    ingest = Ingest(recalled=False)
    wrong = trade(LOST - 1, number=7)
    newest = trade(LOST + 500, number=9)
    history = [print_event(each, 0, eligible=True) for each in (wrong, newest)]
    ingest.announcer.recall_tape("SPY", history, is_whole=False)
    right, other = trade(LOST - 1, 101.0, number=8), trade(LOST - 2, number=5)
    marked = RestPrint(wrong, Fate.INCORRECT), RestPrint(right, Fate.CORRECTED)
    ingest.rest(RestPrint(other, Fate.CORRECTED), *marked)

    assert shown(ingest.events()) == [("cancel", "7"), ("trade", "8")]


def test_prints_that_a_busy_tape_may_have_shown_are_a_gap() -> None:
    ingest = Ingest(recalled=False)
    newest = trade(LOST + 5_000, number=9)
    ingest.announcer.recall_tape("SPY", [print_event(newest, 0, eligible=True)], is_whole=False)
    overlap, lost = trade(LOST - 1, number=7), trade(LOST + 2_000, number=8)
    after = trade(LOST + 5_001, number=10)
    ingest.rest(*map(RestPrint, (overlap, lost, newest, after)))

    found = ingest.events()
    assert shown(found) == [("trade", "10"), ("gap", None)]
    assert (found[-1]["from"], found[-1]["to"]) == ("2026-11-16T17:00:01.000002Z",) * 2


def test_a_tape_that_no_client_watches_stays_empty() -> None:
    ingest = Ingest()
    ingest.stream(BASE, BAD)
    ingest.events()
    ingest.demand = Demand(Clock())
    missed = MissedPrints(ingest.prices, ingest.demand, ingest.announcer, lambda: ingest.now)
    missed.apply("SPY", [RestPrint(BASE), void(BAD), RestPrint(trade(LOST, number=3))], LOST)
    assert ingest.events() == []
