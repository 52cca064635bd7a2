"""The stored prices of a Redis that lost its data while the lease changed hands."""

import json
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from ingest.bus.returned_prices import ReturnedPrices
from ingest.bus.stored_prices import StoredPrices
from shared.bus.beginning import SINCE
from shared.bus.errors import PricesAwaitedError
from shared.bus.malformed_stored import MalformedStored
from shared.bus.redis_source import RedisSource
from shared.bus.rejections import Rejections
from tests.keyspace import KEYSPACE

EPOCH = 7


class Stage:
    """A leader of epoch 7, whose clients watch the price of SPY."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        stored = StoredPrices(client, KEYSPACE, Rejections(), MalformedStored())
        self.prices = ReturnedPrices(
            stored, client, KEYSPACE, lambda: EPOCH, {"price:SPY"}.__contains__
        )

    async def lead(self, since: str) -> None:
        await self.client.set(KEYSPACE.epoch, EPOCH)
        await self.client.hset(KEYSPACE.histories, SINCE, since)

    async def store(self) -> None:
        fields = {"event_id": "6-1", "symbol": "SPY", "price": 5, "timestamp": None}
        await self.client.set(KEYSPACE.last("price:SPY"), b"6-1\n" + json.dumps(fields).encode())

    async def claim(self) -> None:
        await self.client.hset(KEYSPACE.interest, "gateway-1 price:SPY", "1 1")

    async def read(self, *symbols: str) -> list[float | None]:
        return [price.price for price in await self.prices.read(symbols)]


@pytest.fixture
async def stage(any_source: RedisSource) -> AsyncIterator[Stage]:
    async with any_source.client("test") as client:
        yield Stage(client)


async def test_a_symbol_with_no_price_in_an_intact_redis_has_none(stage: Stage) -> None:
    await stage.lead("6-0")

    assert await stage.read("SPY") == []


@pytest.mark.parametrize("since", ["7-0", "7-12", "noon"])
async def test_after_a_loss_a_watched_symbol_with_no_price_is_awaited_until_it_is_claimed(
    stage: Stage, since: str
) -> None:
    await stage.lead(since)
    with pytest.raises(PricesAwaitedError):
        await stage.read("IBM", "SPY")

    await stage.store()
    assert await stage.read("SPY") == [5]
    await stage.client.delete(KEYSPACE.last("price:SPY"))
    await stage.claim()
    assert await stage.read("SPY") == []


async def test_a_symbol_that_no_client_watches_is_not_awaited(stage: Stage) -> None:
    await stage.lead("7-0")

    assert await stage.read("IBM") == []


async def test_while_redis_has_lost_the_leaders_number_nothing_is_known(stage: Stage) -> None:
    await stage.lead("6-0")
    await stage.claim()
    await stage.client.flushall()

    with pytest.raises(PricesAwaitedError):
        await stage.read("SPY")
