"""The hours of a feed, as the simulator's clock and calendar give them."""

import asyncio

import pytest
from starlette.responses import JSONResponse

from ingest.market.market_hours import TRADES_IN, MarketHours
from ingest.upstream import hours_refresh
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.hours_refresh import HoursRefresh
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.trades import SECOND
from tests.ingest.upstream.rest_stub import RestStub, stubbed
from tests.services import until


async def test_hours_are_read_again_and_again_for_the_feeds_own_sessions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hours_refresh, "REFRESH_SECONDS", 0.01)
    taken: list[MarketHours] = []
    async with Simulator(SimulatorSettings(tape=None, positions=())) as simulator:
        url = simulator.rest_url
        rest = AlpacaRest(DEFAULT_KEY, DEFAULT_SECRET, data_url=url, trading_url=url, feed="boats")
        refresh = HoursRefresh(rest, taken.append, TRADES_IN["boats"])
        task = asyncio.create_task(refresh.run())
        try:
            await until(lambda: len(taken) >= 3)
        finally:
            task.cancel()
            await asyncio.wait([task])
            rest.close()

    opened = taken[0]._spans[1]
    assert opened.session == "overnight"
    assert taken[0].session_at(opened.end + SECOND) == "closed"


async def test_an_error_that_no_rule_expects_keeps_the_hours_and_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> MarketHours:
        raise MemoryError

    monkeypatch.setattr(hours_refresh, "hours_of", fail)
    monkeypatch.setattr(hours_refresh, "HOURS_RETRY_SECONDS", 0.01)
    taken: list[MarketHours] = []
    answers = RestStub(
        calendar=lambda _: JSONResponse([]), clock=lambda _: JSONResponse({"is_open": True})
    )
    async with stubbed(answers) as rest:
        task = asyncio.create_task(HoursRefresh(rest, taken.append).run())
        try:
            await until(lambda: rest.malformed.count >= 2)
        finally:
            task.cancel()
            await asyncio.wait([task])

        assert rest.malformed.first == "hours: MemoryError()"
    assert taken == []
