"""What REST adds: first prices, previous closes, hours; and what happens without it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ingest.bus.outbox import Outbox
from ingest.bus.stored_prices import StoredPrices
from ingest.demand.subscription import Subscription
from ingest.demand.wanted import Demand
from ingest.market.last_price import LastPrices
from ingest.market.market_hours import MarketHours
from ingest.upstream import first_prices, hours_refresh
from ingest.upstream.alpaca_rest import AlpacaRest, RestError
from ingest.upstream.first_prices import FirstPrices
from ingest.upstream.frame import FrameReader
from ingest.upstream.hours_refresh import HoursRefresh
from shared import keys
from shared.redis_source import RedisSource
from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.peers import tcp_server
from tests.ingest.trades import NOON, SECOND, two_days
from tests.services import until

DAY = 24 * 3600 * SECOND


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


@asynccontextmanager
async def background(work: FirstPrices | HoursRefresh) -> AsyncIterator[None]:
    task = asyncio.create_task(work.run())
    try:
        yield
        assert not task.done(), "it has ended"
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_snapshots_come_by_symbol_without_those_that_alpaca_lacks() -> None:
    async with simulated() as (simulator, rest):
        await simulator.publish({"T": "t", "S": "SPY", "p": 5.5, "s": 1})
        found = await rest.snapshots(["SPY", "NOSUCH"])

    assert list(found) == ["SPY"]
    assert found["SPY"]["latestTrade"]["p"] == 5.5


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
        tcp_server(answer) as (url, _),
        rest_of(url.replace("ws:", "http:")) as rest,
    ):
        with pytest.raises(RestError, match=r"\w+: \w+"):
            await rest.clock()


class Stage:
    """First prices with what they stand on, at a time of our own."""

    def __init__(self, rest: AlpacaRest) -> None:
        self.now = NOON
        self.demand = Demand(lambda: 0.0)
        self.prices = LastPrices(two_days())
        self.outbox = Outbox()
        reader = FrameReader(self.prices, Subscription(None), self.outbox)
        self.redis = RedisSource("memory://").client("test")
        stored = StoredPrices(self.redis)
        self.work = FirstPrices(rest, stored, self.demand, self.prices, reader, lambda: self.now)

    def published(self, topic: str) -> int:
        return sum(each.topic == topic for each in self.outbox._queue)


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_prices, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(first_prices, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(hours_refresh, "RETRY_SECONDS", 0.01)


async def test_each_symbol_is_looked_up_once_and_again_on_a_new_day() -> None:
    async with simulated() as (simulator, rest):
        stage = Stage(rest)
        for symbol in ("SPY", "IBM"):
            await simulator.publish({"T": "t", "S": symbol, "p": 5.5, "s": 1})
        async with background(stage.work):
            stage.demand.update(["price:SPY"])
            await until(lambda: stage.published("price:SPY") == 1)
            stage.demand.update(["price:SPY", "price:IBM"])
            await until(lambda: stage.published("price:IBM") == 1)
            assert stage.published("price:SPY") == 1

            stage.now += DAY
            await until(lambda: stage.published("price:SPY") == 2)
            await until(lambda: stage.published("price:IBM") == 2)


async def test_what_failed_is_asked_again_until_it_is_answered() -> None:
    async with Simulator(SimulatorSettings(tape=None)) as first:
        port = first.port
    async with rest_of(f"http://127.0.0.1:{port}") as rest:
        stage = Stage(rest)
        stage.demand.update(["price:SPY"])
        async with background(stage.work):
            await until(lambda: stage.work._failing)
            async with Simulator(SimulatorSettings(tape=None, port=port)):
                await until(lambda: stage.published("price:SPY") == 1)

    assert stage.prices.by_symbol["SPY"].reason == "unknown_symbol"


async def test_a_malformed_snapshot_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with simulated() as (simulator, rest):
        for symbol in ("IBM", "SPY"):
            await simulator.publish({"T": "t", "S": symbol, "p": 5.5, "s": 1})
        real = await rest.snapshots(["IBM", "SPY"])

        async def snapshots(symbols: list[str]) -> dict[str, object]:
            return real | {"IBM": {"latestTrade": {"t": "yesterday", "p": 1, "s": 1}}}

        monkeypatch.setattr(rest, "snapshots", snapshots)
        stage = Stage(rest)
        stage.demand.update(["price:IBM", "price:SPY"])
        async with background(stage.work):
            await until(lambda: stage.published("price:SPY") == 1)
        assert stage.published("price:IBM") == 0


async def test_hours_come_from_alpaca_as_soon_as_it_answers() -> None:
    taken: list[MarketHours] = []
    async with Simulator(SimulatorSettings(tape=None)) as first:
        port = first.port
    async with (
        rest_of(f"http://127.0.0.1:{port}") as rest,
        background(refresh := HoursRefresh(rest, taken.append)),
    ):
        await until(lambda: refresh._failing)
        assert taken == []
        async with Simulator(SimulatorSettings(tape=None, port=port)):
            await until(lambda: bool(taken))

    assert taken[0].next_open() is not None


async def test_a_new_leader_does_not_go_back_behind_what_the_old_one_published() -> None:
    async with simulated() as (simulator, rest):
        await simulator.publish({"T": "t", "S": "SPY", "p": 5.5, "s": 1})
        stage = Stage(rest)
        ahead = (
            b'7-1\n{"event_id":"7-1","symbol":"SPY","price":6.5,"timestamp":"2099-01-01T00:00:00Z"}'
        )
        await stage.redis.set(keys.last_key("price:SPY"), ahead)
        await stage.redis.set(keys.last_key("price:IBM"), b"not one of ours")
        async with background(stage.work):
            stage.demand.update(["price:SPY", "price:IBM"])
            await until(lambda: stage.published("price:IBM") == 1)
            assert stage.published("price:SPY") == 0
            assert stage.prices.by_symbol["SPY"].price == 6.5


async def test_without_redis_nothing_is_looked_up_that_might_be_older() -> None:
    async with simulated() as (simulator, rest):
        await simulator.publish({"T": "t", "S": "SPY", "p": 5.5, "s": 1})
        stage = Stage(rest)
        away = RedisSource("redis://127.0.0.1:1/0").client("test")
        stage.work._stored = StoredPrices(away)
        async with background(stage.work):
            stage.demand.update(["price:SPY"])
            await asyncio.sleep(0.2)
            assert stage.published("price:SPY") == 0
            stage.work._stored = StoredPrices(stage.redis)
            await until(lambda: stage.published("price:SPY") == 1)
