"""The broker by REST, where it says what no honest one says."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from structlog.testing import capture_logs

from ingest.alpaca.trade_updates import Listening
from ingest.bus.announcer import Announcer
from ingest.bus.outbox import Outbox
from ingest.demand.wanted import Demand
from ingest.portfolio.order_log import OrderLog
from ingest.portfolio.portfolio import Portfolio
from ingest.upstream import broker_reports
from ingest.upstream.account_handler import AccountHandler
from ingest.upstream.alpaca_rest import ORDERS_AT_ONCE, AlpacaRest
from ingest.upstream.broker_reports import BrokerReports
from shared.topics import ORDERS
from tests.ingest.demand.wants import Clock
from tests.ingest.portfolio.rows import row
from tests.ingest.upstream.rest_stub import RestStub, stubbed
from tests.services import until

ACCOUNT = {"cash": "1000", "currency": "USD"}


class Desk:
    """What the reports are for, without a stream."""

    def __init__(self, rest: AlpacaRest) -> None:
        self.outbox = Outbox()
        self.malformed = rest.malformed
        announcer, orders = Announcer(self.outbox), OrderLog(0)
        demand = Demand(Clock())
        self.portfolio = Portfolio(lambda _: None, Clock())
        self.handler = AccountHandler(self.portfolio, orders, announcer)
        self.reports = BrokerReports(rest, demand, self.portfolio, orders, announcer, self.handler)

    def held(self) -> list[str]:
        return sorted(self.portfolio.holdings.by_symbol)


@asynccontextmanager
async def asking(stub: RestStub) -> AsyncIterator[Desk]:
    async with stubbed(stub, requests_per_minute=100_000) as rest:
        desk = Desk(rest)
        task = asyncio.create_task(desk.reports.run())
        try:
            yield desk
            assert not task.done(), "it has ended"
        finally:
            task.cancel()
            await asyncio.wait([task])


def says(answer: Callable[[], Any], status: Callable[[], int] = lambda: 200) -> Any:
    def respond(_: Request) -> Response:
        return JSONResponse(answer(), status())

    return respond


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One report follows the other, and none waits for claims."""
    for name in (
        "REST_ONLY_REPORT_SECONDS",
        "BROKER_REPORT_SECONDS",
        "REPORT_SPACING_SECONDS",
        "CLAIMS_SECONDS",
    ):
        monkeypatch.setattr(broker_reports, name, 0.01)


async def test_while_the_broker_does_not_answer_the_last_known_stay_and_that_is_said_once(
    impatient: None,
) -> None:
    rows, status = [row("IBM", "1", "10", "11")], 200
    stub = RestStub(
        positions=says(lambda: rows, lambda: status),
        account=says(lambda: ACCOUNT),
        orders=says(list),
    )
    with capture_logs() as lines:
        async with asking(stub) as desk:
            await until(lambda: desk.held() == ["IBM"])
            status = 403
            reads = desk.reports.reads
            await until(lambda: desk.reports.reads > reads + 3)
            assert desk.held() == ["IBM"]
            status, rows = 200, []
            await until(lambda: desk.held() == [] and desk.reports.failing is None)
    [line] = lines
    assert (line["event"], "IBM" in line["error"]) == ("broker_report_failed", False)


async def test_a_row_that_cannot_be_read_hides_no_other(impatient: None) -> None:
    rows = [
        row("BRK.B", "0.5", "300", "301"),
        row("GE", "1", "10", "11") | {"qty": "0"},
        row("F", "1", "10", "11") | {"qty": "many"},
        {"asset_class": "us_equity"},
        "rubbish",
        row("BTCUSD", "2", "10", None, asset_class="crypto"),
    ]
    stub = RestStub(positions=says(lambda: rows), account=says(lambda: ACCOUNT), orders=says(list))
    async with asking(stub) as desk:
        await until(lambda: desk.held() == ["BRK.B", "BTC/USD"])

        told = desk.portfolio.account()
        assert (told.unpriced, told.partial) == (["?", "BTC/USD", "F"], True)
        assert desk.malformed.first == "position: the rows of a symbol cannot be read"
        assert list(desk.portfolio.symbols()) == ["BRK.B"]


@pytest.mark.parametrize("broken", [{}, {"cash": "much"}, {"cash": None}])
async def test_an_account_that_cannot_be_read_changes_nothing(
    impatient: None, broken: dict[str, Any]
) -> None:
    stub = RestStub(
        positions=says(lambda: [row("IBM", "1", "10", "11")]),
        account=says(lambda: broken),
        orders=says(list),
    )
    async with asking(stub) as desk:
        await until(lambda: desk.reports.reads > 2)
        assert desk.held() == []
        assert desk.reports.failing is not None


async def test_an_error_that_no_rule_expects_costs_its_report(
    impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise ZeroDivisionError

    rows = [row("IBM", "1", "10", "11")]
    stub = RestStub(positions=says(lambda: rows), account=says(lambda: ACCOUNT), orders=says(list))
    async with asking(stub) as desk:
        await until(lambda: desk.held() == ["IBM"])
        with monkeypatch.context() as patched:
            patched.setattr(desk.portfolio, "on_report", fail)
            await until(lambda: desk.reports.failing is not None)
            assert desk.held() == ["IBM"]
            assert desk.malformed.first == "account: ZeroDivisionError()"
        await until(lambda: desk.reports.failing is None)


async def test_a_report_whose_second_request_fails_changes_nothing(impatient: None) -> None:
    rows, status = [row("IBM", "1", "10", "11")], 200
    stub = RestStub(
        positions=says(lambda: rows),
        account=says(lambda: ACCOUNT, lambda: status),
        orders=says(list),
    )
    async with asking(stub) as desk:
        await until(lambda: desk.held() == ["IBM"])
        status, rows = 403, [row("IBM", "1", "10", "11"), row("BAC", "5", "10", "11")]
        await until(lambda: desk.reports.failing is not None)
        reads = desk.reports.reads
        await until(lambda: desk.reports.reads > reads + 2)
        assert desk.held() == ["IBM"]
        status = 200
        await until(lambda: desk.held() == ["BAC", "IBM"])


async def test_a_row_of_a_pair_that_cannot_be_read_keeps_the_pair(impatient: None) -> None:
    coin = row("BTCUSD", "2", "10", "11", asset_class="crypto")
    rows = [coin]
    stub = RestStub(positions=says(lambda: rows), account=says(lambda: ACCOUNT), orders=says(list))
    async with asking(stub) as desk:
        await until(lambda: desk.held() == ["BTC/USD"])
        rows = [coin | {"qty": "many"}]
        await until(lambda: desk.portfolio.account().unpriced == ["BTC/USD"])
        assert desk.held() == ["BTC/USD"]


async def test_a_filled_multi_leg_order_that_the_stream_lacks_is_a_sign_for_each_of_its_legs(
    impatient: None,
) -> None:
    option, changed = "AAPL270321P00200000", "2024-01-02T15:00:00Z"
    order = {"id": "o1", "symbol": "", "order_class": "mleg", "status": "filled"}
    leg = {"id": "L1", "symbol": option, "asset_class": "us_option", "status": "filled"}
    rows = [order | {"updated_at": changed, "legs": [leg]}]
    stub = RestStub(positions=says(list), account=says(lambda: ACCOUNT), orders=says(lambda: rows))
    async with asking(stub) as desk:
        desk.handler.streaming_since, desk.handler.streaming_since_ns = 0.0, 1
        witness = desk.portfolio.holdings.witness
        witness.on_unexplained(option, 0.0)
        await until(lambda: witness.seconds_to_orders is None)


async def test_more_orders_than_rest_tells_at_once_are_a_gap(impatient: None) -> None:
    order = {"status": "filled", "updated_at": "2026-11-25T15:00:00Z", "filled_qty": "1"}
    numbers = itertools.count()
    stub = RestStub(
        positions=says(list),
        account=says(lambda: ACCOUNT),
        orders=says(lambda: [order | {"id": str(next(numbers))} for _ in range(ORDERS_AT_ONCE)]),
    )
    async with asking(stub) as desk:
        desk.handler.apply([Listening(["trade_updates"])], 0)
        await until(lambda: len(desk.outbox) > ORDERS_AT_ONCE)
        first, second = desk.outbox.take(2)

    assert (first.topic, first.event) == (ORDERS, "gap")
    assert b'"reason":"upstream_lost"' in first.body
    assert (second.topic, second.event) == (ORDERS, None)


@pytest.mark.slow
async def test_reports_leave_the_accounts_budget_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However often something happens: three requests in two seconds, orders now and then."""
    monkeypatch.setattr(broker_reports, "CLAIMS_SECONDS", 0.0)
    stub = RestStub(positions=says(list), account=says(lambda: ACCOUNT), orders=says(list))
    async with asking(stub) as desk:
        desk.handler.apply([Listening(["trade_updates"])], 0)
        await until(lambda: desk.reports.reads == 1)
        for _ in range(5):
            desk.handler.report_due.set()
            await asyncio.sleep(0.02)
        assert desk.reports.reads == 1
        await until(lambda: desk.reports.reads == 2)

    # The first report is read until it settles; the second shows nothing new.
    assert (len(stub.of("positions")), len(stub.of("account"))) == (3, 2)
    assert len(stub.of("orders")) <= 2
    reports = 60 / broker_reports.REPORT_SPACING_SECONDS * broker_reports.REQUESTS_PER_SPACING
    assert reports + 60 / broker_reports.BROKER_REPORT_SECONDS < 100
