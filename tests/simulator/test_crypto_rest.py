"""REST for pairs over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from simulator.crypto.book_tape import GEMINI, read_book_tape
from simulator.protocol import rfc3339
from simulator.service import Simulator, SimulatorSettings
from tests.simulator.client import KEYS

NOW = rfc3339.parse("2026-11-23T15:30:30Z")
SECOND = rfc3339.SECOND
MINUTE = 60 * SECOND
TRADE = {"T": "t", "S": "BTC/USD", "p": 64000.5, "s": 0.25, "i": 2**62 + 1, "tks": "S"}
QUOTE = {"T": "q", "S": "BTC/USD", "bp": 64000, "bs": 1, "ap": 64002.5, "as": 0.5}
BOOK = {
    "T": "o",
    "S": "BTC/USD",
    "b": [{"p": 64000, "s": 1}, {"p": 63000.5, "s": 2}],
    "a": [{"p": 64002.5, "s": 0.5}],
    "r": True,
}
BASE = "/v1beta3/crypto/us/"


@pytest.fixture
async def stopped() -> AsyncIterator[Simulator]:
    """Return a simulator whose time stands still."""
    settings = SimulatorSettings(tape=None, requests_per_minute=50)
    async with Simulator(settings, clock=lambda: NOW) as simulator:
        yield simulator


@pytest.fixture
async def http(stopped: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stopped.rest_url, headers=KEYS) as client:
        yield client


async def get(http: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await http.get(BASE + path, params={"symbols": "BTC/USD,NO/USD"} | query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_newest_of_each_kind_is_shown_by_pair(
    stopped: Simulator, http: httpx.AsyncClient
) -> None:
    for message in (TRADE, QUOTE | {"S": "ETH/USD"}, BOOK):
        await stopped.publish(message | {"t": NOW - SECOND})
    at = "2026-11-23T15:30:29Z"
    quote = {"bp": 64000, "bs": 1, "ap": 64002.5, "as": 0.5, "t": at}
    trade = {"p": 64000.5, "s": 0.25, "t": at, "i": 2**62 + 1, "tks": "S"}

    assert await get(http, "latest/trades") == {"trades": {"BTC/USD": trade}}
    assert await get(http, "latest/quotes", symbols="BTC/USD, ETH/USD") == {
        "quotes": {"BTC/USD": quote, "ETH/USD": quote}
    }
    assert await get(http, "latest/orderbooks") == {
        "orderbooks": {"BTC/USD": {"t": at, "b": BOOK["b"], "a": BOOK["a"]}}
    }
    assert await get(http, "latest/bars") == {"bars": {}}


async def test_a_removed_level_is_shown_with_size_0_until_the_next_message(
    stopped: Simulator, http: httpx.AsyncClient
) -> None:
    await stopped.publish(BOOK)
    await stopped.publish({"T": "o", "S": "BTC/USD", "b": [{"p": 64000, "s": 0}], "a": []})
    first = await get(http, "latest/orderbooks")
    await stopped.publish({"T": "o", "S": "BTC/USD", "b": [], "a": []})
    second = await get(http, "latest/orderbooks")

    left = {"p": 63000.5, "s": 2}
    assert first["orderbooks"]["BTC/USD"]["b"] == [{"p": 64000, "s": 0}, left]
    assert second["orderbooks"]["BTC/USD"]["b"] == [left]


async def test_a_snapshot_has_trade_quote_and_bars(
    stopped: Simulator, http: httpx.AsyncClient
) -> None:
    await stopped.publish(TRADE | {"t": NOW - 24 * 60 * MINUTE, "p": 63000})
    await stopped.publish(TRADE | {"t": NOW - MINUTE})
    await stopped.publish(QUOTE | {"t": NOW - 2 * SECOND})
    await stopped.publish(QUOTE | {"S": "ETH/USD", "t": NOW - MINUTE})
    answer = await get(http, "snapshots", symbols="BTC/USD,NO/USD,ETH/USD")

    assert list(answer["snapshots"]) == ["BTC/USD", "ETH/USD"]
    one, other = answer["snapshots"].values()
    assert (one["latestTrade"]["p"], one["latestQuote"]["ap"]) == (64000.5, 64002.5)
    prices = dict.fromkeys(("o", "h", "l", "c", "vw"), 64000.5)
    bar = prices | {"v": 0.25, "n": 1}
    assert one["minuteBar"] == bar | {"t": "2026-11-23T15:29:00Z"}
    assert one["dailyBar"] == bar | {"t": "2026-11-23T06:00:00Z"}
    assert (one["prevDailyBar"]["c"], one["prevDailyBar"]["t"]) == (63000, "2026-11-22T06:00:00Z")
    assert other["latestTrade"] is None
    assert [other["minuteBar"][name] for name in ("c", "v", "n", "vw")] == [64001.25, 0, 0, 0]


async def test_trades_come_in_pages(stopped: Simulator, http: httpx.AsyncClient) -> None:
    for number in range(5):
        pair = ("ETH/USD", "BTC/USD")[number % 2]
        await stopped.publish(TRADE | {"S": pair, "i": number, "t": NOW - number * SECOND})
    token: str | None = ""
    found: list[tuple[str, object]] = []
    while token is not None:
        query: Any = {"limit": 2, "page_token": token, "symbols": "ETH/USD,BTC/USD,NO/USD"}
        page = await get(http, "trades", sort="desc", start="2026-11-23", **query)
        found += [(pair, row["i"]) for pair, rows in page["trades"].items() for row in rows]
        token = page["next_page_token"]

    expected = [("BTC/USD", 1), ("BTC/USD", 3), ("ETH/USD", 0), ("ETH/USD", 2), ("ETH/USD", 4)]
    assert found == expected
    recent = await get(http, "trades", symbols="ETH/USD", start="2026-11-23T15:30:27Z")
    assert [row["i"] for row in recent["trades"]["ETH/USD"]] == [2, 0]
    assert recent["trades"]["ETH/USD"][0] == {
        key: value for key, value in TRADE.items() if key not in "TS"
    } | {"i": 2, "t": "2026-11-23T15:30:28Z"}


async def test_bars_come_in_pages_of_any_time_frame(
    stopped: Simulator, http: httpx.AsyncClient
) -> None:
    for minute in (12, 9, 3):
        await stopped.publish(TRADE | {"t": NOW - minute * MINUTE})
        await stopped.publish(QUOTE | {"S": "ETH/USD", "t": NOW - minute * MINUTE})
    query: Any = {"timeframe": "1Min", "limit": 2, "symbols": "ETH/USD,BTC/USD"}
    token: str | None = ""
    found: list[tuple[str, object]] = []
    while token is not None:
        page = await get(http, "bars", page_token=token, **query)
        found += [(pair, row["t"][11:16]) for pair, rows in page["bars"].items() for row in rows]
        token = page["next_page_token"]
    five = await get(http, "bars", timeframe="5Min", sort="desc", symbols="ETH/USD")
    newest = await get(http, "latest/bars", symbols="BTC/USD,ETH/USD")

    assert found == [
        *(("BTC/USD", f"15:{minute}") for minute in (18, 21, 27)),
        *(("ETH/USD", f"15:{minute}") for minute in range(18, 30)),
    ]
    assert [row["t"][11:16] for row in five["bars"]["ETH/USD"]] == ["15:25", "15:20", "15:15"]
    assert {row["vw"] for row in five["bars"]["ETH/USD"]} == {0}
    assert [newest["bars"][pair]["t"][11:16] for pair in ("BTC/USD", "ETH/USD")] == [
        "15:27",
        "15:29",
    ]


async def test_days_are_those_of_chicago_also_in_queries(
    stopped: Simulator, http: httpx.AsyncClient
) -> None:
    midnight = rfc3339.parse("2026-11-23T06:00:00Z")
    for at in (midnight - 1, midnight):
        await stopped.publish(TRADE | {"t": at})
    for query in ({"start": "2026-11-23"}, {}):
        minutes = await get(http, "bars", timeframe="1Min", limit=1, **query)
        assert [row["t"] for row in minutes["bars"]["BTC/USD"]] == ["2026-11-23T06:00:00Z"]
    days = await get(http, "bars", timeframe="1Day", start="2026-11-01")
    months = await get(http, "bars", timeframe="1Month", start="2026-11-01")

    assert [row["t"][8:16] for row in days["bars"]["BTC/USD"]] == ["22T06:00", "23T06:00"]
    assert [row["t"] for row in months["bars"]["BTC/USD"]] == ["2026-11-01T05:00:00Z"]


@pytest.mark.parametrize("location", ["us", "us-1", "eu-1"])
async def test_all_locations_have_the_same(
    stopped: Simulator, http: httpx.AsyncClient, location: str
) -> None:
    await stopped.publish(BOOK)
    path = f"/v1beta3/crypto/{location}/latest/orderbooks?symbols=BTC%2FUSD"
    answer = await http.get(path)

    assert answer.json()["orderbooks"]["BTC/USD"]["a"] == BOOK["a"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/v1beta3/crypto/mars/snapshots?symbols=BTC/USD", "invalid location: mars"),
        (BASE + "snapshots", "symbols are required"),
        (BASE + "latest/trades?symbols=", "symbols are required"),
        (BASE + "latest/quotes?symbols=BTC/USD,AAPL", "invalid symbol: AAPL"),
        (BASE + "latest/orderbooks?symbols=btc/usd", "invalid symbol: btc/usd"),
        (BASE + "bars?symbols=BTC/USD", "invalid timeframe: "),
        (BASE + "bars?symbols=BTC/USD&timeframe=2Day", "invalid timeframe: 2Day"),
        (BASE + "bars?symbols=BTC/USD&timeframe=1Min&page_token=x", "invalid page_token: x"),
        (BASE + "trades?symbols=BTC/USD&limit=0", "invalid limit: 0"),
        (BASE + "trades?symbols=BTC/USD&start=noon", "invalid start: noon"),
    ],
)
async def test_a_wrong_request_is_named(http: httpx.AsyncClient, path: str, text: str) -> None:
    answer = await http.get(path)

    assert (answer.status_code, answer.json()) == (400, {"message": text})


async def test_an_unknown_path_is_not_found(http: httpx.AsyncClient) -> None:
    assert (await http.get(BASE + "perps?symbols=BTC/USD")).status_code == 404


async def test_the_keys_are_needed_and_the_budget_is_that_of_all_market_data(
    stopped: Simulator, http: httpx.AsyncClient
) -> None:
    async with httpx.AsyncClient(base_url=stopped.rest_url) as stranger:
        refused = await stranger.get(BASE + "snapshots?symbols=BTC/USD")
    paths = [BASE + "snapshots?symbols=BTC/USD", "/v2/stocks/snapshots?symbols=SPY"]
    left = [(await http.get(path)).headers["X-Ratelimit-Remaining"] for path in paths]

    assert refused.status_code == 401
    assert left == ["49", "48"]


async def test_requests_for_pairs_can_be_made_to_fail(
    stopped: Simulator, http: httpx.AsyncClient
) -> None:
    stopped.faults.rest(status=503, path=BASE + "latest/")
    paths = ("/v2/stocks/snapshots?symbols=SPY", BASE + "snapshots?symbols=BTC/USD")
    found = [(await http.get(path)).status_code for path in paths]
    failed = await http.get(BASE + "latest/trades?symbols=BTC/USD")

    assert (found, failed.status_code) == ([200, 200], 503)
    with pytest.raises(ValueError, match=r"starts with /v2/, /v1beta1/ or /v1beta3/"):
        stopped.faults.rest(status=503, path="/v1/")


async def test_a_tape_of_pairs_has_a_history_that_leads_to_it() -> None:
    settings = SimulatorSettings(tape=None, crypto_tape=GEMINI, history=True, loop=False)
    pairs = sorted(read_book_tape(GEMINI).symbols)
    async with (
        Simulator(settings, clock=lambda: NOW) as simulator,
        httpx.AsyncClient(base_url=simulator.rest_url, headers=KEYS) as http,
    ):
        query: dict[str, Any] = {"symbols": ",".join(pairs), "limit": 10_000}
        minutes = await get(http, "bars", timeframe="1Min", start="2026-11-23T15:00:00Z", **query)
        days = await get(http, "bars", timeframe="1Day", start="2026-11-01", **query)

    assert sorted(minutes["bars"]) == sorted(days["bars"]) == pairs
    for pair in pairs:
        assert [row["t"][11:16] for row in minutes["bars"][pair]] == [
            f"15:{minute:02}" for minute in range(30)
        ]
        assert len(days["bars"][pair]) == 23
