"""The packed trades of a symbol against a plain list of all entries."""

from itertools import takewhile
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.market.past_prints import REPEATING_EXCHANGE
from ingest.market.price_events import event_of
from ingest.market.prints import Trade
from ingest.market.regular_trades import DEPTH, FULL, TRIMMED_AT_ONCE, RegularTrades, packed
from ingest.market.tape_entries import Entry
from ingest.market.tape_history import TapeHistory
from ingest.market.withdrawal import Withdrawn
from shared.price import Price
from tests.ingest.trades import NOON, cancel_of, trade

prices = st.one_of(st.integers(1, 500), st.floats(0.0001, 500_000))
sizes = st.one_of(st.none(), st.integers(0, 10_000), st.floats(0.001, 10))
ids = st.one_of(st.none(), st.integers(0, (1 << 64) - 1), st.text(max_size=4))
texts = st.one_of(st.none(), st.sampled_from("VDQ"))
codes = st.lists(st.sampled_from(["@", "F", " ", "T"]), max_size=4).map(tuple)
trades = st.builds(
    Trade, st.just("SPY"), prices, sizes, st.integers(0, 50), ids, texts, codes, texts
)
sessions = st.sampled_from(["pre", "regular", "post", "unknown"])
closes = st.one_of(st.none(), prices)
happenings = st.lists(
    st.tuples(
        st.sampled_from(["streamed", "streamed", "streamed", "inserted", "read", "removed"]),
        trades,
        sessions,
        closes,
        st.integers(0, 200),
    ),
    max_size=60,
)


class Both:
    """The packed trades, and a list that keeps each entry as it is."""

    def __init__(self) -> None:
        self.regular = RegularTrades("SPY")
        self.model: list[Entry] = []
        self.order = 0

    def happen(
        self, what: str, print_: Trade, session: Any, close: float | None, number: int
    ) -> None:
        self.order += 1
        if what == "streamed":
            at_ns = NOON + print_.at_ns + (self.model[-1].at_ns - NOON if self.model else 0)
            self.stream(event_of("SPY", print_, at_ns, session, close, number), at_ns, print_)
        elif what == "inserted":
            at_ns = NOON + print_.at_ns
            event = event_of("SPY", print_, at_ns, session, close, number)
            self.regular.insert(Entry(at_ns, print_.id, event, self.order))
            self.model.append(Entry(at_ns, print_.id, event, self.order))
            self.model.sort(key=lambda each: (each.at_ns, each.order))
        elif what == "read" and self.model:
            place = number % len(self.model)
            assert self.regular[place] == self.model[place]
            assert self.regular[place] is self.regular[place]
        elif what == "removed" and self.model:
            place = number % len(self.model)
            del self.regular[place], self.model[place]

    def stream(self, event: Price, at_ns: int, print_: Trade) -> None:
        self.regular.trades.append(packed(at_ns, print_.id, event, self.order))
        self.model.append(Entry(at_ns, print_.id, event, self.order))


def text(entries: Any) -> list[bytes]:
    """Return entries as text, which distinguishes 100 from 100.0."""
    return [msgspec.json.encode(each) for each in entries]


@given(happenings, st.integers(-5, 120))
def test_a_trade_is_read_as_it_was_whether_it_was_packed_or_not(
    course: list[Any], offset: int
) -> None:
    both = Both()
    for happening in course:
        both.happen(*happening)
    at_ns, model = NOON + offset, both.model

    for id_ in {None, 0, 1, *(each.id for each in model)}:
        same = [place for place, each in enumerate(model) if each.id == id_]
        assert list(both.regular.places_of(id_)) == same[::-1]
    newer = list(takewhile(lambda each: each.at_ns >= at_ns, reversed(model)))
    assert text(both.regular.since(at_ns)) == text(newer)
    before = [each for each in model if each.at_ns <= at_ns][-1:]
    after = [each for each in model if each.at_ns > at_ns][:1]
    assert text(both.regular.around(at_ns)) == text([*before, *after])
    assert len(both.regular) == len(model)
    assert text(both.regular) == text(model)


def test_the_oldest_trades_are_forgotten_together() -> None:
    both = Both()
    for number in range(FULL):
        both.happen("streamed", trade(1, 100 + number, number=number), "regular", None, number)
    both.regular.forget_oldest()

    assert len(both.regular) == DEPTH
    assert both.regular[0].id == TRIMMED_AT_ONCE
    assert both.regular[-1].id == FULL - 1


@pytest.mark.parametrize("exchange", [REPEATING_EXCHANGE, "V"])
def test_a_packed_trade_that_is_forgotten_is_remembered_where_ids_repeat(exchange: str) -> None:
    history = TapeHistory("SPY")
    past = history.remember_past()
    old = trade(NOON, 100, number=7, exchange=exchange)
    event = event_of("SPY", old, NOON, "regular", None, 1)
    history.regular.trades += [packed(NOON + n, 7 + n, event, 0) for n in range(FULL)]
    history.regular.forget_oldest()

    found = past.find(Withdrawn.by_cancel(cancel_of(old)))
    assert (found is not None) == (exchange == REPEATING_EXCHANGE)


def test_a_trade_of_1970_is_found_by_its_id() -> None:
    regular, print_ = RegularTrades("SPY"), Trade("SPY", 5.0, 1, 7, 3, None, (), None)
    regular.trades.append(packed(7, 3, event_of("SPY", print_, 7, "regular", None, 1), 0))

    assert list(regular.places_of(3)) == [0]
    assert list(regular.places_of(4)) == []
