"""The messages of the account's stream that are not about orders."""

import json
from contextlib import suppress

import pytest

from ingest.alpaca.unreadable import BadFrameError
from ingest.bus.announcer import Announcer
from ingest.bus.outbox import Outbox
from ingest.portfolio.holdings import DOUBT_SECONDS
from ingest.portfolio.order_log import OrderLog
from ingest.portfolio.portfolio import Portfolio
from ingest.upstream.account_handler import AccountHandler
from ingest.upstream.upstream_error import Retry, UpstreamError
from tests.ingest.demand.wants import Clock
from tests.ingest.portfolio.rows import report


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (',"error":"required stream is not found"', "required stream is not found"),
        ("", "no reason"),
    ],
)
def test_an_answer_that_lacks_trade_updates_ends_the_try_with_alpacas_reason_and_a_long_wait(
    error: str, reason: str
) -> None:
    handler = AccountHandler(Portfolio(lambda _: None, Clock()), OrderLog(0), Announcer(Outbox()))
    frame = f'{{"stream":"listening","data":{{"streams":[]{error}}}}}'

    with pytest.raises(UpstreamError, match=f"does not offer trade_updates: {reason}") as caught:
        handler.apply(handler.decode(frame), 0)
    assert caught.value.retry is Retry.MUCH_LATER
    assert handler.streaming_since is None


FILL = (
    '{"stream":"trade_updates","data":{"event":"fill","timestamp":"2026-11-16T15:00:00Z",'
    '"execution_id":"e1","price":"%s","qty":"1","position_qty":"138","order":{"id":"o1",'
    '"symbol":"BAC","side":"buy","updated_at":"2026-11-16T15:00:00Z"}}}'
)


@pytest.mark.parametrize(
    "frame", [FILL % "1e30", FILL % "NaN", "{", "[" * 1_000, '{"stream":"trade_updates"}']
)
def test_an_unreadable_update_costs_itself_and_a_report_is_due(frame: str) -> None:
    outbox, clock = Outbox(), Clock()
    portfolio = Portfolio(lambda _: None, clock)
    portfolio.on_report(report(), None)
    handler = AccountHandler(portfolio, OrderLog(0), Announcer(outbox))

    with suppress(BadFrameError):
        handler.apply(handler.decode(frame), 0)

    assert handler.report_due.is_set()
    assert outbox.take(10) == []
    # It may have been an execution, which the figures would lack.
    clock.now += DOUBT_SECONDS
    assert portfolio.holdings.in_doubt


def test_an_unreadable_field_that_no_execution_needs_leaves_the_account_live() -> None:
    portfolio = Portfolio(lambda _: None, Clock())
    portfolio.on_report(report(), None)
    handler = AccountHandler(portfolio, OrderLog(0), Announcer(Outbox()))
    update = FILL.replace('"qty":"1"', '"qty":"138","at":5')

    handler.apply(handler.decode(update % "1"), 0)

    assert handler.malformed.count == 1
    assert portfolio.account().cash == 862


def test_an_error_that_no_rule_expects_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    portfolio = Portfolio(lambda _: None, Clock())
    handler = AccountHandler(portfolio, OrderLog(0), Announcer(Outbox()))

    def fail(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(portfolio, "on_execution", fail)
    handler.apply(handler.decode(FILL % "36.5"), 0)

    assert handler.malformed.first == "TradeUpdate: ZeroDivisionError()"
    assert handler.report_due.is_set()


PARTLY = (
    '{"stream":"trade_updates","data":{"event":"%s","timestamp":"2026-11-16T15:00:0%sZ",'
    '"execution_id":"e%s","price":"36.5","qty":"%s","position_qty":"138","order":{"id":"o1",'
    '"status":"%s","symbol":"BAC","side":"buy","filled_qty":"%s",'
    '"updated_at":"2026-11-16T15:00:0%sZ"}}}'
)


def test_executions_that_no_update_has_brought_are_a_gap_before_the_next_one() -> None:
    outbox, orders = Outbox(), OrderLog(0)
    handler = AccountHandler(Portfolio(lambda _: None, Clock()), orders, Announcer(outbox))
    orders.restore([])
    for parts in (("new", 1, 1, 0, "new", 0, 1), ("fill", 5, 5, 100, "filled", 300, 5)):
        handler.apply(handler.decode(PARTLY % parts), 0)

    found = [(each.event, json.loads(each.body)) for each in outbox.take(10)]
    assert [name for name, _ in found] == [None, "gap", None]
    _, gap = found[1]
    assert gap == {
        "topics": ["orders"],
        "from": "2026-11-16T15:00:01Z",
        "to": "2026-11-16T15:00:05Z",
        "reason": "upstream_lost",
    }
