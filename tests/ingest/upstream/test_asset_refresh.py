"""The list of assets: read once a day, kept in Redis, and taken over by the next leader."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Set
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ingest.upstream import asset_refresh
from ingest.upstream.asset_check import AssetCheck
from ingest.upstream.asset_refresh import AssetRefresh, assets_of
from ingest.upstream.blocking_calls import RestError
from ingest.upstream.malformed_data import MalformedData
from shared.asset import Asset, AssetList, decode
from shared.bus.redis_source import RedisSource
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.trades import ns
from tests.ingest.watching import Watcher, watcher
from tests.keyspace import KEYSPACE
from tests.services import running_ingest, until

MONDAY, TUESDAY = ns("2026-11-16T09:00:00-05:00"), ns("2026-11-17T09:00:00-05:00")
ROW = {"class": "us_equity", "symbol": "SPY", "name": " SPDR S&P 500 ", "exchange": "ARCA"}
SPY = Asset("SPY", "SPDR S&P 500", "ARCA", "stock")


class Rest:
    """REST's list; ``rows`` None: it fails."""

    def __init__(self) -> None:
        self.rows: list[Any] | None = [ROW]
        self.asked = 0
        self.malformed = MalformedData("rest")

    async def assets(self) -> list[Any]:
        self.asked += 1
        if self.rows is None:
            raise RestError("503")
        return self.rows


class Store:
    """A Redis with one key."""

    def __init__(self) -> None:
        self.listed: AssetList | None = None
        self.written = 0

    async def read(self) -> AssetList | None:
        return self.listed

    async def write(self, listed: AssetList) -> None:
        self.listed = listed
        self.written += 1


class Day:
    """A refresh whose time and waits the test controls."""

    def __init__(self, store: Store | None = None) -> None:
        self.now = MONDAY
        self.rest = Rest()
        self.store = store or Store()
        self.listed: list[Set[str]] = []
        rest: Any = self.rest
        self.refresh = AssetRefresh(rest, self.store, self.listed.append, clock=lambda: self.now)


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asset_refresh, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(asset_refresh, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(asset_refresh, "ASSETS_RETRY_SECONDS", 0.01)


async def test_the_list_is_read_once_a_day() -> None:
    day = Day()
    async with running(day.refresh.run()):
        await until(lambda: day.store.written == 1)
        day.rest.rows = [ROW, ROW | {"symbol": "IBM"}]
        day.now = TUESDAY
        await until(lambda: day.store.written == 2)

    assert day.rest.asked == 2
    assert day.listed == [{"SPY"}, {"SPY", "IBM"}]
    assert day.store.listed is not None
    assert day.store.listed.as_of == "2026-11-17T14:00:00Z"


async def test_the_next_leader_takes_over_the_list_of_today() -> None:
    store = Store()
    store.listed = AssetList(as_of="2026-11-16T05:00:00Z", assets=[SPY])
    day = Day(store)
    async with running(day.refresh.run()):
        await until(lambda: day.listed == [{"SPY"}])

    assert (day.rest.asked, store.written) == (0, 0)


@pytest.mark.parametrize("rows", [None, []])
async def test_while_alpaca_has_no_list_the_one_before_stays(rows: list[Any] | None) -> None:
    store = Store()
    store.listed = AssetList(as_of="2026-11-13T14:00:00Z", assets=[SPY])
    day = Day(store)
    day.rest.rows = rows
    async with running(day.refresh.run()):
        await until(lambda: day.rest.asked > 2)
        assert (day.listed, store.written) == ([{"SPY"}], 0)
        day.rest.rows = [ROW]
        await until(lambda: store.written == 1)


async def test_a_redis_that_has_been_emptied_gets_the_list_again_without_a_request() -> None:
    day = Day()
    async with running(day.refresh.run()):
        await until(lambda: day.store.written == 1)
        day.store.listed = None
        day.refresh.republish()
        await until(lambda: day.store.listed is not None)

    assert day.rest.asked == 1


@pytest.mark.parametrize(
    ("row", "asset"),
    [
        (ROW, SPY),
        (ROW | {"name": None, "exchange": None}, Asset("SPY", "", "", "stock")),
        ({"class": "crypto", "symbol": "BTC/USD"}, Asset("BTC/USD", "", "", "crypto")),
        (ROW | {"class": "us_option"}, None),
    ],
)
def test_a_row_is_an_asset_of_a_class_that_is_served(row: Any, asset: Asset | None) -> None:
    malformed = MalformedData("rest")

    assert assets_of([row], malformed) == ([] if asset is None else [asset])
    assert malformed.count == 0


@pytest.mark.parametrize("row", [None, 7, [], {}, ROW | {"symbol": None}, ROW | {"class": 3}])
def test_a_row_of_another_form_is_counted_and_costs_no_other(row: Any) -> None:
    malformed = MalformedData("rest")

    assert assets_of([row, ROW], malformed) == [SPY]
    assert malformed.count == 1


async def test_a_redis_that_is_emptied_during_the_writing_gets_the_list_again() -> None:
    day = Day()

    class Emptied(Store):
        async def write(self, listed: AssetList) -> None:
            await super().write(listed)
            if self.written == 1:
                self.listed = None
                day.refresh.republish()

    day.store = emptied = Emptied()
    day.refresh._store = emptied
    async with running(day.refresh.run()):
        await until(lambda: emptied.listed is not None)

    assert emptied.written == 2


async def test_the_ingest_stores_the_list() -> None:
    source = RedisSource("memory://")
    settings = SimulatorSettings(tape=None, positions=(), assets=("LISTED",))
    async with (
        Simulator(settings) as simulator,
        watcher(source) as watching,
        running_ingest(source, simulator),
    ):
        await until_stored(watching.client)
        body: Any = await watching.client.hget(KEYSPACE.assets, "list")

    assert [each.symbol for each in decode(body)] == ["LISTED"]


@pytest.mark.parametrize(
    "fields",
    [
        {"as_of": "x", "list": "[]"},
        {"as_of": "2999-01-01T00:00:00Z", "list": "[]"},
        {"as_of": "2026-11-16T14:00:00Z", "list": "{"},
        None,
    ],
    ids=["no time", "the future", "no list", "another type"],
)
async def test_what_another_program_has_stored_ends_no_ingest(
    fields: dict[str, str] | None,
) -> None:
    source = RedisSource("memory://")
    async with (
        Simulator(SimulatorSettings(tape=None, positions=(), assets=("LISTED",))) as simulator,
        watcher(source) as watching,
    ):
        if fields is None:
            await watching.client.set(KEYSPACE.assets, "text")
        else:
            stored: Any = fields
            await watching.client.hset(KEYSPACE.assets, mapping=stored)
        async with running_ingest(source, simulator):
            await until(lambda: _is_counted(watching, fields))


async def _is_counted(watching: Watcher, fields: dict[str, str] | None) -> bool:
    if fields is not None:
        body: Any = await watching.client.hget(KEYSPACE.assets, "list")
        return b"LISTED" in body
    status = await watching.status()
    return status is not None and status.malformed["redis"] > 0


async def test_a_symbol_on_the_list_is_known_without_a_question() -> None:
    answers: list[tuple[str, bool]] = []

    class Handler:
        def on_asset(self, symbol: str, *, listed: bool) -> None:
            answers.append((symbol, listed))

    class NoRest:
        async def lists_asset(self, symbol: str) -> bool:
            assert symbol == "NEW"
            return False

    rest: Any = NoRest()
    check = AssetCheck(rest, Handler())
    check.on_listed({"OLD"})
    async with running(check.run()):
        for symbol in ("OLD", "NEW"):
            check.ask(symbol)
        await until(lambda: len(answers) == 2)

    assert answers == [("OLD", True), ("NEW", False)]


async def until_stored(client: Any) -> None:
    async def is_stored() -> bool:
        return bool(await client.hexists(KEYSPACE.assets, "list"))

    await until(is_stored)
