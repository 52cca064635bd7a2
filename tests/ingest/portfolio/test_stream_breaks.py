"""Executions that a break of the stream may have lost."""

from ingest.portfolio.broker_report import BrokerReport
from ingest.portfolio.holdings import DOUBT_SECONDS
from ingest.portfolio.portfolio import DOUBT
from tests.ingest.portfolio.desk import Desk, shares
from tests.ingest.portfolio.rows import AS_OF, account


def streaming_again(desk: Desk) -> None:
    """Lose the stream, and get it back: an execution in between is lost."""
    assert desk.report(shares("BAC", "10"), cash="99000", last_equity="100000")
    desk.clock.now += 0.05
    desk.holdings.on_streaming()


def test_after_a_break_of_the_stream_an_execution_waits_for_what_may_be_lost(desk: Desk) -> None:
    streaming_again(desk)  # the sale of BAC was lost
    desk.fill("SPY", "1", "500", "1")
    account = desk.after(DOUBT_SECONDS / 2)
    assert (account.state, account.cash, account.positions) == ("live", 99000, ["BAC"])

    assert desk.report(shares("SPY", "1", "500"), cash="99500", last_equity="100000")
    account = desk.after()
    assert (account.state, account.cash, account.positions) == ("live", 99500, ["SPY"])


def test_if_no_report_comes_soon_the_account_is_stale_and_has_the_execution(desk: Desk) -> None:
    streaming_again(desk)
    desk.fill("SPY", "1", "500", "1")
    account = desk.after(DOUBT_SECONDS)

    assert (account.state, account.reason) == ("stale", DOUBT)
    assert account.positions == ["BAC", "SPY"]


def test_nor_do_later_executions_show_what_the_break_has_lost(desk: Desk) -> None:
    streaming_again(desk)
    desk.fill("SPY", "1", "500", "1")
    assert desk.after(DOUBT_SECONDS).state == "stale"

    desk.fill("SPY", "1", "500", "2")
    assert (desk.after().state, desk.after().reason) == ("stale", DOUBT)

    assert desk.report(shares("SPY", "2", "500"), cash="99000", last_equity="100000")
    assert (desk.after().state, desk.after().cash) == ("live", 99000)


def test_a_report_from_before_the_break_shows_nothing_of_it(desk: Desk) -> None:
    streaming_again(desk)
    early = BrokerReport(
        [shares("BAC", "10")],
        account(cash="99000", last_equity="100000"),
        desk.clock.now - 0.01,
        AS_OF,
    )
    desk.on_report(early, None)
    desk.fill("SPY", "1", "500", "1")

    assert desk.quantities == {"BAC": 10}


def test_a_report_with_no_news_shows_that_nothing_was_lost(desk: Desk) -> None:
    streaming_again(desk)
    asked_at = desk.clock.now + 0.01
    desk.fill("SPY", "1", "500", "1")
    no_news = account(cash="99000", last_equity="100000")
    desk.on_report(BrokerReport([shares("BAC", "10")], no_news, asked_at, AS_OF), 0.5)

    assert desk.quantities == {"BAC": 10, "SPY": 1}
    assert desk.after().state == "live"
