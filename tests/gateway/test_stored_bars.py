"""``GET /api/bars``: what the histories in Redis hold, bar by bar."""

from typing import Any

import httpx
import pytest

from gateway.bus import bar_history
from gateway.http import stored_values
from shared.bar import Bar
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.gap import GAP, Gap
from tests.gateway.ingest_stub import IngestStub, ingest_stub
from tests.keyspace import KEYSPACE
from tests.services import running_gateway


def start(minute: int) -> str:
    """The start of a bar."""
    return f"2013-10-07T{13 + minute // 60:02}:{minute % 60:02}:00Z"


async def store(
    ingest: IngestStub, seq: int, minute: int, *, revision: int = 0, topic: str = "bar.1Min:SPY"
) -> None:
    bar = Bar(
        symbol=topic.partition(":")[2],
        open=1,
        high=2,
        low=1,
        close=2,
        volume=seq,
        trade_count=1,
        vwap=1.5,
        revision=revision,
        final=True,
        timestamp=start(minute),
    )
    await ingest.tell(seq, topic, bar)


async def bars(url: str, **query: Any) -> dict[str, list[tuple[str, int]]]:
    """Start and revision of each bar by symbol."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/api/bars", params=query)
    assert answer.status_code == 200, answer.text
    return {
        symbol: [(bar["timestamp"], bar["revision"]) for bar in found]
        for symbol, found in answer.json()["bars"].items()
    }


async def test_the_newest_bars_come_oldest_first_as_they_are(any_source: RedisSource) -> None:
    async with ingest_stub(any_source) as ingest, running_gateway(any_source) as url:
        for minute in range(5):
            await store(ingest, minute + 1, minute)
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{url}/api/bars?symbols=spy,IBM&limit=2")

    assert answer.json()["timeframe"] == "1Min"
    assert list(answer.json()["bars"]) == ["SPY", "IBM"]
    assert [bar["timestamp"] for bar in answer.json()["bars"]["SPY"]] == [start(3), start(4)]
    assert answer.json()["bars"]["SPY"][1] == {
        "event_id": "1-5",
        "symbol": "SPY",
        "open": 1.0,
        "high": 2.0,
        "low": 1.0,
        "close": 2.0,
        "volume": 5.0,
        "trade_count": 1,
        "vwap": 1.5,
        "revision": 0,
        "final": True,
        "timestamp": start(4),
    }
    assert answer.json()["bars"]["IBM"] == []


async def test_each_timeframe_has_its_bars(any_source: RedisSource) -> None:
    async with ingest_stub(any_source) as ingest, running_gateway(any_source) as url:
        for seq, kind in enumerate(("bar.1Min", "bar.5Min", "bar.1Day"), 1):
            await store(ingest, seq, seq, topic=f"{kind}:SPY")
        found = [
            await bars(url, symbols="SPY", timeframe=each) for each in ("1Min", "5Min", "1Day")
        ]

    assert found == [{"SPY": [(start(minute), 0)]} for minute in (1, 2, 3)]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_of_a_bars_revisions_the_newest_counts_wherever_it_stands(
    any_source: RedisSource, limit: int
) -> None:
    async with ingest_stub(any_source) as ingest, running_gateway(any_source) as url:
        for seq, (minute, revision) in enumerate([(0, 0), (1, 0), (0, 1), (2, 0), (1, 1)], 1):
            await store(ingest, seq, minute, revision=revision)
        found = await bars(url, symbols="SPY", limit=limit)

    expected = [(start(0), 1), (start(1), 1), (start(2), 0)]
    assert found == {"SPY": expected[-limit:]}


async def test_many_revisions_hide_no_bar(any_source: RedisSource) -> None:
    """More of them than are read at once."""
    revisions = bar_history._SPARE * 3
    async with ingest_stub(any_source) as ingest, running_gateway(any_source) as url:
        await store(ingest, 1, 0)
        await store(ingest, 1, 0, topic="bar.1Min:IBM")
        for revision in range(revisions):
            await store(ingest, 2 + revision, 1, revision=revision)
        found = await bars(url, symbols="SPY,IBM", limit=2)

    assert found == {
        "SPY": [(start(0), 0), (start(1), revisions - 1)],
        "IBM": [(start(0), 0)],
    }


async def test_entries_that_are_not_bars_are_skipped(any_source: RedisSource) -> None:
    async with ingest_stub(any_source) as ingest, running_gateway(any_source) as url:
        await store(ingest, 1, 0)
        topic = "bar.1Min:SPY"
        lost = Gap(topics=[topic], from_=start(0), to=start(1), reason="not_recorded")
        await ingest.tell(2, topic, lost, GAP)
        history = "{bar.1Min:SPY}:history"
        await ingest.client.xadd(history, {"data": b"no json"}, id="1-3")
        await ingest.client.xadd(history, {"other": b"version"}, id="1-4")
        found = await bars(url, symbols="SPY")

    assert found == {"SPY": [(start(0), 0)]}


async def test_a_history_of_another_type_hides_the_bars_of_no_other_symbol(
    any_source: RedisSource,
) -> None:
    async with ingest_stub(any_source) as ingest, running_gateway(any_source) as url:
        await store(ingest, 1, 0)
        await ingest.client.set(KEYSPACE.history("bar.1Min:IBM"), "of another program")
        found = await bars(url, symbols="IBM,SPY")

    assert found == {"IBM": [], "SPY": [(start(0), 0)]}


async def test_more_bars_than_one_answer_holds_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored_values, "MAX_BARS", 30)
    async with (
        running_gateway(RedisSource("memory://")) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        refused = await client.get("/api/bars?symbols=A,B,C&limit=11")
        served = await client.get("/api/bars?symbols=A,B,C&limit=10")

    assert refused.status_code == 400
    assert refused.json()["error"] == {
        "code": "too_many_bars",
        "message": "3 symbols with 11 bars each were requested; the maximum is 30 bars in one "
        "request",
        "hint": "request fewer symbols, or limit=10",
    }
    assert served.status_code == 200


@pytest.mark.parametrize("path", ["/api/bars?symbols=SPY", "/api/prices?symbols=SPY"])
async def test_without_redis_stored_values_are_rejected_with_a_time_to_retry(
    valkey: ValkeyServer, path: str
) -> None:
    async with (
        running_gateway(RedisSource(valkey.url)) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        await valkey.stop()
        answer = await client.get(path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "redis_unavailable")
    assert answer.headers["retry-after"]
