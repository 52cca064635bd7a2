"""Halts of the overnight session by Alpaca's assets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.asset_halts import ASK_ASSET_AGAIN_SECONDS, AssetHalts
from ingest.upstream.blocking_calls import RestError
from tests.ingest.demand.wants import Clock
from tests.ingest.upstream.rest_stub import RestStub, stubbed
from tests.services import until


class Asked:
    """Asset halts with a clock that the test moves, and what they have found."""

    def __init__(self, rest: AlpacaRest) -> None:
        self.clock = Clock()
        self.found: list[tuple[str, bool]] = []
        self.halts = AssetHalts(rest, lambda *found: self.found.append(found), monotonic=self.clock)


@asynccontextmanager
async def asking(stub: RestStub) -> AsyncIterator[Asked]:
    async with stubbed(stub) as rest:
        asked = Asked(rest)
        running = asyncio.create_task(asked.halts.run())
        try:
            yield asked
        finally:
            running.cancel()
            await asyncio.wait([running])
    assert running.cancelled()


def listing(*attributes: object) -> Response:
    return JSONResponse({"symbol": "SPY", "attributes": list(attributes)})


async def test_each_doubtful_symbol_is_asked_for_and_not_again_soon() -> None:
    stub = RestStub(SPY=lambda _: listing("overnight_halted", 7), IBM=lambda _: listing())
    async with asking(stub) as asked:
        asked.halts.follow(["IBM", "SPY"])
        await until(lambda: len(asked.found) == 2)
        asked.halts.follow(["IBM", "SPY"])
        asked.clock.now += ASK_ASSET_AGAIN_SECONDS
        asked.halts.follow(["SPY"])
        await until(lambda: len(asked.found) == 3)

    assert asked.found == [("IBM", False), ("SPY", True), ("SPY", True)]


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"message": "asset not found for SPY"}, 404),
        JSONResponse({"symbol": "SPY", "attributes": "overnight_halted"}),
        JSONResponse(["overnight_halted"]),
        Response("no JSON", media_type="text/html"),
    ],
    ids=lambda answer: answer.body.decode()[:20],
)
async def test_an_answer_that_is_none_halts_nothing_and_the_next_symbol_is_asked_for(
    answer: Response,
) -> None:
    def refuse(_: Request) -> Response:
        return answer

    async with asking(RestStub(SPY=refuse, TSLA=lambda _: listing())) as asked:
        asked.halts.follow(["SPY", "TSLA"])
        await until(lambda: asked.found == [("TSLA", False)])


@pytest.mark.parametrize("row", [{}, {"attributes": None}, {"attributes": []}])
async def test_an_asset_may_have_no_attributes(row: dict[str, object]) -> None:
    async with stubbed(RestStub(SPY=lambda _: JSONResponse({"symbol": "SPY", **row}))) as rest:
        assert await rest.asset_attributes("SPY") == frozenset()


async def test_an_unknown_asset_is_an_error() -> None:
    async with stubbed(RestStub()) as rest:
        with pytest.raises(RestError):
            await rest.asset_attributes("SPY")
