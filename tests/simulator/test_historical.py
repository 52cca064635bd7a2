"""`GET /v2/stocks/bars` and `/trades`: the queries as pure functions, and over HTTP."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from simulator.protocol import rfc3339
from simulator.protocol.wire import Message
from simulator.rest import historical
from simulator.rest.bar_pages import bar_page
from simulator.rest.historical import (
    RecentSipError,
    Window,
    adjusted,
    read_bars_request,
    read_window,
    trade_page,
)
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.hours import NyseHours
from simulator.tape.recording import DailyBar
from tests.simulator.client import KEYS

NOW = rfc3339.parse("2026-11-23T15:30:00Z")  # a Monday, an hour after the opening
DAY = {"timeframe": "1Day"}
FRIDAY = rfc3339.parse("2026-11-20T05:00:00Z")
BAR: dict[str, object] = {"t": FRIDAY, "o": 10.0, "c": 12.0, "v": 100, "n": 3}


def read(*, has_recent_sip: bool = False, **query: str) -> historical.Window:
    return read_window(query, NOW, has_recent_sip=has_recent_sip)


def test_without_times_it_is_today_as_far_as_the_plan_goes() -> None:
    midnight = rfc3339.parse("2026-11-23T05:00:00Z")

    assert (read().start, read().end) == (midnight, NOW - historical.DELAY)
    assert read(feed="iex").end == read(has_recent_sip=True).end == NOW


def test_times_are_dates_of_new_york_or_moments() -> None:
    assert read(start="2026-11-20").start == FRIDAY
    assert read(start="2026-11-20T05:00:00Z").start == FRIDAY


def test_recent_consolidated_data_needs_a_plan() -> None:
    recent = "2026-11-23T15:15:01Z"
    with pytest.raises(RecentSipError):
        read(end=recent)
    assert read(end="2026-11-23T15:15:00Z").end == NOW - historical.DELAY
    assert read(end=recent, feed="iex").end == read(has_recent_sip=True, end=recent).end


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeframe", "2Day"),
        ("timeframe", ""),
        ("feed", "x"),
        ("adjustment", "none"),
        ("sort", "up"),
        ("limit", "0"),
        ("limit", "10001"),
        ("limit", "ten"),
        ("start", "today"),
        ("start", "2026-11-99"),
        ("end", "1"),
    ],
)
def test_a_wrong_parameter_is_named(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"invalid {name}: {value}"):
        read_bars_request({**DAY, name: value}, NOW, has_recent_sip=True)


def test_a_split_divides_prices_and_multiplies_volumes_of_the_days_before() -> None:
    assert adjusted(BAR, 4, NOW) == BAR | {"o": 2.5, "c": 3.0, "v": 400}
    assert adjusted(BAR, 4, FRIDAY) == BAR


@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_pages_of_trades_together_are_everything(sort: str) -> None:
    trades = {name: [BAR | {"p": float(at)} for at in range(3)] for name in ("IBM", "BAC")}
    token, got = "", []
    for _ in range(3):
        window = read(start="2026-11-20", limit="2", sort=sort)
        answer: Any = trade_page(window, token, trades)
        got += [(name, row["p"]) for name, rows in answer["trades"].items() for row in rows]
        token = answer["next_page_token"]

    prices = [0, 1, 2] if sort == "asc" else [2, 1, 0]
    assert got == [(name, price) for name in ("BAC", "IBM") for price in prices]
    assert token is None


async def pause() -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("sort", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7])
async def test_pages_of_bars_together_are_everything(sort: str, limit: int) -> None:
    def bars_of(symbol: str, window: Window) -> Iterator[Sequence[Message]]:
        count = 0 if symbol == "AIG" else 3
        for at in reversed(range(count)) if window.is_descending else range(count):
            if window.start <= FRIDAY + at <= window.end:
                yield [BAR | {"t": FRIDAY + at, "c": float(at)}]

    token: Any = ""
    got, sizes = [], []
    while token is not None:
        window = read(start="2026-11-20", limit=str(limit), sort=sort)
        answer: Any = await bar_page(["IBM", "AIG", "BAC"], window, token, bars_of, pause)
        rows = [(name, bar["c"]) for name, rows in answer["bars"].items() for bar in rows]
        got += rows
        sizes.append(len(rows))
        token = answer["next_page_token"]

    closes = [0, 1, 2] if sort == "asc" else [2, 1, 0]
    assert got == [(name, close) for name in ("BAC", "IBM") for close in closes]
    assert all(size == limit for size in sizes[:-1])
    assert 0 < sizes[-1] <= limit


@pytest.mark.parametrize("token", ["!", "MQ==", "fDE=", "U1BZfHg="])
async def test_a_wrong_page_token_is_named(token: str) -> None:
    with pytest.raises(ValueError, match=f"invalid page_token: {token}"):
        await bar_page(["SPY"], read(), token, lambda _symbol, _window: iter(()), pause)


def test_a_wrong_page_token_of_trades_is_named() -> None:
    with pytest.raises(ValueError, match="invalid page_token: !"):
        trade_page(read(), "!", {})


@pytest.mark.parametrize(
    ("query", "closes"),
    [
        ("timeframe=1Day&feed=iex&start=2026-11-18", [400.0, 410.0, 105.0]),
        ("timeframe=1Day&feed=iex&start=2026-11-18&adjustment=split", [100.0, 102.5, 105.0]),
        ("timeframe=1Day&feed=iex&start=2026-11-18&adjustment=all&sort=desc", [105, 102.5, 100]),
        ("timeframe=1Day&start=2026-11-18&end=2026-11-20", [400.0, 410.0]),
        ("timeframe=1Day&feed=iex", [105.0]),
        ("timeframe=1Min&feed=iex", [104.0, 105.0]),
        ("timeframe=1Min&feed=iex&start=2026-11-23T15:01:00Z", [105.0]),
    ],
)
async def test_bars_over_http(query: str, closes: list[float]) -> None:
    days = {"SPY": [DailyBar(400, 410, 390, 400, 1000), DailyBar(400, 420, 390, 410, 1000)]}
    settings = SimulatorSettings(
        tape=None, previous_daily_bars=days, splits={"SPY": 4.0}, hours=NyseHours()
    )
    async with Simulator(settings, clock=lambda: NOW) as simulator:
        for time, price in (("15:00:01", 104.0), ("15:01:01", 105.0)):
            trade = {"T": "t", "S": "SPY", "p": price, "s": 10, "t": f"2026-11-23T{time}Z"}
            await simulator.publish(trade)
        async with httpx.AsyncClient(base_url=simulator.rest_url, headers=KEYS) as client:
            answer = await client.get(f"/v2/stocks/bars?symbols=SPY,ZZZ&{query}")
            refused = await client.get("/v2/stocks/bars?symbols=SPY&timeframe=2Week")

    body = answer.json()
    assert list(body) == ["bars", "next_page_token"]
    assert [bar["c"] for bar in body["bars"]["SPY"]] == closes
    assert "ZZZ" not in body["bars"]
    assert (refused.status_code, refused.json()) == (400, {"message": "invalid timeframe: 2Week"})


@pytest.mark.parametrize("what", ["bars", "trades"])
async def test_recent_consolidated_data_over_http_is_403(quiet: Simulator, what: str) -> None:
    query = "symbols=SPY&timeframe=1Day&feed=sip&end=2999-01-01"
    async with httpx.AsyncClient(base_url=quiet.rest_url, headers=KEYS) as client:
        answer = await client.get(f"/v2/stocks/{what}?{query}")

    assert (answer.status_code, answer.json()) == (
        403,
        {"code": 42210000, "message": "subscription does not permit querying recent SIP data"},
    )


@pytest.mark.parametrize(
    ("splits", "ratio", "closes"),
    [({"SPY": 4.0}, 1.0, [410.0, 102.5]), ({}, 2.0, [205.0, 410.0])],
    ids=["late", "wrong"],
)
async def test_bars_can_be_adjusted_late_or_by_a_wrong_ratio(
    splits: dict[str, float], ratio: float, closes: list[float]
) -> None:
    days = {name: [DailyBar(400, 420, 390, 410, 1000)] for name in ("SPY", "SPYG")}
    settings = SimulatorSettings(tape=None, previous_daily_bars=days, splits=splits)
    query = "symbols=SPY,SPYG&timeframe=1Day&feed=iex&start=2026-11-20"
    found: list[float] = []
    async with Simulator(settings, clock=lambda: NOW) as simulator:
        simulator.faults.adjustment("SPY", ratio=ratio)
        async with httpx.AsyncClient(base_url=simulator.rest_url, headers=KEYS) as client:
            raw = await client.get(f"/v2/stocks/bars?{query}")
            for _ in range(2):
                answer = await client.get(f"/v2/stocks/bars?{query}&adjustment=split")
                found.append(answer.json()["bars"]["SPY"][0]["c"])
                assert answer.json()["bars"]["SPYG"][0]["c"] == 410

    assert found == closes
    assert raw.json()["bars"]["SPY"][0]["c"] == 410


async def test_trades_over_http_are_sorted_and_void_ones_stay_with_their_mark() -> None:
    async with Simulator(SimulatorSettings(tape=None), clock=lambda: NOW) as simulator:
        for number, (symbol, second, price) in enumerate(
            [("SPY", 3, 103.0), ("IBM", 2, 50.0), ("SPY", 1, 101.0), ("SPY", 2, 102.0)]
        ):
            at = f"2026-11-23T15:29:0{second}Z"
            trade = {"T": "t", "S": symbol, "p": price, "s": 10, "t": at, "i": number, "x": "V"}
            await simulator.publish(trade | {"c": ["@"], "z": "B"})
        await simulator.publish({"T": "x", "S": "SPY", "i": 2, "x": "V", "p": 101.0, "s": 10})
        await simulator.publish({"T": "c", "S": "SPY", "oi": 3, "ci": 9, "cp": 102.5, "cs": 1})
        pages = []
        query: dict[str, Any] = {
            "symbols": "SPY,IBM,ZZZ",
            "feed": "iex",
            "limit": "2",
            "page_token": "",
        }
        async with httpx.AsyncClient(base_url=simulator.rest_url, headers=KEYS) as client:
            while query["page_token"] is not None:
                answer = await client.get("/v2/stocks/trades", params=query)
                pages.append(answer.json()["trades"])
                query["page_token"] = answer.json()["next_page_token"]
            late = await client.get(
                "/v2/stocks/trades?symbols=SPY&feed=iex&start=2026-11-23T15:29:03Z"
            )

    rows = [
        (symbol, row["i"], row["p"], row.get("u"))
        for page in pages
        for symbol, found in page.items()
        for row in found
    ]
    assert rows == [
        ("IBM", 1, 50, None),
        ("SPY", 2, 101, "canceled"),
        ("SPY", 3, 102, "incorrect"),
        ("SPY", 9, 102.5, "corrected"),
        ("SPY", 0, 103, None),
    ]
    assert late.json()["trades"]["SPY"] == [
        {"p": 103, "s": 10, "t": "2026-11-23T15:29:03Z", "i": 0, "x": "V", "c": ["@"], "z": "B"}
    ]
