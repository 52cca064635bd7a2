"""REST's newest trade against the stream: which one counts as newer."""

import json

import pytest

from ingest.bus.announcer import Announcer
from ingest.bus.outbox import Outbox
from ingest.demand.lookups import Reason
from ingest.demand.wanted import Demand
from ingest.market.last_price import LastPrices
from ingest.market.snapshot import Snapshot
from ingest.market.symbol_states import StatesView, SymbolStates
from ingest.market.withheld_trades import WithheldTrades
from ingest.upstream.rest_prices import RestPrices
from tests.ingest.demand.wants import Clock
from tests.ingest.trades import NOON, SECOND, ns, trade, two_days

HOUR = 3600 * SECOND


class Stage:
    """SPY is streamed, and TFPM is subscribed to, a minute before noon by the exchange's clock."""

    def __init__(self, *, clock_ns: int = NOON, delay_ns: int = 0) -> None:
        prices = LastPrices(two_days())
        self.states = SymbolStates("iex", prices.has_price, prices.traded_at)
        self.withheld = WithheldTrades(
            streamed_ns=prices.streamed_ns_of,
            known_ns=prices.timestamp_of,
            newest_streamed_ns=prices.newest_streamed_ns,
        )
        self.outbox = Outbox()
        self.rest = RestPrices(
            prices,
            self.states,
            self.withheld,
            Demand(Clock()),
            Announcer(self.outbox),
            delay_ns=delay_ns,
            clock=lambda: clock_ns,
            monotonic=Clock(),
        )
        self.withheld.on_subscribed({"SPY", "TFPM"}, clock_ns - 60 * SECOND, 0.0)
        self.ask(NOON - 2 * HOUR)
        for number in range(10):  # their times show that our clock is behind
            prices.on_trade(
                trade(NOON + number - 10, number=number), NOON + number - 10, clock_ns // 1000
            )

    def ask(self, at_ns: int) -> None:
        shown = Snapshot(trade=trade(at_ns, symbol="TFPM"))
        self.rest.on_snapshot("TFPM", shown, None, Reason.SILENT, 0.0)


@pytest.mark.parametrize("behind", [0, 90 * SECOND], ids=["right clock", "clock behind"])
def test_a_trade_that_only_rest_shows_is_compared_by_the_streams_time_too(behind: int) -> None:
    stage = Stage(clock_ns=NOON - behind)
    stage.ask(NOON - SECOND)

    assert stage.withheld.disputed == {"TFPM"}


@pytest.mark.parametrize("at_ns", [NOON + HOUR, ns("2026-11-16T22:00:00-05:00")])
def test_a_print_in_the_future_or_of_the_night_is_no_trade_that_the_stream_lacks(
    at_ns: int,
) -> None:
    stage = Stage()
    stage.ask(at_ns)

    assert stage.withheld.disputed == set()


def test_a_delayed_trade_that_rest_shows_is_a_recent_one() -> None:
    delay = 900 * SECOND
    stage = Stage(clock_ns=NOON + delay, delay_ns=delay)
    stage.ask(NOON - SECOND)
    view = StatesView(True, None, "regular", {"TFPM"}, {"TFPM"}, set(), set())

    [status] = stage.states.evaluate(0.0, 0.0, view)
    assert status.state == "live"


def test_a_gap_of_a_delayed_feed_has_the_times_of_the_prints_that_are_missing() -> None:
    delay = 900 * SECOND
    stage = Stage(clock_ns=NOON + delay, delay_ns=delay)
    stage.rest.on_unrepairable_gap(["SPY"], (NOON + delay) / 1e9 - 30)

    [gap] = [json.loads(each.body) for each in stage.outbox.take(9) if each.event == "gap"]
    assert (gap["from"], gap["to"]) == ("2026-11-16T16:59:30.000Z", "2026-11-16T17:00:00.000Z")
