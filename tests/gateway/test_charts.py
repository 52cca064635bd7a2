"""Charts on a real Redis: ``/api/bars``, then a stream from there, with no hole and no duplicate.

Bars are published, revised and lost by the ingest's own parts while charts open.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from gateway.bus.history import History
from gateway.bus.newest_bars import NewestBars
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.event_id import EventId
from tests.bars import Bars, minute_bar, minute_of, running_bars
from tests.event_stream import Event, EventStream, open_stream
from tests.limits import LIMIT_SECONDS
from tests.services import running_gateway

SYMBOLS = ("SPY", "IBM")
KIND = "bar.1Min"
Key = tuple[str, int]
"""A symbol and a minute."""


class Market:
    """Publishes minutes at random: running, ended and revised. ``truth`` is each newest version."""

    def __init__(self, bars: Bars, seed: int) -> None:
        self._bars = bars
        self._random = random.Random(seed)  # noqa: S311
        self._count = 0
        self._minute = 0
        self._revisions: dict[Key, int] = {}
        self.truth: dict[Key, float] = {}

    async def step(self) -> None:
        """Publish a few versions of bars."""
        announcer = self._bars.announcer
        for _ in range(self._random.randrange(1, 6)):
            symbol = self._random.choice(SYMBOLS)
            self._count += 1
            close = float(self._count)
            match self._random.randrange(4):
                case 0 if self._revisions:
                    key = self._random.choice(list(self._revisions)[-20:])
                    self._revisions[key] += 1
                    revised = minute_bar(
                        key[1], close, symbol=key[0], revision=self._revisions[key]
                    )
                    announcer.bar("1Min", revised, running=False)
                    self.truth[key] = close
                case 1:
                    for each in SYMBOLS:
                        ended = minute_bar(self._minute, close, symbol=each)
                        announcer.bar("1Min", ended, running=False)
                        self.truth[each, self._minute] = close
                        self._revisions[each, self._minute] = 0
                    self._minute += 1
                case _:
                    running = minute_bar(self._minute, close, symbol=symbol, final=False)
                    announcer.bar("1Min", running, running=True)
                    self.truth[symbol, self._minute] = close
        await self._bars.published()


class Chart:
    """A chart as the reference describes it."""

    def __init__(self, answer: dict[str, Any], stream: EventStream) -> None:
        self.position = EventId.parse(answer["last_event_id"])
        self._stream = stream
        self._loaded = {
            (symbol, minute_of(each["timestamp"])): each
            for symbol, some in answer["bars"].items()
            for each in some
        }
        self._ids = {each["event_id"] for each in self._loaded.values()}

    def bars(self) -> dict[Key, float]:
        """Return the closes that it shows."""
        shown = {key: each["close"] for key, each in self._loaded.items()}
        for event in self._updates():
            data = event.data
            shown[data["symbol"], minute_of(data["timestamp"])] = data["close"]
        return shown

    def check_order(self) -> None:
        """Fail if an ended bar came twice, or in a wrong order, or a chart could not show it."""
        known = set(self._loaded)
        newest = {
            symbol: max((minute for name, minute in known if name == symbol), default=-1)
            for symbol in SYMBOLS
        }
        last = self.position
        for event in self._updates():
            data = event.data
            key = data["symbol"], minute_of(data["timestamp"])
            assert key in known or key[1] > newest[key[0]], f"{key} can only be inserted"
            known.add(key)
            newest[key[0]] = max(newest[key[0]], key[1])
            if data["final"]:
                event_id = EventId.parse(data["event_id"])
                assert event_id > last, "a second time, or too late"
                assert data["event_id"] not in self._ids
                last = event_id

    async def until_it_shows(self, expected: Mapping[Key, float], *, told_enough: bool) -> None:
        """Wait until it shows these bars; ``told_enough``: or until it is notified of a loss."""
        await self._stream.until(
            lambda _: (
                (told_enough and self.is_told_of_a_loss) or expected.items() <= self.bars().items()
            )
        )

    @property
    def is_told_of_a_loss(self) -> bool:
        return bool(self._stream.of("gap") or self._stream.of("reload"))

    def _updates(self) -> list[Event]:
        return [event for event in self._stream.events if event.kind == KIND]


@asynccontextmanager
async def open_chart(
    url: str, interval: float = 0.0, streams_url: str | None = None
) -> AsyncIterator[Chart]:
    """Read the bars, then open the stream, which may be another gateway's."""
    async with httpx.AsyncClient(timeout=LIMIT_SECONDS) as client:
        found = await client.get(
            f"{url}/api/bars", params={"symbols": ",".join(SYMBOLS), "limit": 500}
        )
    answer, is_open = found.json(), False
    while not is_open:
        async with open_stream(
            streams_url or url,
            "/api/stream/bars",
            symbols=",".join(SYMBOLS),
            interval=interval,
            last_event_id=answer["last_event_id"],
        ) as stream:
            # While the gateway has no Redis, a client that resumes has to come again.
            await stream.until(lambda s: s.of("ready") or s.of("bye"))
            if is_open := not stream.of("bye"):
                yield Chart(answer, stream)


@pytest.mark.parametrize("seed", range(3))
async def test_a_chart_that_opens_while_bars_change_has_no_hole_and_no_duplicate(
    source: RedisSource, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    async with (
        running_bars(source) as bars,
        running_gateway(source) as one,
        running_gateway(source) as other,
        AsyncExitStack() as stack,
    ):
        market, charts = Market(bars, seed), []

        async def publish() -> None:
            for _ in range(150):
                await market.step()

        async with asyncio.TaskGroup() as tasks:
            publishing = tasks.create_task(publish())
            while not publishing.done():
                urls = chance.choice([(one, one), (one, other), (other, one)])
                interval = chance.choice([0.0, 0.02, 0.25])
                chart = await stack.enter_async_context(open_chart(urls[0], interval, urls[1]))
                charts.append(chart)
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
        for chart in charts:
            await chart.until_it_shows(market.truth, told_enough=False)
            assert chart.bars() == market.truth
            chart.check_order()

    assert len(charts) > 2
    assert not any(chart.is_told_of_a_loss for chart in charts)


async def test_connections_that_are_killed_cost_a_chart_no_bar(source: RedisSource) -> None:
    async with (
        running_bars(source) as bars,
        running_gateway(source, heartbeat_seconds=0.02) as url,
        source.client("killer") as killer,
    ):
        market = Market(bars, 7)
        await market.step()
        async with open_chart(url) as chart:
            for number in range(60):
                if number % 10 == 0:
                    await killer.client_kill_filter(_type="pubsub")
                await market.step()
            await chart.until_it_shows(market.truth, told_enough=False)
            chart.check_order()
            assert not chart.is_told_of_a_loss


@pytest.mark.parametrize("how", ["emptied", "killed"])
async def test_a_redis_that_loses_its_data_is_never_silent(
    valkey: ValkeyServer, source: RedisSource, how: str
) -> None:
    """Each chart shows everything, or is notified to read again, and then shows what Redis has."""
    async with (
        running_bars(source) as bars,
        running_gateway(source) as url,
        AsyncExitStack() as stack,
    ):
        market = Market(bars, 11)
        for _ in range(20):
            await market.step()
        charts = [await stack.enter_async_context(open_chart(url)) for _ in range(2)]
        for chart in charts:
            await chart.until_it_shows(market.truth, told_enough=False)
        before = asyncio.create_task(_steps(market, 10))
        if how == "emptied":
            async with source.client("emptier") as client:
                await client.flushall()
        else:
            await valkey.stop()
            await valkey.start()
        await before
        known = dict(market.truth)
        async with open_chart(url) as late:
            await _steps(market, 30)
            for chart in charts:
                await chart.until_it_shows(market.truth, told_enough=True)
            # Redis has lost the bars of before. Until they are filled again, it has the new ones.
            news = dict(market.truth.items() - known.items())
            await late.until_it_shows(news, told_enough=True)
        async with open_chart(url) as again:
            stored = await _stored(bars)
            await again.until_it_shows(stored, told_enough=False)
            assert again.bars() == stored


async def _steps(market: Market, count: int) -> None:
    for _ in range(count):
        await market.step()


async def _stored(bars: Bars) -> dict[Key, float]:
    found = await bars.store.read([f"{KIND}:{symbol}" for symbol in SYMBOLS])
    return {
        (each.bar.symbol, minute_of(each.bar.timestamp)): each.bar.close
        for some in found.values()
        for each in some
    }


@pytest.mark.parametrize("read", [(History, "fillings"), (NewestBars, "read")])
async def test_a_bar_that_ends_while_a_gateway_reads_it_is_not_shown_running_again(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch, read: tuple[type, str]
) -> None:
    owner, name = read
    original, is_over = getattr(owner, name), asyncio.Event()
    async with running_bars(source) as bars, running_gateway(source) as url:

        async def end() -> None:
            if not is_over.is_set():
                is_over.set()
                await bars.publish(minute_bar(1, 12.0))
                await bars.publish(minute_bar(2, 13.0, final=False), running=True)

        async def read_while_it_ends(*args: Any) -> Any:
            if owner is History:
                await end()
                return await original(*args)
            found = await original(*args)
            await end()
            return found

        await bars.publish(minute_bar(0, 10.0))
        await bars.publish(minute_bar(1, 11.0, final=False), running=True)
        async with httpx.AsyncClient() as client:  # what a chart reads before it is over
            answer = (await client.get(f"{url}/api/bars", params={"symbols": "SPY"})).json()
        monkeypatch.setattr(owner, name, read_while_it_ends)
        async with open_stream(
            url,
            "/api/stream/bars",
            symbols="SPY",
            interval=0,
            last_event_id=answer["last_event_id"],
        ) as stream:
            await stream.until(lambda s: any(each["close"] == 13 for each in s.of(KIND)))

    assert [each["close"] for each in stream.of(KIND)] == [12, 13]
