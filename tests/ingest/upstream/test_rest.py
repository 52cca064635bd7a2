"""The calls to Alpaca's REST API: deadlines, budgets, and invalid responses."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date

import pytest
import requests
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from tenacity import wait_none

from ingest.market.market_hours import MarketHours
from ingest.upstream import blocking_calls, hours_refresh
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.blocking_calls import BlockingCalls, RestError, _seconds_to_reset
from ingest.upstream.hours_refresh import HoursRefresh
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.peers import answering
from tests.ingest.upstream.rest_stub import RestStub, closed, printed, stubbed, traded
from tests.limits import LIMIT_SECONDS
from tests.services import until

MONDAY, FRIDAY = date(2026, 11, 9), date(2026, 11, 13)


@asynccontextmanager
async def rest_of(url: str, secret: str = DEFAULT_SECRET) -> AsyncIterator[AlpacaRest]:
    rest = AlpacaRest(DEFAULT_KEY, secret, data_url=url, trading_url=url, feed="iex")
    try:
        yield rest
    finally:
        rest.close()


@asynccontextmanager
async def simulated() -> AsyncIterator[tuple[Simulator, AlpacaRest]]:
    async with (
        Simulator(SimulatorSettings(tape=None)) as simulator,
        rest_of(simulator.rest_url) as rest,
    ):
        yield simulator, rest


async def test_snapshots_come_by_symbol_without_those_that_alpaca_lacks() -> None:
    async with simulated() as (simulator, rest):
        await simulator.publish({"T": "t", "S": "SPY", "p": 5.5, "s": 1})
        found = await rest.snapshots(["SPY", "NOSUCH"])

    assert list(found) == ["SPY"]
    assert found["SPY"]["latestTrade"]["p"] == 5.5


async def test_positions_come_as_rows() -> None:
    async with simulated() as (_, rest):
        rows = await rest.positions()

    assert {row["symbol"] for row in rows} == {"BAC", "IBM"}


async def test_half_a_character_in_an_answer_costs_only_itself() -> None:
    # Python's decoder accepts it, and no event could contain it.
    body = '[{"symbol": "A\\uD83D", "name": "\\ud83d\\ude00", "qty": 1.5}]'

    def answer(_: Request) -> Response:
        return PlainTextResponse(body, media_type="application/json")

    async with stubbed(RestStub(positions=answer)) as rest:
        rows = await rest.positions()

    assert rows == [{"symbol": "A?", "name": "\N{GRINNING FACE}", "qty": 1.5}]


async def test_the_assets_contain_a_symbol_or_do_not() -> None:
    async with simulated() as (_, rest):
        assert await rest.lists_asset("BAC")
        assert not await rest.lists_asset("NOSUCH")


@pytest.mark.parametrize(
    ("status", "text", "listed"),
    [
        (404, "asset not found for XYZ", False),
        (400, "invalid symbol: XYZ", False),
        (422, "invalid symbol", False),
        (404, "page not found", None),
        (404, "endpoint not found", None),
        (403, "forbidden", None),
    ],
)
async def test_only_an_answer_about_the_symbol_says_that_it_is_not_listed(
    status: int, text: str, listed: bool | None
) -> None:
    stub = RestStub(
        XYZ=lambda _: JSONResponse({"code": status * 100_000 + 10_000, "message": text}, status)
    )
    async with stubbed(stub) as rest:
        if listed is None:
            with pytest.raises(RestError):
                await rest.lists_asset("XYZ")
        else:
            assert await rest.lists_asset("XYZ") is listed

    assert [each.url.path for each in stub.requests] == ["/v2/assets/XYZ"]


async def test_a_request_that_alpaca_refuses_is_not_repeated() -> None:
    async with simulated() as (simulator, rest):
        with pytest.raises(RestError) as refused:
            await rest.snapshots(["not a symbol"])
        async with rest_of(simulator.rest_url, "wrong") as wrong:
            with pytest.raises(RestError) as unauthorized:
                await wrong.clock()

    assert (refused.value.status, unauthorized.value.status) == (400, 401)
    assert "wrong" not in str(unauthorized.value)


async def test_what_is_not_alpaca_is_an_error_with_words() -> None:
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>"
    async with (
        answering(answer) as (url, _),
        rest_of(url.replace("ws:", "http:")) as rest,
    ):
        with pytest.raises(RestError, match=r"\w+: \w+"):
            await rest.clock()


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", '"text"', "7", "[" * 100_000, '{"x":' * 100_000, "9" * 10_000],
    ids=lambda body: body[:8],
)
async def test_an_answer_of_another_form_is_an_error(
    body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BlockingCalls.run.retry, "wait", wait_none())

    def answer(_: Request) -> Response:
        return PlainTextResponse(body, media_type="application/json")

    async with stubbed(RestStub(snapshots=answer, bars=answer, clock=answer)) as rest:
        for call in (
            rest.snapshots(["SPY"]),
            rest.daily_bars(["SPY"], MONDAY, FRIDAY),
            rest.clock(),
        ):
            with pytest.raises(RestError):
                await call


async def test_daily_bars_are_of_all_exchanges_adjusted_for_splits_and_of_days_that_are_over() -> (
    None
):
    stub = RestStub(bars=closed)
    async with stubbed(stub) as rest:
        bars = await rest.daily_bars(["SPY", "IBM"], MONDAY, FRIDAY)
        today = date.today()  # noqa: DTZ011 - any day that is not over
        await rest.daily_bars(["SPY"], today, today)

    assert {symbol: rows[0]["c"] for symbol, rows in bars.items()} == {"SPY": 4.5, "IBM": 4.5}
    asked = stub.requests[0].query_params
    assert (asked["feed"], asked["adjustment"], asked["timeframe"]) == ("sip", "split", "1Day")
    assert (asked["start"], asked["end"]) == (
        "2026-11-09T05:00:00+00:00",
        "2026-11-14T04:59:59+00:00",
    )
    assert len(stub.requests) == 2


async def test_where_the_plan_has_not_all_exchanges_daily_bars_are_of_its_feed() -> None:
    def answer(request: Request) -> Response:
        if request.query_params["feed"] == "sip":
            return JSONResponse({"message": "subscription does not permit"}, 403)
        return closed(request)

    stub = RestStub(bars=answer)
    async with stubbed(stub) as rest:
        assert list(await rest.daily_bars(["SPY"], MONDAY, FRIDAY)) == ["SPY"]
        assert [each.query_params["feed"] for each in stub.requests] == ["sip", "iex"]
    async with stubbed(stub, feed="sip") as rest:
        with pytest.raises(RestError) as refused:
            await rest.daily_bars(["SPY"], MONDAY, FRIDAY)
    assert refused.value.status == 403
    assert len(stub.requests) == 3


async def test_too_many_requests_empty_the_budget_and_block_no_thread() -> None:
    def answer(_: Request) -> Response:
        return JSONResponse(
            {"message": "too many requests."},
            429,
            headers={"X-Ratelimit-Reset": str(round(time.time()) + 40)},
        )

    stub = RestStub(snapshots=answer, positions=lambda _: JSONResponse([]))
    async with stubbed(stub) as rest:
        async with asyncio.timeout(
            LIMIT_SECONDS
        ):  # alpaca-py alone would sleep for 9 s at each try
            with pytest.raises(RestError) as refused:
                await rest.snapshots(["SPY"])
        assert refused.value.status == 429
        assert len(stub.requests) == 1, "the others waited for the reset, in vain"
        assert 20 < rest.data_budget.acquire() < 60
        assert await rest.positions() == [], "trading has a separate budget"


async def test_within_the_budget_a_call_waits_its_turn() -> None:
    stub = RestStub(snapshots=traded)
    async with stubbed(stub, requests_per_minute=240) as rest:
        while rest.data_budget.acquire() == 0:
            pass
        assert list(await rest.snapshots(["SPY"])) == ["SPY"]


async def test_what_was_missed_does_not_wait_for_the_half_that_polling_has() -> None:
    async with stubbed(RestStub(trades=printed)) as rest:
        while rest.data_budget.acquire(polling=True) == 0:
            pass
        found = await rest.trades(["SPY"], time.time())
        assert (list(found.rows), found.incomplete) == (["SPY"], frozenset())


async def test_a_call_that_is_not_answered_ends_at_its_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(blocking_calls, "DEADLINE_SECONDS", 0.1)
    release = asyncio.Event()

    async def hang(_: Request) -> Response:
        await release.wait()
        return JSONResponse({})

    async with stubbed(RestStub(snapshots=hang)) as rest:
        with pytest.raises(RestError, match="TimeoutError"):
            await rest.snapshots(["SPY"])
        release.set()


async def test_hours_come_from_alpaca_as_soon_as_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hours_refresh, "HOURS_RETRY_SECONDS", 0.01)
    taken: list[MarketHours] = []
    async with Simulator(SimulatorSettings(tape=None)) as first:
        port = first.port
    async with rest_of(f"http://127.0.0.1:{port}") as rest:
        refresh = HoursRefresh(rest, taken.append)
        task = asyncio.create_task(refresh.run())
        await until(lambda: refresh._failing)
        assert taken == []
        async with Simulator(SimulatorSettings(tape=None, positions=(), port=port)):
            await until(lambda: bool(taken))
        task.cancel()
        await asyncio.wait([task])

    assert taken[0].next_open() is not None


@pytest.mark.parametrize("header", ["nan", "inf", "-inf", "1e400", "soon", ""])
def test_a_reset_that_is_no_time_is_none(header: str) -> None:
    answer = requests.Response()
    answer.headers["X-Ratelimit-Reset"] = header

    assert _seconds_to_reset(answer) is None
