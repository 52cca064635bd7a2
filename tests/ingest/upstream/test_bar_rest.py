"""REST's histories of charts, applied while everything else goes on."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ingest.bars.bar_changes import BarChange, DayNeed
from ingest.bars.bar_table import BarTable
from ingest.bars.symbol_bars import Filled
from ingest.bars.timeframes import Timeframe
from ingest.bus.announcer import Announcer
from ingest.bus.outbox import Outbox
from ingest.demand.wanted import Demand
from ingest.market.bars import Bar
from ingest.market.market_hours import MarketHours
from ingest.upstream.bar_rest import BarRest
from ingest.upstream.stored_bars import StoredVersion
from shared import bar
from shared.bus.keys import bar_bounds
from shared.cancellation import cancel
from shared.event_id import EventId
from tests.ingest.trades import NOON, SECOND, trade
from tests.ingest.upstream.rest_stub import Answer, RestStub, stubbed, symbols_of

HOURS = MarketHours(trades_in=None)


class NotingStore:
    """Notes the bars that it is to store, and when it has them."""

    def __init__(self) -> None:
        self.bars: dict[str, Sequence[bar.Bar]] = {}
        self.filled = asyncio.Event()

    async def read(self, topics: Sequence[str]) -> Mapping[str, Sequence[StoredVersion]]:
        return dict.fromkeys(topics, ())

    async def fill(
        self,
        bars: Mapping[str, Sequence[bar.Bar]],
        as_of: EventId,  # noqa: ARG002 - the protocol of the store
        *,
        whole_since: Mapping[str, int],  # noqa: ARG002 - likewise
        removed_before: Mapping[str, int] = MappingProxyType({}),  # noqa: ARG002 - likewise
    ) -> None:
        self.bars |= bars
        self.filled.set()

    async def lacking(self, topics: Sequence[str]) -> Set[str]:
        return set(topics)

    async def forget(self, topics: Sequence[str]) -> None:
        """Forget nothing."""


class NotingTable(BarTable):
    """Notes how often other tasks have run before each symbol's history."""

    def __init__(self) -> None:
        super().__init__(lambda: HOURS)
        self.turns = 0
        self.turns_before: list[int] = []

    async def take_turns(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)

    def fill(self, symbol: str, timeframe: Timeframe, bars: Iterable[Bar], now_ns: int) -> Filled:
        self.turns_before.append(self.turns)
        return super().fill(symbol, timeframe, bars, now_ns)


def an_hour_ago(request: Request) -> Response:
    at = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:00Z")
    row = {"t": at, "o": 1, "h": 2, "l": 1, "c": 2, "v": 100, "n": 3, "vw": 1.5}
    return JSONResponse({"bars": {s: [row] for s in symbols_of(request)}, "next_page_token": None})


async def test_other_work_goes_on_between_the_histories_of_two_symbols() -> None:
    symbols = [f"S{letter}" for letter in "ABCDEFGH"]
    table, store, demand = NotingTable(), NotingStore(), Demand(time.monotonic)
    demand.update({f"bar.1Min:{symbol}": 1 for symbol in symbols})
    now_ns = time.time_ns()
    for symbol in symbols:
        table.watch(symbol, ["1Min"], now_ns)
    table.changes(now_ns)
    async with stubbed(RestStub(bars=an_hour_ago)) as rest:
        announcer, bounds = Announcer(Outbox()), bar_bounds()
        histories = BarRest(
            rest, table, store, demand, announcer, lambda: HOURS, lambda: EventId(1, 1), bounds
        )
        tasks = [asyncio.create_task(each) for each in (table.take_turns(), histories.run())]
        histories.ask(table.needs(now_ns))
        await store.filled.wait()
        for task in tasks:
            await cancel(task)

    assert {topic: len(bars) for topic, bars in store.bars.items()} == {
        f"bar.1Min:{symbol}": 1 for symbol in symbols
    }
    # Prices and the lease do not wait for all of them.
    assert len(table.turns_before) == len(set(table.turns_before)) == len(symbols)


def of_yesterday(request: Request) -> Response:
    """Answer with snapshots as they are before a day's first trade."""
    trade = {"t": "2026-11-13T20:59:00Z", "p": 9, "s": 1, "x": "V", "z": "B", "c": ["@"]}
    day = {"t": "2026-11-13T05:00:00Z", "o": 8, "h": 9, "l": 8, "c": 9, "v": 1, "n": 1, "vw": 9}
    row = {"latestTrade": trade, "dailyBar": day}
    return JSONResponse(dict.fromkeys(symbols_of(request), row))


def of_none(_: Request) -> Response:
    return JSONResponse({})


@pytest.mark.parametrize("answer", [of_yesterday, of_none])
async def test_a_day_that_was_asked_for_before_its_first_trade_begins_with_that_trade(
    answer: Answer,
) -> None:
    table, demand = BarTable(lambda: HOURS), Demand(time.monotonic)
    spy = frozenset({"SPY"})
    table.watch("SPY", ["1Day"], NOON)
    table.on_subscribed(spy, spy, NOON)
    published = asyncio.Event()
    async with stubbed(RestStub(snapshots=answer)) as rest:
        days = BarRest(
            rest,
            table,
            NotingStore(),
            demand,
            Announcer(Outbox()),
            lambda: HOURS,
            lambda: EventId(1, 1),
            bar_bounds(),
            clock=lambda: NOON,
        )
        days.publish = published.set
        asking = asyncio.create_task(days.run())
        days.ask([DayNeed("SPY")])
        await published.wait()
        # Before the answer arrived, and after it.
        for number in (1, 2):
            at = NOON - SECOND + number
            table.on_trade(trade(at, 10 * number, number=number), at, NOON)
        changes = table.changes(NOON)
        await cancel(asking)

    [day] = [each for each in changes if isinstance(each, BarChange)]
    assert (day.bar.open, day.bar.close, day.bar.volume, day.running) == (10, 20, 200, True)
