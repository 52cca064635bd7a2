"""Open positions: wanted whoever watches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from structlog.testing import capture_logs

from ingest.demand.wanted import Demand
from ingest.upstream import positions
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.positions import Positions, open_stocks
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.demand.wants import Clock
from tests.ingest.upstream.rest_stub import RestStub, stubbed
from tests.services import until


@asynccontextmanager
async def followed(rest: AlpacaRest) -> AsyncIterator[Demand]:
    demand = Demand(Clock())
    task = asyncio.create_task(Positions(rest, demand).run())
    try:
        yield demand
        assert not task.done(), "it has ended"
    finally:
        task.cancel()
        await asyncio.wait([task])


def held(demand: Demand) -> list[str]:
    return [want.symbol for want in demand.wanted() if want.position]


def position(symbol: object, qty: object = "1", kind: str = "us_equity") -> dict[str, Any]:
    return {"symbol": symbol, "qty": qty, "asset_class": kind}


def test_only_stocks_that_are_held_or_sold_short_count() -> None:
    rows = [
        position("BRK.B", "0.5"),
        position("IBM", "-20"),
        position("GE", "0"),
        position("BTCUSD", "1", "crypto"),
        position("not a symbol"),
        position(None),
        position("BAC", "many"),
        {"asset_class": "us_equity"},
        "rubbish",
    ]
    assert list(open_stocks(rows)) == ["BRK.B", "IBM"]


async def test_the_accounts_positions_are_wanted() -> None:
    async with Simulator(SimulatorSettings(tape=None)) as simulator:
        url = simulator.rest_url
        rest = AlpacaRest(DEFAULT_KEY, DEFAULT_SECRET, data_url=url, trading_url=url, feed="iex")
        async with followed(rest) as demand:
            await until(lambda: held(demand) == ["BAC", "IBM"])
        rest.close()


async def test_while_alpaca_does_not_answer_the_last_known_stay_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(positions, "POSITIONS_SECONDS", 0.01)
    rows, status = [position("IBM")], 200

    def answer(_: Request) -> Response:
        return JSONResponse(rows, status)

    stub = RestStub(positions=answer)
    with capture_logs() as lines:
        async with stubbed(stub, requests_per_minute=100_000) as rest, followed(rest) as demand:
            await until(lambda: held(demand) == ["IBM"])
            status = 403
            asked = len(stub.requests)
            await until(lambda: len(stub.requests) > asked + 3)
            assert held(demand) == ["IBM"]
            status, rows = 200, []
            await until(lambda: held(demand) == [])
    assert [line["event"] for line in lines] == ["no positions"]
