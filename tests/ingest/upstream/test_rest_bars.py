"""Bars by REST: pages, adjustments, budgets, and plans that forbid the newest."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ingest.market.market_hours import MarketHours
from ingest.market.trading_day import STOCK_DAYS
from ingest.upstream.alpaca_rest import AlpacaRest
from ingest.upstream.answered import LEAST_SECONDS
from ingest.upstream.blocking_calls import RestError
from ingest.upstream.market_rest import BAR_PAGES_AT_MOST
from ingest.upstream.older_bars import (
    RECENT_SECONDS,
    SETTLED_SECONDS,
    BarSource,
    OlderBars,
)
from shared.request import BarsReply, BarsRequest, Failure, Reply
from tests.ingest.trades import ns
from tests.ingest.upstream.rest_stub import RestStub, stubbed, symbols_of

NOW = datetime.now(UTC)
HOUR_AGO = NOW - timedelta(hours=1)


def row(at: datetime, close: float = 2) -> dict[str, Any]:
    text = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"t": text, "o": 1, "h": 2, "l": 1, "c": close, "v": 100, "n": 3, "vw": 1.5}


def pages(*answers: dict[str, list[dict[str, Any]]]) -> RestStub:
    """Answer with one page after the other; each token is the number of the next."""

    def answer(request: Request) -> Response:
        number = int(request.query_params.get("page_token", "0"))
        token = str(number + 1) if number + 1 < len(answers) else None
        return JSONResponse({"bars": answers[number], "next_page_token": token})

    return RestStub(bars=answer)


async def test_all_pages_are_joined_and_prices_are_adjusted_for_splits() -> None:
    minutes = [row(HOUR_AGO + timedelta(minutes=n), n + 1) for n in range(4)]
    stub = pages({"A": minutes[:2]}, {"A": minutes[2:], "B": minutes[:1]}, {"B": minutes[1:]})
    async with stubbed(stub) as rest:
        found = await rest.bars(["A", "B"], "1Min", HOUR_AGO, NOW)
        await rest.bars(["A"], "1Hour", HOUR_AGO, NOW, adjusted="all")

    assert (found.rows, found.incomplete) == ({"A": minutes, "B": minutes}, frozenset())
    asked = stub.requests[0].query_params
    names = ("feed", "timeframe", "adjustment", "limit")
    assert [asked[name] for name in names] == ["iex", "1Min", "split", "10000"]
    last = stub.requests[-1].query_params
    assert (last["timeframe"], last["adjustment"]) == ("1Hour", "all")


async def test_beyond_the_most_pages_the_last_symbols_are_incomplete() -> None:
    answers = [{"A": [row(NOW)]}, *({"B": [row(NOW)]} for _ in range(BAR_PAGES_AT_MOST))]
    stub = pages(*answers, {"C": [row(NOW)]})
    async with stubbed(stub) as rest:
        found = await rest.bars(["A", "B", "C"], "1Min", HOUR_AGO, NOW)

    assert len(stub.requests) == BAR_PAGES_AT_MOST
    assert found.incomplete == {"B", "C"}


def forbids_recent(request: Request) -> Response:
    end = datetime.fromisoformat(request.query_params["end"])
    if end > datetime.now(UTC) - timedelta(minutes=15):
        message = "subscription does not permit querying recent SIP data"
        return JSONResponse({"code": 42210000, "message": message}, 403)
    return JSONResponse({"bars": {"A": [row(HOUR_AGO)]}, "next_page_token": None})


async def test_a_plan_that_forbids_the_newest_bars_gets_those_before() -> None:
    stub = RestStub(bars=forbids_recent)
    async with stubbed(stub, feed="sip") as rest:
        assert (await rest.bars(["A"], "1Min", HOUR_AGO, NOW)).rows == {"A": [row(HOUR_AGO)]}
        # To know nothing of the newest minutes is no answer about them.
        with pytest.raises(RestError):
            await rest.bars(["A"], "1Min", NOW - timedelta(minutes=3), NOW)


@pytest.mark.parametrize(("feed", "asked"), [("delayed_sip", "sip"), ("overnight", "boats")])
async def test_a_feed_that_has_no_history_of_its_name_has_that_of_another(
    feed: str, asked: str
) -> None:
    stub = RestStub(bars=forbids_recent)
    async with stubbed(stub, feed=feed) as rest:
        assert (await rest.bars(["A"], "1Min", HOUR_AGO, NOW)).rows

    assert [each.query_params["feed"] for each in stub.requests] == [asked]


async def test_bars_leave_half_of_the_budget_to_prices() -> None:
    stub = pages({"A": [row(HOUR_AGO)]})
    stub.answers["snapshots"] = lambda _: JSONResponse({"A": {}})
    async with stubbed(stub, requests_per_minute=40) as rest:
        asking = [asyncio.create_task(rest.bars(["A"], "1Min", HOUR_AGO, NOW)) for _ in range(20)]
        try:
            # The burst of ten requests has five for polling and bars.
            await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            for _ in range(4):
                await rest.snapshots(["A"])
            assert not all(each.done() for each in asking)
        finally:
            for each in asking:
                each.cancel()
            await asyncio.wait(asking)


def asked_for(*symbols: str, limit: int = 5, **fields: Any) -> BarsRequest:
    given = {
        "timeframe": "1Min",
        "start": int(HOUR_AGO.timestamp()),
        "end": int(NOW.timestamp()),
        **fields,
    }
    return BarsRequest(symbols=symbols, limit=limit, **given)


def older_bars(rest: AlpacaRest, clock: Callable[[], int]) -> OlderBars:
    """Return the older bars of stocks."""
    return OlderBars({"stocks": BarSource(rest, MarketHours, STOCK_DAYS)}, rest.malformed, clock)


def closes(reply: Reply) -> dict[str, list[Any]]:
    assert isinstance(reply, BarsReply), reply
    decoded = {s: [msgspec.json.decode(e) for _, e in rows] for s, rows in reply.bars.items()}
    return {s: [(bar["close"], bar["final"]) for bar in rows] for s, rows in decoded.items()}


async def test_a_client_gets_the_newest_bars_of_a_span_and_the_running_one_is_marked() -> None:
    this_minute = NOW.replace(second=0, microsecond=0)
    minutes = [row(this_minute - timedelta(minutes=9 - n), n) for n in range(1, 10)]
    async with stubbed(pages({"A": minutes})) as rest:
        older = older_bars(rest, lambda: int(NOW.timestamp() * 1e9))
        reply, seconds = await older.answer(asked_for("A", "B", limit=3))

    assert closes(reply) == {"A": [(7, True), (8, True), (9, False)], "B": []}
    assert isinstance(reply, BarsReply)
    first = int((this_minute - timedelta(minutes=2)).timestamp())
    assert reply.complete_from == {"A": first, "B": int(HOUR_AGO.timestamp())}
    assert 0 < seconds <= RECENT_SECONDS


@pytest.mark.parametrize(
    ("now", "kept"),
    [
        ("2026-11-16T12:00:00-05:00", SETTLED_SECONDS),
        ("2026-11-16T09:26:00-05:00", 240),
        ("2026-11-16T23:59:00-05:00", 60),
        ("2026-11-17T03:59:59.999999-05:00", LEAST_SECONDS),
    ],
)
async def test_bars_that_change_no_more_are_kept_longer_but_not_over_the_reading_of_splits(
    now: str, kept: float
) -> None:
    async with stubbed(pages({"A": [row(HOUR_AGO)]})) as rest:
        older = older_bars(rest, lambda: ns(now))
        _, seconds = await older.answer(asked_for("A", end=ns(now) // 10**9 - 3600))

    assert seconds == pytest.approx(kept)


async def test_a_span_of_years_is_read_from_its_end() -> None:
    stub = pages({"A": [row(HOUR_AGO)] * 5})
    async with stubbed(stub) as rest:
        older = older_bars(rest, time.time_ns)
        await older.answer(asked_for("A", start=0))

    [request] = stub.requests
    assert datetime.fromisoformat(request.query_params["start"]) > NOW - timedelta(days=10)


async def test_a_symbol_that_trades_seldom_is_looked_for_further_back() -> None:
    stub = pages({"A": [row(HOUR_AGO)] * 5, "B": [row(HOUR_AGO)]})
    start = int((NOW - timedelta(days=200)).timestamp())
    async with stubbed(stub) as rest:
        older = older_bars(rest, time.time_ns)
        reply, _ = await older.answer(asked_for("A", "B", start=start, timeframe="1Day"))

    starts = [each.query_params["start"] for each in stub.requests]
    assert len(starts) > 1
    assert starts == sorted(starts, reverse=True)
    assert [symbols_of(each) for each in stub.requests[1:]] == [["B"]] * (len(starts) - 1)
    assert len(closes(reply)["A"]) == 5


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (asked_for("A", timeframe="2Weeks"), "unsupported"),
        (asked_for("A", limit=10_001), "too_many_rows"),
        (asked_for("A", limit=0), "too_many_rows"),
        (asked_for(*(f"S{n}" for n in range(501)), limit=1), "too_many_rows"),
    ],
)
async def test_a_request_beyond_the_limits_costs_no_request_of_rest(
    asked: BarsRequest, code: str
) -> None:
    stub = RestStub()
    async with stubbed(stub) as rest:
        reply, _ = await older_bars(rest, time.time_ns).answer(asked)

    assert isinstance(reply, Failure)
    assert (reply.code, stub.requests) == (code, [])


async def test_the_failure_of_rest_is_the_reply() -> None:
    stub = RestStub(bars=lambda _: JSONResponse({"message": "not your day"}, 403))
    async with stubbed(stub) as rest:
        reply, _ = await older_bars(rest, time.time_ns).answer(asked_for("A"))

    assert isinstance(reply, Failure)
    assert reply.code == "upstream_failed"
    assert "not your day" in reply.message
