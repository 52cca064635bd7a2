"""REST's quote of a watched symbol does not replace a newer one of the stream."""

from typing import Any

import msgspec
import pytest

from ingest.bus.announcer import Announcer
from ingest.bus.outbox import Outbox
from ingest.demand.lookups import Reason
from ingest.demand.wanted import Demand
from ingest.market.last_price import LastPrices
from ingest.market.quotes import Quote, quote_event
from ingest.market.snapshot import Snapshot
from ingest.market.symbol_states import MAY_BE_HALTED_SECONDS, SymbolStates
from ingest.market.withheld_trades import WithheldTrades
from ingest.upstream.rest_prices import RestPrices
from shared.topics import kind_of
from tests.ingest.demand.wants import Clock
from tests.ingest.trades import NOON, SECOND, two_days

AT_20, AT_21 = NOON + 20 * SECOND, NOON + 21 * SECOND


def quote(at: int, bid: float, ask: float) -> Quote:
    return Quote("QQQ", bid, 1, "Q", ask, 1, "Q", at, ("R",), "C")


class Stage:
    """The parts of a leader; its clocks stand still unless a test moves them."""

    def __init__(self) -> None:
        self.now = AT_21
        self.outbox = Outbox()
        self.announcer = Announcer(self.outbox)
        self.demand = Demand(Clock())
        self.states = SymbolStates("iex", lambda _: True, lambda _: None)
        self.rest = RestPrices(
            LastPrices(two_days()),
            self.states,
            WithheldTrades(
                streamed_ns=lambda _: -1, known_ns=lambda _: None, newest_streamed_ns=lambda: -1
            ),
            self.demand,
            self.announcer,
            clock=lambda: self.now,
            monotonic=lambda: self.now / SECOND,
        )

    def stream(self, best: Quote) -> None:
        self.announcer.quote(quote_event(best, self.now // 1000))

    def answer(self, best: Quote, asked: int) -> None:
        """Let REST answer a request of a time (unix ns)."""
        snapshot = Snapshot(quote=best)
        self.rest.on_snapshot("QQQ", snapshot, None, Reason.DOUBTFUL, asked / SECOND)

    def bids(self) -> list[Any]:
        """Return the bids that were published."""
        bodies = (each.body for each in self.outbox.take(99) if kind_of(each.topic) == "quote")
        return [msgspec.json.decode(body)["bid"] for body in bodies]


def test_an_older_quote_of_rests_does_not_replace_the_streams() -> None:
    stage = Stage()
    stage.stream(quote(AT_21, 100.10, 100.12))
    stage.now += SECOND
    stage.answer(quote(AT_20, 90, 91), asked=AT_21 + 1)
    assert stage.bids() == [100.10]


def test_a_quote_of_rests_is_late_if_the_stream_has_brought_one_since_the_request() -> None:
    stage = Stage()
    stage.now += SECOND
    stage.stream(quote(AT_21 + 1, 100.2, 100.3))
    stage.answer(quote(AT_21 + 2, 100.1, 100.3), asked=AT_21)
    assert stage.bids() == [100.2]


def test_a_newer_quote_of_rests_is_published() -> None:
    stage = Stage()
    stage.stream(quote(AT_20, 100.10, 100.12))
    stage.now += 2 * SECOND
    stage.answer(quote(AT_21, 100.2, 100.3), asked=AT_21 + SECOND)
    assert stage.bids() == [100.10, 100.2]


def test_of_two_answers_the_one_that_was_requested_first_is_not_published_last() -> None:
    stage = Stage()
    stage.now += SECOND
    stage.answer(quote(AT_20 + 1, 100.2, 100.3), asked=AT_21 + 1)
    stage.answer(quote(AT_20 + 2, 100.1, 100.3), asked=AT_21)
    assert stage.bids() == [100.2]


def test_the_streams_own_quotes_come_in_the_order_of_their_arrival() -> None:
    # 23 of 270 recorded NBBO quotes are older than one before them (SIP, 23 August 2021).
    stage = Stage()
    stage.stream(quote(AT_21, 100.10, 100.12))
    stage.stream(quote(AT_21 - 350_000, 100.11, 100.12))
    assert stage.bids() == [100.10, 100.11]


def test_a_quote_that_an_earlier_leader_published_is_not_replaced_by_an_older_one() -> None:
    stage = Stage()
    stage.rest.restore_quote(quote_event(quote(AT_21, 100.10, 100.12), AT_21 // 1000))
    stage.now += 2 * SECOND
    stage.answer(quote(AT_20, 90, 91), asked=AT_21 + SECOND)
    assert stage.bids() == []


OLD = AT_21 - int((MAY_BE_HALTED_SECONDS + 1) * SECOND)


@pytest.mark.parametrize(
    ("best", "is_unquoted"),
    [
        (quote(AT_20, 100.4, 100.5), False),
        (quote(AT_20, 0, 100.5), True),
        (quote(AT_20, 100.4, 0), True),
        (quote(OLD, 100.4, 100.5), True),
        (None, True),
    ],
    ids=["both sides", "no bid", "no ask", "old", "none"],
)
@pytest.mark.parametrize("is_watched", [True, False])
def test_a_silent_symbols_quote_shows_whether_it_may_be_halted_and_is_shown_if_watched(
    best: Quote | None, is_unquoted: bool, is_watched: bool
) -> None:
    stage = Stage()
    stage.demand.update({"quote:QQQ": 1} if is_watched else {})
    stage.rest.on_snapshot("QQQ", Snapshot(quote=best), None, Reason.SILENT, AT_21 / SECOND)

    assert stage.states._unquoted == ({"QQQ"} if is_unquoted else set())
    assert len(stage.bids()) == (is_watched and best is not None)


def test_a_look_up_with_no_quote_leaves_open_whether_a_symbol_may_be_halted() -> None:
    stage = Stage()
    stage.rest.on_snapshot("QQQ", None, None, Reason.SILENT, AT_21 / SECOND)
    stage.rest.on_snapshot("QQQ", Snapshot(), None, Reason.POLL, AT_21 / SECOND)
    assert stage.states._unquoted == {"QQQ"}

    current = Snapshot(quote=quote(AT_20, 100.4, 100.5))
    stage.rest.on_snapshot("QQQ", current, None, Reason.NEW, AT_21 / SECOND)
    stage.rest.on_snapshot("QQQ", Snapshot(), None, Reason.POLL, AT_21 / SECOND)
    assert stage.states._unquoted == set()
