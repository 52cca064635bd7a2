"""``GET /api/bars`` beyond what Redis has: the ingest's bars, or an answer that lacks them."""

import time
from typing import Any, get_args

import httpx
import pytest

from shared import rfc3339
from shared.bus import keys
from shared.bus.redis_source import RedisSource
from shared.request import Adjustment
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from tests.bars import minute_bar, running_bars, start
from tests.gateway.ingest_stub import ingest_stub
from tests.keyspace import KEYSPACE
from tests.services import running_gateway, running_ingest, until

ANYTHING = {"symbols": "SPY"}
RANGE = {"symbols": "SPY", "start": start(-60), "end": start(60)}
RAW = {"symbols": "SPY", "adjustment": "raw"}


async def asked(url: str, **query: Any) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(f"{url}/api/bars", params=query)


@pytest.fixture
def _waits_are_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever waits for an ingest exceeds the limit of the test."""
    monkeypatch.setattr(keys, "REQUEST_MILLISECONDS", 3_600_000)


@pytest.mark.usefixtures("_waits_are_endless")
async def test_if_no_ingest_reports_redis_answers_at_once_and_says_from_when_on_it_is_whole(
    any_source: RedisSource,
) -> None:
    async with running_bars(any_source) as bars, running_gateway(any_source) as url:
        await bars.fill(*(minute_bar(minute) for minute in range(3)), since=0)
        answers = [await asked(url, **query) for query in (ANYTHING, RANGE)]

        assert await bars.client.hlen(KEYSPACE.requests) == 0

    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["bars"]["SPY"]) == 3
        assert answer.json()["complete_from"] == {"SPY": start(0)}


@pytest.mark.usefixtures("_waits_are_endless")
@pytest.mark.parametrize(
    ("query", "status"),
    [
        (ANYTHING | {"symbols": "IBM"}, 200),
        (RANGE | {"symbols": "SPY,IBM"}, 503),
        ({"symbols": "IBM", "end": start(1)}, 503),
        (RAW, 503),
    ],
)
async def test_a_range_of_which_nothing_is_known_and_raw_prices_need_an_ingest(
    any_source: RedisSource, query: dict[str, Any], status: int
) -> None:
    async with running_bars(any_source) as bars, running_gateway(any_source) as url:
        await bars.fill(minute_bar(0), since=0)
        answer = await asked(url, **query)

    assert answer.status_code == status, answer.text
    if status == 200:
        assert answer.json()["bars"] == {"IBM": []}
        assert answer.json()["complete_from"] == {"IBM": None}
    else:
        error = answer.json()["error"]
        assert error["code"] == "no_ingest"
        assert "no ingest leads" in error["message"]
        assert "/readyz" in error["hint"]
        assert answer.headers["retry-after"]


@pytest.mark.parametrize(("query", "status"), [(RANGE, 200), (RAW, 504)])
async def test_an_ingest_that_does_not_reply_costs_its_bars_but_not_those_of_redis(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch, query: dict[str, Any], status: int
) -> None:
    monkeypatch.setattr(keys, "REQUEST_MILLISECONDS", 100)
    async with (
        running_bars(any_source) as bars,
        ingest_stub(any_source) as stub,
        running_gateway(any_source) as url,
    ):
        await bars.fill(minute_bar(0), since=0)
        await until_reported(stub, url)
        answer = await asked(url, **query)

    assert answer.status_code == status, answer.text
    if status == 200:
        assert answer.json()["complete_from"] == {"SPY": start(0)}
    else:
        assert answer.json()["error"]["code"] == "ingest_timeout"


async def until_reported(stub: Any, url: str) -> None:
    """Wait until a gateway knows of an ingest."""

    async def is_known() -> bool:
        await stub.report(1)
        async with httpx.AsyncClient() as client:
            return bool((await client.get(f"{url}/readyz")).json()["feed_state"] == "live")

    await until(is_known)


async def test_a_flood_of_requests_is_rejected_for_now(
    any_source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "REQUESTS_AT_MOST", 1)
    async with (
        running_bars(any_source) as bars,
        ingest_stub(any_source) as stub,
        running_gateway(any_source) as url,
    ):
        await bars.fill(minute_bar(0), since=0)
        await bars.client.hset(KEYSPACE.requests, "0" * 40, "another request")
        await until_reported(stub, url)
        answer = await asked(url, **RANGE)

    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "ingest_busy")
    assert answer.headers["retry-after"]


async def of_rest(simulator: Simulator, adjustment: str, **query: Any) -> list[dict[str, Any]]:
    """Return bars as the simulator's REST has them."""
    async with httpx.AsyncClient(base_url=simulator.rest_url) as client:
        answer = await client.get(
            "/v2/stocks/bars",
            params={"feed": "iex", "limit": 10_000, "adjustment": adjustment, **query},
            headers={"APCA-API-KEY-ID": DEFAULT_KEY, "APCA-API-SECRET-KEY": DEFAULT_SECRET},
        )
    found: list[dict[str, Any]] = answer.json()["bars"][query["symbols"]]
    return found


def compared(bars: list[dict[str, Any]], names: str) -> list[tuple[Any, ...]]:
    return [
        (rfc3339.to_nanoseconds(bar[at]), *(bar[name] for name in values))
        for bar in bars
        for at, *values in [names.split()]
    ]


OURS = "timestamp open high low close volume trade_count vwap"
ALPACAS = "t o h l c v n vw"


@pytest.mark.parametrize("adjustment", get_args(Adjustment))
async def test_bars_that_nobody_has_charted_are_alpacas_and_are_kept_for_when_no_ingest_leads(
    any_source: RedisSource, adjustment: str
) -> None:
    # Trading days of the invented history, before the day of a split.
    newest = int(time.time()) - 3 * 24 * 3600
    span = {
        "symbols": "SPY",
        "timeframe": "1Day",
        "start": rfc3339.from_nanoseconds((newest - 30 * 24 * 3600) * 1_000_000_000),
        "end": rfc3339.from_nanoseconds(newest * 1_000_000_000),
    }
    settings = SimulatorSettings(history=True, splits={"SPY": 4})
    async with Simulator(settings) as simulator, running_gateway(any_source) as url:
        async with running_ingest(any_source, simulator):

            async def is_led() -> bool:
                async with httpx.AsyncClient() as client:
                    return bool((await client.get(f"{url}/readyz")).json()["feed_state"] != "down")

            await until(is_led)
            answer = await asked(url, **span, adjustment=adjustment)
            expected = await of_rest(simulator, adjustment, **span)
        again = await asked(url, **span, adjustment=adjustment)

    assert answer.status_code == 200, answer.text
    bars = answer.json()["bars"]["SPY"]
    assert len(bars) > 10
    assert compared(bars, OURS) == compared(expected, ALPACAS)
    assert rfc3339.to_nanoseconds(answer.json()["complete_from"]["SPY"]) <= rfc3339.to_nanoseconds(
        bars[0]["timestamp"]
    )
    assert again.json()["bars"] == answer.json()["bars"]
