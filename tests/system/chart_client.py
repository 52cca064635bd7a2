"""A client with charts: it reads ``/api/bars`` and follows the stream by the reference's rules."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
from httpx_sse import ServerSentEvent, aconnect_sse

from shared import rfc3339
from shared.event_id import NEVER, EventId
from shared.topics import key_of, kind_of, topic
from tests.limits import LIMIT_SECONDS

Bar = dict[str, Any]
RETRY_SECONDS = 0.05


class ChartClient:
    """``bars``: what the charts show, by topic and start (unix s).

    ``urls`` are gateways, of which it uses the first that accepts it. ``seen`` counts the events
    by name, ``opened`` the streams.
    """

    def __init__(self, urls: Sequence[str], symbols: Sequence[str], timeframes: Sequence[str]):
        self._urls = urls
        self._symbols = symbols
        self._timeframes = timeframes
        self._topics = [topic(f"bar.{each}", s) for each in timeframes for s in symbols]
        self._newest: dict[str, EventId] = dict.fromkeys(self._topics, NEVER)
        """The newest ordered event of each topic."""
        self._cursor = ""
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(LIMIT_SECONDS, read=None))
        self.bars: dict[str, dict[int, Bar]] = {}
        self.seen: Counter[str] = Counter()
        self.opened = 0

    async def run(self) -> None:
        """Show bars until cancelled."""
        # The older position: the charts know some of the other topics' events from there on.
        self._cursor = str(min(await self._read(self._topics)))
        while True:
            for url in self._urls:
                try:
                    await self._follow(url)
                except httpx.TransportError:
                    await asyncio.sleep(RETRY_SECONDS)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _follow(self, url: str) -> None:
        query = {"symbols": ",".join(self._symbols), "timeframe": ",".join(self._timeframes)}
        headers = {"Last-Event-ID": self._cursor}
        where = f"{url}/api/stream/bars"
        async with aconnect_sse(
            self._http, "GET", where, params=query | {"interval": "0"}, headers=headers
        ) as stream:
            stream.response.raise_for_status()
            self.opened += 1
            async for each in stream.aiter_sse():
                await self._apply(each)

    async def _apply(self, event: ServerSentEvent) -> None:
        data = json.loads(event.data)
        self.seen[event.event] += 1
        if event.id:
            self._cursor = event.id
        match event.event:
            case "reload":
                await self._read([topic(f"bar.{data['timeframe']}", data["symbol"])])
            case "gap":
                await self._read(data["topics"])
            case kind if kind.startswith("bar."):
                self._draw(topic(kind, data["symbol"]), data, is_ordered=bool(event.id))

    def _draw(self, where: str, bar: Bar, *, is_ordered: bool) -> None:
        event_id, start, shown = EventId.parse(bar["event_id"]), start_of(bar), self.bars[where]
        if is_ordered:
            assert event_id > self._newest[where], f"{where}: {bar} a second time, or too late"
            self._newest[where] = event_id
        before = shown.get(start)
        if before is not None and event_id <= EventId.parse(before["event_id"]):
            return  # it was on its way while the bars were read, which hold it
        newest = max(shown, default=-1)
        if start < newest and before is None:
            assert bar.get("late"), f"{where}: a chart cannot update {bar} before {newest}"
        if before is not None and before["final"]:
            assert values(before) != values(bar), f"{where}: {bar} was shown before"
        shown[start] = bar

    async def _read(self, topics: Sequence[str]) -> list[EventId]:
        """Read the bars of topics again, until a gateway has them; return up to which events."""
        positions: list[EventId] = []
        for timeframe in self._timeframes:
            kind = f"bar.{timeframe}"
            symbols = [key_of(each) for each in topics if kind_of(each) == kind]
            if symbols:
                answer = await self._get(timeframe, symbols)
                positions.append(EventId.parse(answer["last_event_id"]))
                for symbol, bars in answer["bars"].items():
                    where = topic(kind, symbol)
                    shown = {start_of(each): each for each in bars}
                    assert len(shown) == len(bars), f"{where}: a bar twice in {bars}"
                    self.bars[where] = shown
        return positions

    async def _get(self, timeframe: str, symbols: Sequence[str]) -> dict[str, Any]:
        query = {"symbols": ",".join(symbols), "timeframe": timeframe}
        while True:
            for url in self._urls:
                try:
                    answer = await self._http.get(f"{url}/api/bars", params=query)
                except httpx.TransportError:
                    continue
                if answer.is_success:
                    found: dict[str, Any] = answer.json()
                    return found
                assert answer.is_server_error, answer.text
            await asyncio.sleep(RETRY_SECONDS)


def start_of(bar: Bar) -> int:
    """Return a bar's start in unix s."""
    return rfc3339.to_nanoseconds(bar["timestamp"]) // 1_000_000_000


def values(bar: Bar) -> Bar:
    """Return a bar as a chart shows it, and whether it is final."""
    return {key: bar[key] for key in bar.keys() - {"event_id", "revision", "late"}}


@asynccontextmanager
async def chart_client(
    urls: Sequence[str], symbols: Sequence[str], timeframes: Sequence[str]
) -> AsyncIterator[ChartClient]:
    """Run a client until the block is left; a fault that it finds is raised in the block."""
    client = ChartClient(urls, symbols, timeframes)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(client.run())
        try:
            yield client
        finally:
            running.cancel()
            await asyncio.wait([running])
            await client.close()
