"""``/api/udf``: bars in the form, and with the errors, that TradingView's adapter reads."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bus.bar_history import BarHistory
from gateway.bus.older_bars import BarQuery
from gateway.http import held_rows, udf, udf_times
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from tests.bars import FIRST, minute_bar, running_bars
from tests.services import running_gateway

COLUMNS = "tohlcv"
NEW_YORK = ZoneInfo("America/New_York")
DAY = 86_400


def at(minute: int) -> int:
    """Return the start of a minute in unix s."""
    return FIRST + minute * 60


async def asked(url: str, path: str, status: int = 200, **query: Any) -> Any:
    headers = query.pop("headers", {})
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/api/udf/{path}", params=query, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


async def history(url: str, status: int = 200, **query: Any) -> Any:
    given = {"symbol": "SPY", "resolution": "1", "from": at(0), "to": at(1000), **query}
    return await asked(url, "history", status, **given)


async def test_bars_are_columns_in_seconds_oldest_first(any_source: RedisSource) -> None:
    async with running_bars(any_source) as bars, running_gateway(any_source) as url:
        await bars.publish(minute_bar(0, 1.5), minute_bar(1, 1.25))
        answer = await history(url, symbol="spy")

    assert answer == {
        "s": "ok",
        "t": [at(0), at(1)],
        "o": [1.0, 1.0],
        "h": [2.5, 2.5],
        "l": [0.5, 0.5],
        "c": [1.5, 1.25],
        "v": [100.0, 100.0],
    }


async def test_they_are_the_bars_of_api_bars_once_each_with_revisions_and_the_running_one(
    any_source: RedisSource,
) -> None:
    async with (
        running_bars(any_source) as bars,
        running_gateway(any_source) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        await bars.publish(*(minute_bar(minute) for minute in range(4)))
        await bars.publish(minute_bar(4, 1.75), running=True)
        await bars.publish(minute_bar(1, 2.0, revision=1))
        await bars.publish(minute_bar(-1, late=True))
        answer = await history(url, **{"from": at(-5)})
        same = (await client.get("/api/bars?symbols=SPY")).json()["bars"]["SPY"]

    assert answer["t"] == [at(minute) for minute in range(-1, 5)]
    assert answer["c"] == [each["close"] for each in same] == [1.0, 1.0, 2.0, 1.0, 1.0, 1.75]
    assert {len(answer[column]) for column in COLUMNS} == {6}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"from": at(1), "to": at(3)}, [1, 2]),
        ({"from": at(1) + 1, "to": at(3) + 1}, [2, 3]),
        ({"from": -1, "to": 2**53}, [0, 1, 2, 3, 4, 5]),
        ({"from": at(4), "to": at(5), "countback": 3}, [2, 3, 4]),
        ({"from": at(90), "to": at(99), "countback": 2}, [4, 5]),
        ({"from": at(0), "to": at(2), "countback": 50}, [0, 1]),
        ({"from": at(2), "to": at(4), "countback": 0}, [2, 3]),
        ({"from": at(0), "to": int(time.time()) + 30, "countback": 2}, [4, 5]),
        ({"from": at(0), "to": at(6), "countback": 10**9}, [0, 1, 2, 3, 4, 5]),
    ],
)
async def test_a_range_ends_before_to_and_countback_goes_back_beyond_from(
    any_source: RedisSource, query: dict[str, int], found: list[int]
) -> None:
    async with running_bars(any_source) as bars, running_gateway(any_source) as url:
        await bars.publish(*(minute_bar(minute) for minute in range(6)))
        answer = await history(url, **query)

    assert answer["t"] == [at(minute) for minute in found]


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ({"from": at(10), "to": at(20)}, {"s": "no_data", "nextTime": at(5)}),
        ({"from": at(20), "to": at(10)}, {"s": "no_data", "nextTime": at(5)}),
        ({"from": at(3), "to": at(3)}, {"s": "no_data", "nextTime": at(2)}),
        ({"from": at(-9), "to": at(0)}, {"s": "no_data"}),
        ({"from": at(-9), "to": at(0), "countback": 7}, {"s": "no_data"}),
        ({"from": -(2**53), "to": -1}, {"s": "no_data"}),
    ],
)
async def test_an_empty_range_leads_to_the_bars_before_it_or_ends_the_history(
    any_source: RedisSource, query: dict[str, Any], answer: dict[str, Any]
) -> None:
    async with running_bars(any_source) as bars, running_gateway(any_source) as url:
        await bars.publish(*(minute_bar(minute) for minute in range(6)))
        assert await history(url, **query) == answer


async def test_if_nothing_is_known_of_a_symbol_and_no_ingest_leads_it_is_no_end_of_the_history(
    any_source: RedisSource,
) -> None:
    async with running_gateway(any_source) as url:
        answer = await history(url, 503, symbol="IBM")

    assert (answer["s"], answer["error"]["code"]) == ("error", "no_ingest")


@pytest.mark.parametrize("count", [0, 2])
async def test_a_library_that_pages_back_gets_each_bar_once_and_then_an_end(
    any_source: RedisSource, count: int
) -> None:
    """As the library pages: before the oldest bar that it has, or to where it is pointed."""
    minutes = [0, 1, 2, 30, 31, 90, 91, 92]
    pages: list[list[int]] = []
    async with running_bars(any_source) as bars, running_gateway(any_source) as url:
        await bars.publish(*(minute_bar(minute) for minute in minutes))
        to, answer = at(100), {"s": "ok"}
        while answer["s"] == "ok" or "nextTime" in answer:
            assert len(pages) < 30, "it has no end"
            query = {"countback": count} if count else {}
            answer = await history(url, **{"from": to - 600, "to": to, **query})
            if answer["s"] == "ok":
                pages.append(answer["t"])
                to = answer["t"][0]
            else:
                to = answer.get("nextTime", 0) + 1

    assert [time for page in reversed(pages) for time in page] == [at(n) for n in minutes]


async def test_each_resolution_has_its_bars(any_source: RedisSource) -> None:
    async with running_bars(any_source) as bars, running_gateway(any_source) as url:
        for number, timeframe in enumerate(("1Min", "5Min", "15Min", "1Hour", "1Day")):
            await bars.publish(minute_bar(0, float(number)), timeframe=timeframe)  # type: ignore[arg-type]
        found = {
            resolution: (await history(url, resolution=resolution, **{"from": 0}))["c"]
            for resolution in ("1", "5", "15", "60", "1D", "D")
        }
        known = await asked(url, "config")

    assert found == {"1": [0], "5": [1], "15": [2], "60": [3], "1D": [4], "D": [4]}
    assert known["supported_resolutions"] == ["1", "5", "15", "60", "1D"]


async def test_a_day_is_midnight_in_utc_in_summer_and_in_winter(any_source: RedisSource) -> None:
    """The library expects it; our days begin at New York's midnight, 04:00Z or 05:00Z."""
    days = {"2025-10-31T04:00:00Z": "2025-10-31", "2025-11-03T05:00:00Z": "2025-11-03"}
    shown = [int(datetime.fromisoformat(f"{day}T00:00:00Z").timestamp()) for day in days.values()]
    async with running_bars(any_source) as bars, running_gateway(any_source) as url:
        for start in days:
            bar = minute_bar(0)
            bar.timestamp = start
            await bars.publish(bar, timeframe="1Day")
        whole = await history(url, resolution="1D", **{"from": shown[0], "to": shown[1] + 1})
        older = await history(url, resolution="1D", **{"from": 0, "to": shown[1]})
        empty = await history(
            url, resolution="1D", **{"from": shown[1] + 1, "to": shown[1] + 10 * DAY}
        )

    assert whole["t"] == shown
    assert older["t"] == shown[:1]
    assert empty == {"s": "no_data", "nextTime": shown[1]}


@given(st.integers(0, 4_000_000_000), st.integers(0, 20_000))
def test_a_day_belongs_to_the_range_exactly_if_its_shown_time_does(bound: int, day: int) -> None:
    start = udf_times.bound("1Day", day * DAY, NEW_YORK)

    assert udf_times.shown("1Day", start, NEW_YORK) == day * DAY
    assert (start >= udf_times.bound("1Day", bound, NEW_YORK)) == (day * DAY >= bound)


async def test_requests_of_charts_that_poll_are_equal_for_the_ingest(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries: list[BarQuery] = []
    read = BarHistory.read

    async def noted(history: BarHistory, query: BarQuery) -> Any:
        queries.append(query)
        return await read(history, query)

    monkeypatch.setattr(BarHistory, "read", noted)
    async with running_bars(any_source) as bars, running_gateway(any_source) as url:
        await bars.publish(minute_bar(0))
        for ago in (0, 3):
            now = int(time.time()) - ago
            await history(url, countback=2, **{"from": now - 600, "to": now})

    assert queries[0] == queries[1]
    assert queries[0].end is None


async def test_bars_from_to_on_are_left_out_also_where_the_range_ends_now(
    any_source: RedisSource,
) -> None:
    now = int(time.time()) // 60 * 60
    minute = (now - FIRST) // 60
    async with running_bars(any_source) as bars, running_gateway(any_source) as url:
        await bars.publish(*(minute_bar(minute + n) for n in (-3, -2, -1)))
        await bars.publish(minute_bar(minute), running=True)
        answer = await history(url, countback=2, **{"from": 0, "to": now})

    assert answer["t"] == [at(minute - 2), at(minute - 1)]


async def test_a_symbol_is_described_by_its_form_and_by_hours_that_hold_every_bar() -> None:
    async with running_gateway(RedisSource("memory://")) as url:
        answer = await asked(url, "symbols", symbol="brk.b")

    for key in ("name", "ticker", "full_name", "description"):
        assert answer[key] == "BRK.B"
    assert (answer["exchange"], answer["type"]) == ("", "stock")
    assert (answer["session"], answer["timezone"]) == ("0400-2000", "America/New_York")
    assert answer["has_intraday"] is True
    assert answer["supported_resolutions"] == ["1", "5", "15", "60", "1D"]
    assert answer["intraday_multipliers"] == ["1", "5", "15", "60"]
    assert "s" not in answer  # that would mean an error


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ({"query": "spy", "type": "", "exchange": "", "limit": 30}, ["SPY"]),
        ({"query": "BRK.B", "type": "stock"}, ["BRK.B"]),
        ({"query": "SPY", "type": "crypto"}, []),
        ({"query": "SPY", "exchange": "NYSE"}, []),
        ({"query": "SPY", "limit": 0}, []),
        ({"query": "an apple"}, []),
        ({"query": ""}, []),
        ({}, []),
    ],
)
async def test_a_search_finds_text_in_the_form_of_a_symbol(
    query: dict[str, Any], symbols: list[str]
) -> None:
    async with running_gateway(RedisSource("memory://")) as url:
        answer = await asked(url, "search", **query)

    assert [each["symbol"] for each in answer] == symbols


async def test_the_time_is_digits_in_seconds() -> None:
    before = int(time.time())
    async with running_gateway(RedisSource("memory://")) as url, httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/api/udf/time")

    assert before <= int(answer.text) <= time.time()
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("path", "query", "status", "code", "says"),
    [
        ("symbols", {"symbol": "BTC/US"}, 400, "bad_symbol", "'BTC/US' is not a symbol"),
        ("symbols", {}, 400, "missing", "symbol is missing"),
        ("history", {"symbol": "SPY", "resolution": "1", "from": 1}, 400, "missing", "to is"),
        (
            "history",
            {"symbol": "SPY", "resolution": "30", "from": 1, "to": 2},
            400,
            "bad_value",
            "resolution='30': ",
        ),
        (
            "history",
            {"symbol": "SPY", "resolution": "1", "from": "then", "to": 2},
            400,
            "bad_value",
            "from='then': ",
        ),
        (
            "history",
            {"symbol": "SPY", "resolution": "1", "from": 1, "to": 2, "countback": -1},
            400,
            "bad_value",
            "countback=-1: ",
        ),
        ("search", {"limit": "all"}, 400, "bad_value", "limit='all': "),
        ("quotes", {}, 404, "unknown_path", "GET /api/udf/quotes is not served"),
    ],
)
async def test_an_error_has_the_adapters_form_and_ours(
    path: str, query: dict[str, Any], status: int, code: str, says: str
) -> None:
    async with running_gateway(RedisSource("memory://")) as url:
        answer = await asked(url, path, status, **query)

    assert answer["s"] == "error"
    assert says in answer["errmsg"]
    assert answer["error"]["hint"] in answer["errmsg"]
    assert answer["error"]["code"] == code


@pytest.mark.parametrize("path", ["config", "symbols", "search", "history", "time"])
async def test_it_needs_a_token_with_the_scope_of_market_data(path: str) -> None:
    async with running_gateway(
        RedisSource("memory://"), api_token="all-of-it, portfolio-only positions"
    ) as url:
        query: dict[str, Any] = {"symbol": "SPY", "query": "SPY"}
        query |= {"resolution": "1", "from": 1, "to": 2}
        refused = [
            await asked(url, path, 401, **query),
            await asked(url, path, 401, ticket="a-ticket", **query),
            await asked(url, path, 401, headers={"Authorization": "Bearer wrong"}, **query),
        ]
        denied = await asked(
            url, path, 403, headers={"Authorization": "Bearer portfolio-only"}, **query
        )
        allowed = 503 if path == "history" else 200  # no ingest leads that has its bars
        await asked(url, path, allowed, headers={"Authorization": "Bearer all-of-it"}, **query)

    assert [each["error"]["code"] for each in refused] == ["unauthorized"] * 3
    assert denied["error"]["code"] == "scope_denied"
    assert {each["s"] for each in (*refused, denied)} == {"error"}


async def test_a_page_of_an_allowed_origin_may_read_it_and_its_errors() -> None:
    origin = {"Origin": "https://charts.example"}
    async with (
        running_gateway(RedisSource("memory://"), cors_origins=["https://charts.example"]) as url,
        httpx.AsyncClient(base_url=url, headers=origin) as client,
    ):
        answers = [
            await client.get("/api/udf/config"),
            await client.get("/api/udf/symbols?symbol=SPY"),
            await client.get("/api/udf/symbols?symbol="),
        ]

    assert [answer.status_code for answer in answers] == [200, 200, 400]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == "https://charts.example"


async def test_without_redis_the_history_is_an_error_with_a_time_to_retry(
    valkey: ValkeyServer,
) -> None:
    async with (
        running_gateway(RedisSource(valkey.url)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        await valkey.stop()
        answer = await client.get("/api/udf/history?symbol=SPY&resolution=1&from=1&to=2")

    assert (answer.status_code, answer.json()["s"]) == (503, "error")
    assert answer.json()["errmsg"].startswith("Redis is unreachable")
    assert answer.headers["retry-after"]


async def test_it_shares_the_bound_of_bars_under_way(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_rows, "MAX_ROWS_HELD", 150)
    reading, go_on = asyncio.Event(), asyncio.Event()
    read = BarHistory.read

    async def read_slowly(history: BarHistory, query: BarQuery) -> Any:
        reading.set()
        await go_on.wait()
        return await read(history, query)

    monkeypatch.setattr(BarHistory, "read", read_slowly)
    async with (
        running_bars(any_source) as bars,
        running_gateway(any_source) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        await bars.publish(minute_bar(0))
        first = asyncio.create_task(history(url, countback=100))
        await reading.wait()
        rejected = await history(url, 429, countback=100)
        also = await client.get("/api/bars?symbols=SPY")
        go_on.set()
        assert (await first)["t"] == [at(0)]
        # Answers that were read, or were empty, hold no room.
        for _ in range(3):
            assert (await history(url, countback=100))["t"] == [at(0)]
            before = {"from": at(-9), "to": at(0)}
            assert await history(url, countback=100, **before) == {"s": "no_data"}

    assert (rejected["s"], rejected["error"]["code"]) == ("error", "busy")
    assert also.status_code == 429


async def test_the_newest_bars_of_a_range_are_at_most_so_many(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udf, "MAX_BARS_OF_SYMBOL", 3)
    async with running_bars(any_source) as bars, running_gateway(any_source) as url:
        await bars.publish(*(minute_bar(minute) for minute in range(6)))
        answers = [await history(url), await history(url, countback=5)]

    assert [answer["t"] for answer in answers] == [[at(3), at(4), at(5)]] * 2


async def test_errors_of_all_other_paths_keep_their_form() -> None:
    async with (
        running_gateway(RedisSource("memory://")) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        for path in ("/api/udf", "/api/udfs/history", "/api/bars"):
            assert (await client.get(path)).json().keys() == {"error"}


def test_days_are_shown_in_their_own_year() -> None:
    start = int(datetime(2026, 1, 1, 5, tzinfo=UTC).timestamp())

    assert udf_times.shown("1Day", start, NEW_YORK) == start - 5 * 3600
