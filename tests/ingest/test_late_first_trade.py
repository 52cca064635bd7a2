"""The first trade that the stream brings to a leader may be older than the price that is shown."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from ingest.bus.stored_prices import StoredPrices
from ingest.upstream import stored_values
from shared.bus.redis_source import RedisSource
from shared.price import Price
from tests.ingest.watching import relay, subscribed, trade, until_subscribed
from tests.keyspace import KEYSPACE
from tests.services import until


@pytest.fixture
def source() -> RedisSource:
    return RedisSource("memory://")


class _Reading:
    """The reading of the stored prices, held up until the test lets it go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        read = StoredPrices.read

        async def held_up(stored: StoredPrices, symbols: list[str]) -> list[Price]:
            self.begun.set()
            await self.may_end.wait()
            return await read(stored, symbols)

        monkeypatch.setattr(StoredPrices, "read", held_up)


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


async def store(client: Redis, symbol: str, price: float, timestamp: str) -> None:
    """Store a price as a leader of epoch 1 published it."""
    fields = {"event_id": "1-1", "symbol": symbol, "price": price, "timestamp": timestamp}
    await client.set(KEYSPACE.last(f"price:{symbol}"), b"1-1\n" + json.dumps(fields).encode())


async def test_a_late_trade_that_comes_first_does_not_replace_the_newer_price_that_is_stored(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = _Reading(monkeypatch)
    monkeypatch.setattr(stored_values, "RESTORE_SECONDS", 60.0)
    async with relay(source) as (simulator, watching, _):
        await store(watching.client, "SPY", 100.5, ago(0.5))
        pubsub = watching.client.pubsub()
        await pubsub.subscribe("price:SPY")
        await watching.watch("SPY")
        await reading.begun.wait()
        assert subscribed(simulator) == []
        reading.may_end.set()
        await until_subscribed(simulator, "SPY")
        await trade(simulator, "SPY", 99.5, t=ago(2))
        await trade(simulator, "SPY", 101)
        await watching.until_price("SPY", 101)
        published = []
        while (found := await pubsub.get_message(timeout=0)) is not None:
            if found["type"] == "message":
                published.append(json.loads(found["data"].partition(b"\n")[2])["price"])
        await pubsub.unsubscribe()
        await pubsub.aclose()  # type: ignore[no-untyped-call]

    assert published, "the new price was published"
    assert 99.5 not in published


async def test_a_reading_that_does_not_end_keeps_no_price_from_clients(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = _Reading(monkeypatch)
    monkeypatch.setattr(stored_values, "RESTORE_SECONDS", 0.05)
    async with relay(source) as (simulator, watching, _):
        with capture_logs() as lines:
            await watching.watch("SPY")
            await until_subscribed(simulator, "SPY")
            await trade(simulator, "SPY", 101)
            await watching.until_price("SPY", 101)
        await until(reading.begun.is_set)
        reading.may_end.set()

    assert "stored_values_unread" in [line["event"] for line in lines]
