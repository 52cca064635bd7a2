"""What an ingest records and another one replays: the same events, in the same order.

Both are processes, as they are deployed, with a real Valkey. The first one uses the simulator with
its tape; the second one the simulator with the capture of the first, and an empty Valkey. The clock
is the test's, so that both see each act in the same second of the same minute.
"""

import asyncio
import gzip
import json
import signal
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate, zip_longest
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import msgpack
import pytest
from redis.asyncio import Redis

from ingest.bus import interest
from shared import message
from shared.bus.redis_source import RedisSource
from shared.bus.valkey_server import ValkeyServer
from shared.topics import ORDERED, kind_of
from simulator.capture.capture_file import CaptureFile, Record
from simulator.capture.settings import CaptureSettings
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.recording import SHIPPED, Tape, read_tape
from tests.ingest.watching import Watcher
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS
from tests.ports import free_port
from tests.programs import ingest_environment, program
from tests.services import until
from tests.set_clock import SetClock
from tests.simulator.client import endpoint_state

SECOND = 1_000_000_000
NEW_YORK = ZoneInfo("America/New_York")
MIDNIGHT_MINUTES = 10
SPEED = 20.0
TAPE_SECONDS = 2.0
"""So long does the first ingest follow the tape: 40 s of the recorded morning."""

COMPARED = (
    *("price:SPY", "price:IBM", "price:BAC", "trade:SPY", "trade:IBM", "quote:SPY", "quote:IBM"),
    *("bar.1Min:SPY", "bar.1Day:SPY", "luld:SPY", "news:*", "news:SPY", "orders"),
)
"""Topics of which each event has one cause: a frame, or the answer to a request.

Not compared: ``status`` and ``feed`` depend on how long something lasts, positions and the account
on which of several equal reports is read first. Running bars are shown ten times a second, so only
bars that have ended are compared.
"""

OUR_OWN = ("event_id", "received")
"""Fields that are left out: our number of the event, and our clock when its frame came."""

Event = tuple[str | None, dict[str, Any]]
Events = dict[str, list[Event]]


class Day:
    """The moments of both runs, in unix ns: a minute of today that is far from midnight."""

    def __init__(self) -> None:
        now = datetime.now(NEW_YORK)
        later = timedelta(minutes=2 * MIDNIGHT_MINUTES)
        is_late = (now + timedelta(minutes=MIDNIGHT_MINUTES)).date() != now.date()
        start = (now + later if is_late else now).replace(second=0, microsecond=0)
        self.minute = int(start.timestamp()) * SECOND
        self.start = self.at(20)
        self.tape_end = self.at(20 + TAPE_SECONDS)
        # So long after the tape that no duration of a request reaches back to it.
        self.later = self.at(45)

    def at(self, seconds: float) -> int:
        """Return a moment of the minute."""
        return self.minute + round(seconds * SECOND)


class Listener:
    """Collects every event from Redis' channels, as a gateway would receive it."""

    def __init__(self, client: Redis) -> None:
        self.events: Events = {topic: [] for topic in COMPARED}
        self._client = client

    async def run(self, heard: asyncio.Event) -> None:
        """Listen until cancelled; ``heard`` is set when nothing can be missed any more."""
        async with self._client.pubsub() as channels:
            await channels.subscribe(*COMPARED)
            confirmed = 0
            while True:
                found = await channels.get_message(timeout=None)
                if found is None:
                    continue
                if found["type"] == "subscribe":
                    confirmed += 1
                    if confirmed == len(COMPARED):
                        heard.set()
                elif found["type"] == "message":
                    self._add(found["channel"].decode(), found["data"])

    def names(self, topic: str) -> list[str | None]:
        """Return the names of a topic's events so far."""
        return [name for name, _ in self.events[topic]]

    async def until_bars(self, count: int) -> None:
        """Wait until so many versions of the minute's bar have come, after it has ended."""
        await until(lambda: len(self.events["bar.1Min:SPY"]) == count)

    def _add(self, topic: str, data: bytes) -> None:
        _, body, name = message.unpack(data)
        if name == "running":
            return
        event = name, {k: v for k, v in json.loads(body).items() if k not in OUR_OWN}
        before = self.events[topic]
        # After a pause of Redis, the newest values are announced again.
        if kind_of(topic) in ORDERED or before[-1:] != [event]:
            before.append(event)


class Market(Protocol):
    """What happens around an ingest: once in the simulator, once in the capture of that."""

    simulator: Simulator

    async def open(self) -> None:
        """Let the first trades happen, before the ingest starts."""

    async def until_subscribed(self) -> None:
        """Wait until the ingest has subscribed to everything that is watched."""

    async def before(self, symbol: str) -> None:
        """Wait until the next act may follow, as soon as a client watches this symbol too."""

    async def after(self, symbol: str) -> None:
        """Wait until the ingest has subscribed to it."""

    async def act(self, *acts: Callable[["Live"], Any]) -> None:
        """Let acts happen, if they do not come from a capture."""


class Live:
    """The simulator with its tape, and hand-made messages."""

    def __init__(self, simulator: Simulator, tape: Tape, clock: SetClock) -> None:
        self.simulator = simulator
        self._tape = tape
        self._clock = clock
        self._ids = 9000

    async def open(self) -> None:
        # The tape begins now.
        await self.trade("SPY", 167.4, t=self._clock() + 1)
        await self.trade("IBM", 182.2, t=self._clock() + 1)

    async def until_subscribed(self) -> None:
        both = ("trades", "statuses", "quotes")
        one = ("bars", "updatedBars", "dailyBars", "lulds")

        def are_there() -> bool:
            state = endpoint_state(self.simulator)
            return all({"IBM", "SPY"} <= set(state[each]) for each in both) and all(
                "SPY" in state[each] for each in one
            )

        await until(are_there)
        await until(lambda: endpoint_state(self.simulator, "news")["news"] == ["*"])
        await until(lambda: endpoint_state(self.simulator, "account")["sessions"] == 1)

    async def before(self, symbol: str) -> None:
        pass

    async def after(self, symbol: str) -> None:
        await until(
            lambda: all(
                symbol in endpoint_state(self.simulator)[channel]
                for channel in ("trades", "statuses")
            )
        )

    async def act(self, *acts: Callable[["Live"], Any]) -> None:
        for each in acts:
            await each(self)

    async def trade(self, symbol: str, price: float, size: int = 100, **fields: Any) -> None:
        self._ids += 1
        # Each a little later than the one before, half a second ago.
        at = self._clock() - SECOND // 2 + self._ids % 1000 * SECOND // 1000
        given = {"T": "t", "S": symbol, "i": self._ids, "x": "V", "p": price, "s": size, "z": "B"}
        await self.simulator.publish(given | {"c": [" "], "t": at} | fields)

    async def follow_tape(self) -> None:
        """Let the clock run, in steps, until each row of the tape so far has been published."""
        begun, steps = self._clock(), 10
        for step in range(1, steps + 1):
            passed = round(TAPE_SECONDS * SECOND * step / steps)
            self._clock.set(begun + passed)
            rows = bisect_right(due(self._tape), passed * SPEED)
            await self._until_row(rows)

    async def _until_row(self, row: int) -> None:
        await until(lambda: _row(self.simulator) >= row)

    async def cut(self) -> None:
        """Cut the stocks' connection, and reject the next ones."""
        self.simulator.faults.refuse_upgrade("iex", status=503, seconds=1000)
        self.simulator.faults.fin("iex")
        await until(lambda: endpoint_state(self.simulator)["upgrades_refused"] != {})

    async def let_in(self) -> None:
        self.simulator.faults.clear("iex")


def due(tape: Tape) -> list[int]:
    """Return when each row is published, in ns since the first."""
    return list(accumulate((row.offset for row in tape.rows), max))


def _row(simulator: Simulator) -> int:
    state: Any = simulator.state()["replay"]
    row: int = state["row"]
    return row


class Replayed:
    """The simulator with a capture."""

    def __init__(
        self, simulator: Simulator, records: Sequence[Record], day: Day, clock: SetClock
    ) -> None:
        self.simulator = simulator
        self._day = day
        self._clock = clock
        self._records = records

    async def open(self) -> None:
        pass

    async def until_subscribed(self) -> None:
        pass

    async def before(self, symbol: str) -> None:
        row = next(
            number
            for number, each in enumerate(self._records, start=1)
            if each.kind == "sent" and each.stream == "stocks" and _asks(each, symbol)
        )
        await until(lambda: self._waits_in(row))
        # As in the recording, when it had followed the tape.
        self._clock.set(max(self._clock(), self._day.tape_end))

    async def after(self, symbol: str) -> None:
        pass

    async def act(self, *acts: Callable[["Live"], Any]) -> None:
        pass

    def _waits_in(self, row: int) -> bool:
        state: Any = self.simulator.state()["capture"]
        assert state["row"] <= row, "the replay has not waited for the client's request"
        return (state["row"], state["waits_for"]) == (row, "stocks: a request")


def _asks(record: Record, symbol: str) -> bool:
    request = msgpack.unpackb(record.frame.payload)
    return symbol in request.get("trades", ())


async def claim(client: Redis, *topics: str) -> None:
    """Watch topics, in one step: the ingest subscribes to all of them together."""
    until_ms = time.time() * 1000 + interest.LONGEST_MILLISECONDS - 10_000
    claims: dict[Any, Any] = {f"gateway-1 {each}": f"{until_ms:.0f} 1" for each in topics}
    await client.hset(KEYSPACE.interest, mapping=claims)
    await client.publish(KEYSPACE.interest_channel, "changed")


async def watch_next(market: Market, client: Redis, symbol: str) -> None:
    """Watch another symbol: the replay waits for the ingest's request before it continues."""
    await market.before(symbol)
    await claim(client, f"price:{symbol}")
    await market.after(symbol)


async def story(
    market: Market, day: Day, clock: SetClock, watching: Watcher, heard: Listener
) -> None:
    """Let a client watch, and everything happen that the capture must bring back."""
    client = watching.client
    await watching.until_state("live")
    await claim(client, *COMPARED[:2], *COMPARED[3:-1])
    await watching.until_price("SPY", 167.4)
    await watching.until_price("IBM", 182.2)
    await market.until_subscribed()

    await watch_next(market, client, "AIG")
    await market.act(
        Live.follow_tape,
        lambda m: m.trade("IBM", 182.01, t=day.tape_end + 1),
    )
    await watching.until_price("IBM", 182.01)
    clock.set(day.later)

    # While the connection is cut, both symbols trade.
    await watch_next(market, client, "GE")
    await market.act(
        Live.cut,
        lambda m: m.trade("SPY", 167.11),
        lambda m: m.trade("IBM", 182.11),
        lambda m: m.trade("SPY", 167.12),
        Live.let_in,
    )
    await watching.until_price("SPY", 167.12)
    await watching.until_price("IBM", 182.11)
    await market.until_subscribed()

    await watch_next(market, client, "BAC")
    await market.act(*LATER)
    await watching.until_price("SPY", 167.15)
    await until(lambda: heard.names("orders") == [None, None])
    await until(lambda: len(heard.names("news:*")) == 2)

    clock.set(day.at(60.2))
    await watch_next(market, client, "MMM")
    await market.act(lambda m: m.simulator.send_bars(day.minute))
    await heard.until_bars(1)
    await watch_next(market, client, "XOM")
    await market.act(
        lambda m: m.trade("SPY", 166.0, t=day.at(30)),
        lambda m: m.simulator.send_bars(day.minute, "u"),
        lambda m: m.trade("SPY", 167.16),
    )
    await watching.until_price("SPY", 167.16)
    await heard.until_bars(2)


ARTICLE: dict[str, Any] = {
    "id": 7,
    "headline": "Shares soar — \u201crecord\u201d profit",
    "summary": "",
    "author": "A",
    "url": "https://news.example/7",
    "content": "",
    "source": "example",
}

LATER: Sequence[Callable[[Live], Any]] = (
    lambda m: m.trade("SPY", 167.13, i=501),
    lambda m: m.trade("SPY", 167.14, i=502),
    lambda m: m.simulator.publish(
        {"T": "q", "S": "SPY", "bp": 167.1, "bs": 3, "bx": "V", "ap": 167.2, "as": 2, "ax": "V"}
        | {"c": ["R"], "z": "B"}
    ),
    lambda m: m.simulator.publish(
        {"T": "x", "S": "SPY", "i": 502, "x": "V", "p": 167.14, "s": 100, "a": "C", "z": "B"}
    ),
    lambda m: m.simulator.publish(
        {"T": "c", "S": "SPY", "x": "V", "oi": 501, "op": 167.13, "os": 100, "oc": [" "]}
        | {"ci": 503, "cp": 167.09, "cs": 90, "cc": [" "], "z": "B"}
    ),
    lambda m: m.simulator.publish(
        {"T": "l", "S": "SPY", "u": 175.0, "d": 160.0, "i": "B", "z": "B"}
    ),
    lambda m: m.simulator.publish({"T": "n", **ARTICLE, "symbols": ["SPY"]}),
    lambda m: m.simulator.publish({"T": "n", **ARTICLE, "id": 8, "symbols": []}),
    lambda m: m.simulator.fill("BAC", Decimal(10), Decimal("13.5")),
    lambda m: m.trade("SPY", 167.15),
)


@asynccontextmanager
async def heard_by(source: RedisSource) -> AsyncIterator[tuple[Listener, Watcher]]:
    """Listen from before anything is published until the block is left, then to the end."""
    async with source.client("test") as client, source.client("listener") as listening:
        listener, ready = Listener(listening), asyncio.Event()
        task = asyncio.create_task(listener.run(ready))
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                await ready.wait()
            yield listener, Watcher(client)
        finally:
            task.cancel()
            await asyncio.wait([task])


async def events_of(
    source: RedisSource, market: Market, day: Day, clock_file: Path, clock: SetClock, *options: str
) -> Events:
    """Return the events of an ingest in a market."""
    environment = ingest_environment(market.simulator, source.url)
    arguments = ("tests.set_clock", str(clock_file), "tests.system.steady_ingest", *options)
    async with heard_by(source) as (heard, watching):
        await market.open()
        async with program(*arguments, **environment) as running:
            await story(market, day, clock, watching, heard)
            running.send(signal.SIGTERM)
            assert await running.ended() == 0, running.output
        assert "Traceback" not in running.output, running.output
        return heard.events


def beginning_of_tape(folder: Path) -> Path:
    """Return the shipped tape, as far as it is followed."""
    made = folder / "tape.jsonl"
    # All of its rows are due by then, also those that arrived late.
    count = bisect_right(due(read_tape(SHIPPED)), TAPE_SECONDS * SPEED * SECOND)
    lines = gzip.decompress(SHIPPED.read_bytes()).splitlines(keepends=True)
    made.write_bytes(b"".join(lines[:count]))
    sidecar = SHIPPED.with_name(SHIPPED.name.removesuffix(".jsonl.gz") + ".json")
    made.with_suffix(".json").write_bytes(sidecar.read_bytes())
    return made


async def recorded(source: RedisSource, day: Day, folder: Path, capture: Path) -> Events:
    """Return the events of an ingest with the tape, which it records."""
    clock_file = folder / "first-clock"
    clock = SetClock.create(clock_file, day.start)
    tape = beginning_of_tape(folder)
    settings = SimulatorSettings(
        tape=tape, speed=SPEED, loop=False, positions=(), requests_per_minute=10_000
    )
    async with Simulator(settings, clock=clock) as simulator:
        market = Live(simulator, read_tape(tape), clock)
        return await events_of(source, market, day, clock_file, clock, "--record", str(capture))


async def replayed(source: RedisSource, day: Day, folder: Path, capture: Path) -> Events:
    """Return the events of an ingest with that capture."""
    clock_file = folder / "second-clock"
    clock = SetClock.create(clock_file, day.start)
    replay = CaptureSettings(capture, patience_seconds=LIMIT_SECONDS)
    settings = SimulatorSettings(replay=replay, speed=4)
    async with Simulator(settings, clock=clock) as simulator:
        market = Replayed(simulator, list(CaptureFile(capture).records()), day, clock)
        return await events_of(source, market, day, clock_file, clock)


def difference(first: Sequence[Event], second: Sequence[Event]) -> object:
    """Return the first events that are not the same, with those around them; None if all are."""
    for index, (one, other) in enumerate(zip_longest(first, second)):
        if one != other:
            around = slice(max(0, index - 1), index + 3)
            return index, first[around], second[around]
    return None


@pytest.mark.parametrize("name", ["day.jsonl.gz"])
async def test_a_recorded_and_replayed_day_publishes_the_same_events(
    source: RedisSource, tmp_path: Path, name: str
) -> None:
    capture, day = tmp_path / name, Day()
    async with ValkeyServer(free_port()) as other:
        first = await recorded(source, day, tmp_path, capture)
        second = await replayed(RedisSource(other.url), day, tmp_path, capture)

    for topic in COMPARED:
        assert difference(first[topic], second[topic]) is None, topic
    assert all(first[topic] for topic in COMPARED)
    kinds = [each.kind for each in CaptureFile(capture).records()]
    assert {"refused", "rest", "stop"} <= set(kinds)
    assert kinds.count("connect") >= 4
    assert [name for name, _ in first["trade:SPY"] if name] == ["cancel", "correction"]
    assert len(first["trade:SPY"]) > 100
