"""Changes that REST shows and no update explains: whether they end the stream."""

from typing import Any

from ingest.portfolio.stream_witness import EXPLANATION_SECONDS
from ingest.portfolio.waiting_executions import DISBELIEF_SECONDS
from tests.ingest.portfolio.desk import Desk, shares
from tests.ingest.portfolio.rows import holding


def test_what_no_order_explains_ends_no_stream_however_long_it_lasts(desk: Desk) -> None:
    """An expiry, a split, a transfer, a fee: REST's quantity counts, and that is all."""
    witness, option = desk.holdings.witness, "AAPL240119C00100000"
    desk.report(shares(option, "2", "1", asset_class="us_option"), cash="100000")
    desk.clock.now += DISBELIEF_SECONDS  # an earlier state would be a late report
    assert desk.report(cash="100000")
    waiting = witness.seconds_to_orders
    assert waiting is not None
    desk.clock.now += EXPLANATION_SECONDS + 0.1
    witness.end_waiting()  # REST's orders have been read
    assert witness.take_lacking() is None
    assert witness.seconds_to_orders is None


def test_an_assignment_that_rest_alone_shows_is_applied_as_a_whole_and_ends_no_stream() -> None:
    """A short call is assigned at its strike: no order, and no update of the stream."""
    desk = Desk()
    option = "AAA240119C00100000"
    short = holding(option, "-1", "2", "10", asset_class="us_option", market_value="-1000")
    stocks = shares("AAA", "100", "109")
    before: dict[str, Any] = {"long_market_value": "10900", "short_market_value": "-1000"}
    after: dict[str, Any] = {"long_market_value": "0", "short_market_value": "0"}
    desk.report(stocks, short, cash="90000", **before)
    desk.clock.now += DISBELIEF_SECONDS  # an earlier state would be a late report
    assert desk.after().equity == 99900

    assert desk.report(cash="100000", **after)
    told = desk.after()
    assert (told.cash, told.equity, told.state) == (100000, 100000, "live")
    assert desk.quantities == {}
    desk.clock.now += EXPLANATION_SECONDS + 0.1
    assert desk.holdings.witness.take_lacking() is None


def test_nor_does_a_fill_that_a_living_stream_has_lost(desk: Desk) -> None:
    witness = desk.holdings.witness
    desk.report(shares("AAA", "1"), cash="99900")
    witness.on_unstreamed_fill("AAA")
    witness.on_message("BBB")
    desk.clock.now += EXPLANATION_SECONDS + 0.1
    assert witness.take_lacking() is None


def test_a_mute_stream_ends_once_however_many_fills_it_lacks(desk: Desk) -> None:
    witness = desk.holdings.witness
    desk.report(shares("AAA", "1"), shares("BBB", "1"), cash="99800")
    witness.on_unstreamed_fill("AAA")
    witness.on_unstreamed_fill("BBB")
    desk.clock.now += EXPLANATION_SECONDS + 0.1
    assert witness.take_lacking() == "AAA"
    assert witness.take_lacking() is None
