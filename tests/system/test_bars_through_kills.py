"""Parts are killed in the middle of a minute: a client's charts equal Alpaca's bars afterwards.

The programs are processes, as they are deployed. The clock of the ingests and of the simulator is
the test's, so that a part dies in a certain second of a certain minute; nothing waits for a minute.
"""

import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared import ingest_status, rfc3339
from shared.bus.errors import REDIS_ERRORS
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.topics import topic
from simulator.service import Simulator, SimulatorSettings
from tests.keyspace import KEYSPACE
from tests.processes import gateway_process
from tests.programs import Program, ingest_environment, program
from tests.services import until
from tests.set_clock import SetClock
from tests.simulator.client import KEYS, endpoint_state
from tests.system.chart_client import Bar, ChartClient, chart_client

SYMBOLS = ("SPY", "IBM")
TIMEFRAMES = {"1Min": 1, "5Min": 5}
"""The charts, each with the minutes of its bars."""

QUIET_MINUTE = 3
"""In this minute the second symbol has no trade, and so no bar."""

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
FIELDS = {
    "o": "open",
    "h": "high",
    "l": "low",
    "c": "close",
    "v": "volume",
    "n": "trade_count",
    "vw": "vwap",
}

Charts = dict[str, dict[int, Bar]]
"""Bars by topic and start (unix s)."""


class Market:
    """The trades and bars of a few minutes, the first of which is 0. It sets the clock."""

    def __init__(self, folder: Path) -> None:
        # A bar of five minutes starts with minute 0.
        self._first = -(-time.time_ns() // (5 * MINUTE)) * 5 * MINUTE
        self.clock_file = folder / "clock"
        self.clock = SetClock.create(self.clock_file, self._first)
        self._random = random.Random(14)  # noqa: S311
        self._trades = 0
        self.simulator: Simulator

    async def trade(self, minute: int, *seconds: float) -> None:
        """Have each symbol trade in these seconds of a minute; the clock follows."""
        for second in seconds:
            at = self.at(minute, second)
            self.clock.set(max(at, self.clock()))
            for symbol in SYMBOLS[: 1 if minute == QUIET_MINUTE else None]:
                await self.simulator.publish(self._print(symbol, at))

    async def end(self, minute: int) -> None:
        """End a minute: Alpaca sends its bars."""
        self.clock.set(self.at(minute, 60.7))
        await self.simulator.send_bars(self.at(minute))

    async def revise(self, minute: int) -> None:
        """Have a late trade of the minute that has just ended, and Alpaca revise its bars."""
        await self.trade(minute, 59.5)
        self.clock.set(self.at(minute, 90))
        await self.simulator.send_bars(self.at(minute), "u")

    async def pass_to(self, minute: int) -> None:
        """Have the minutes before one end, each with trades and a revision, and it begin."""
        while self._ended() < minute:
            now = self._ended()
            await self.trade(now, *(s for s in (20, 40, 58) if self.at(now, s) > self.clock()))
            await self.end(now)
            await self.trade(now + 1, 3, 12)
            await self.revise(now)

    async def bars(self, timeframe: str) -> Charts:
        """Return the bars that REST has, and that change no more."""
        query = {"symbols": ",".join(SYMBOLS), "timeframe": timeframe, "limit": "10000"}
        query |= {"feed": "iex", "start": rfc3339.from_nanoseconds(self._first)}
        async with httpx.AsyncClient(headers=KEYS) as client:
            answer = await client.get(f"{self.simulator.rest_url}/v2/stocks/bars", params=query)
        assert answer.json()["next_page_token"] is None
        found: Charts = {}
        span = TIMEFRAMES[timeframe] * MINUTE
        for symbol, bars in answer.json()["bars"].items():
            starts = {rfc3339.to_nanoseconds(each["t"]): each for each in bars}
            found[topic(f"bar.{timeframe}", symbol)] = {
                start // SECOND: {ours: each[theirs] for theirs, ours in FIELDS.items()}
                | {"final": True}
                for start, each in starts.items()
                if start + span + 40 * SECOND <= self.clock()
            }
        return found

    def _print(self, symbol: str, at: int) -> dict[str, Any]:
        self._trades += 1
        conditions, size = self._random.choice([([" "], 100), ([" "], 300), ([" ", "I"], 40)])
        price = round(100 + self._random.uniform(-1, 1), 2)
        tape = {"SPY": "B", "IBM": "A"}[symbol]
        kept = {"T": "t", "S": symbol, "i": self._trades, "x": "V", "z": tape, "c": conditions}
        return kept | {"p": price, "s": size, "t": at}

    def at(self, minute: int, second: float = 0) -> int:
        """Return a moment of a minute in unix ns."""
        return self._first + minute * MINUTE + round(second * SECOND)

    def _ended(self) -> int:
        return (self.clock() - self._first) // MINUTE


class Deployment:
    """The running processes and a client whose charts are open."""

    def __init__(self, market: Market, client: ChartClient, redis: Any) -> None:
        self.market = market
        self.client = client
        self._redis = redis
        self.leader: Program
        self.standby: Program
        self.gateways: list[Program] = []
        self.urls: list[str] = []

    def sessions(self) -> int:
        """Return how often an ingest has connected."""
        total: int = endpoint_state(self.market.simulator)["sessions_total"]
        return total

    async def until_subscribed(self, sessions: int = 0) -> None:
        """Wait until an ingest streams all trades and bars, in a later session than so many."""

        def is_so() -> bool:
            state = endpoint_state(self.market.simulator)
            channels = ("trades", "bars", "updatedBars")
            return state["sessions_total"] > sessions and all(
                state[channel] == sorted(SYMBOLS) for channel in channels
            )

        await until(is_so)

    async def until_live(self) -> None:
        """Wait until Redis has the report of an ingest that leads."""

        async def is_so() -> bool:
            try:
                stored = await self._redis.get(KEYSPACE.ingest_status)
            except REDIS_ERRORS:
                return False
            return stored is not None and ingest_status.decode(stored).state == "live"

        await until(is_so)

    async def until_running(self, minute: int) -> None:
        """Wait until the charts show a minute while it runs."""
        start = self.market.at(minute) // SECOND
        await until(
            lambda: all(start in self.client.bars[topic("bar.1Min", each)] for each in SYMBOLS)
        )

    async def check(self) -> None:
        """Let five minutes end: the charts, and a new one, then show exactly Alpaca's bars."""
        await self.market.pass_to(5)
        await self.market.trade(5, 15, 41)
        expected = {k: v for each in TIMEFRAMES for k, v in (await self.market.bars(each)).items()}
        assert {where: len(bars) for where, bars in expected.items()} == {
            "bar.1Min:SPY": 5,
            "bar.1Min:IBM": 4,
            "bar.5Min:SPY": 1,
            "bar.5Min:IBM": 1,
        }
        await until_shown(self.client, expected)
        async with chart_client(self.urls[::-1], SYMBOLS, [*TIMEFRAMES]) as another:
            await until(lambda: another.opened == 1)
            await until_shown(another, expected)


async def until_shown(client: ChartClient, expected: Charts) -> None:
    """Wait until the charts have these bars, all final, and no other but newer ones."""

    def shown() -> Charts:
        return {
            where: {
                start: {name: bar[name] for name in (*FIELDS.values(), "final")}
                for start, bar in client.bars[where].items()
                if start <= max(bars)
            }
            for where, bars in expected.items()
        }

    with suppress(TimeoutError):
        await until(lambda: shown() == expected)
    assert shown() == expected


@asynccontextmanager
async def deployed(
    source: RedisSource, folder: Path, gateways: int = 1
) -> AsyncIterator[Deployment]:
    """Run it; the charts are opened 20 s after minute 1 has begun."""
    market = Market(folder)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        settings = SimulatorSettings(tape=None, positions=(), requests_per_minute=10_000)
        market.simulator = await enter(Simulator(settings, clock=market.clock))
        await market.pass_to(1)
        await market.trade(1, 14, 20)
        served = [await enter(gateway_process(source.url)) for _ in range(gateways)]
        environment = ingest_environment(market.simulator, source.url)
        arguments = ("tests.set_clock", str(market.clock_file), "ingest")
        leader = await enter(program(*arguments, **environment))
        redis = await enter(source.client("test"))
        urls = [url for url, _ in served]
        client = await enter(chart_client(urls, SYMBOLS, [*TIMEFRAMES]))
        made = Deployment(market, client, redis)
        made.leader, made.gateways, made.urls = leader, [each for _, each in served], urls
        await made.until_subscribed()
        made.standby = await enter(program(*arguments, **environment))
        await until(lambda: "standing_by" in made.standby.output)
        await until(lambda: client.opened == 1)
        await until(lambda: client.seen["reload"] == len(SYMBOLS))  # for minute 0
        await market.trade(1, 25, 30)
        await made.until_running(1)
        try:
            yield made
        finally:
            for running in (made.leader, made.standby, *made.gateways):
                assert "Traceback" not in running.output, running.output


@pytest.mark.parametrize("minutes_missed", [0, 1])
async def test_a_leader_that_is_killed_in_mid_minute_costs_a_chart_no_bar(
    source: RedisSource, tmp_path: Path, minutes_missed: int
) -> None:
    async with deployed(source, tmp_path) as running:
        before = running.sessions()
        if minutes_missed:  # nobody leads until they have passed
            running.standby.send(signal.SIGSTOP)
        try:
            running.leader.send(signal.SIGKILL)
            await running.leader.ended()
            await running.market.trade(1, 33)
            await running.market.pass_to(1 + minutes_missed)
        finally:
            running.standby.send(signal.SIGCONT)
        await running.until_subscribed(before)
        await running.market.trade(1 + minutes_missed, 45)
        await running.check()

        assert running.client.opened == 1


async def test_a_gateway_that_is_killed_in_mid_minute_costs_a_chart_no_bar(
    source: RedisSource, tmp_path: Path
) -> None:
    async with deployed(source, tmp_path, gateways=2) as running:
        running.gateways[0].send(signal.SIGKILL)
        await running.gateways[0].ended()
        await running.market.trade(1, 33)
        await running.market.pass_to(2)
        await until(lambda: running.client.opened == 2)
        await running.check()

        assert not running.client.seen["gap"]
        assert running.client.seen["reload"] == len(SYMBOLS)


@pytest.mark.parametrize("minutes_missed", [0, 1])
async def test_a_redis_that_is_killed_in_mid_minute_costs_a_chart_no_bar(
    valkey: ValkeyServer, source: RedisSource, tmp_path: Path, minutes_missed: int
) -> None:
    async with deployed(source, tmp_path) as running:
        valkey.kill()
        await valkey.stop()
        await running.market.trade(1, 33)
        await running.market.pass_to(1 + minutes_missed)
        await valkey.start()
        await running.until_live()
        await running.check()

        assert running.client.opened == 1
