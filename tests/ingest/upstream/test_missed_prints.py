"""Prints while no connection to Alpaca is open: fetched and published, or announced as a gap."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from ingest.bus import history_gaps
from ingest.demand import lookups, wanted
from ingest.market import stream_silence
from ingest.upstream import alpaca_rest, market_handler, mute_stream
from shared import message
from shared.bus.redis_source import RedisSource
from shared.gap import GAP
from shared.topics import TRADE
from simulator.faults.catalogue import Faults
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.pace import at_once
from tests.ingest.watching import Watcher, relay, trade, until_subscribed, watcher
from tests.keyspace import KEYSPACE
from tests.limits import LIMIT_SECONDS
from tests.services import running_ingest, until
from tests.simulator.client import endpoint_state

REGULAR, ODD_LOT = ["@"], ["@", "I"]

Tape = list[tuple[str, Any]]


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch)
    monkeypatch.setattr(lookups, "FIRST_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(lookups, "LONGEST_RETRY_SECONDS", 0.05)


@pytest.fixture
def source() -> RedisSource:
    return RedisSource("memory://")


class Prints:
    """Makes trades, each with a unique id."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.ids = 0

    async def happen(self, *prices: float, symbol: str = "SPY", odd_lots: bool = False) -> None:
        for price in prices:
            self.ids += 1
            conditions = ODD_LOT if odd_lots else REGULAR
            await trade(self.simulator, symbol, price, i=self.ids, x="V", c=conditions)


async def tape(watching: Watcher, symbol: str = "SPY") -> Tape:
    """Return what a symbol's tape has shown, in order: prices, and the names of other events."""
    history = await watching.history(f"trade:{symbol}")
    return [(event or TRADE, data.get("price")) for event, data in history]


def shown(*prices: float) -> Tape:
    return [(TRADE, price) for price in prices]


async def until_tape(watching: Watcher, *events: tuple[str, Any]) -> None:
    async def is_so() -> bool:
        return await tape(watching) == list(events)

    try:
        await until(is_so)
    except TimeoutError:
        assert await tape(watching) == list(events)
        raise


@asynccontextmanager
async def gaps_of(watching: Watcher, topic: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Collect the gaps that are announced on a topic."""
    gaps: list[dict[str, Any]] = []
    async with watching.client.pubsub() as channel:
        await channel.subscribe(topic)

        async def listen() -> None:
            async for each in channel.listen():
                got = message.unpack(each["data"]) if each["type"] == "message" else None
                if got is not None and got.event == GAP:
                    gaps.append(json.loads(got.body))

        task = asyncio.create_task(listen())
        try:
            yield gaps
        finally:
            task.cancel()
            await asyncio.wait([task])


async def begin(simulator: Simulator, watching: Watcher) -> Prints:
    """Watch SPY's price and tape; trade at 99 and 100."""
    await watching.watch("SPY")
    await watching.watch("SPY", kind="trade")
    await until_subscribed(simulator, "SPY")
    prints = Prints(simulator)
    await prints.happen(99, 100)
    await until_tape(watching, *shown(99, 100))
    return prints


async def lose(prints: Prints, watching: Watcher, fault: Callable[[Faults], Any]) -> None:
    """Break the connection; it is not let in again before the faults are cleared."""
    prints.simulator.faults.refuse_upgrade("iex", status=503, count=10_000)
    fault(prints.simulator.faults)
    await watching.until_state("reconnecting")


BREAKS: dict[str, Callable[[Faults], Any]] = {
    "reset": lambda faults: faults.reset("iex"),
    "fin": lambda faults: faults.fin("iex"),
}


@pytest.mark.parametrize("fault", BREAKS.values(), ids=BREAKS)
async def test_after_a_lost_connection_price_and_tape_are_complete_without_a_new_print(
    source: RedisSource, fault: Callable[[Faults], Any]
) -> None:
    async with relay(source) as (simulator, watching, _), gaps_of(watching, "price:SPY") as gaps:
        prints = await begin(simulator, watching)
        await lose(prints, watching, fault)
        await prints.happen(101, 102)
        await prints.happen(97, 98, odd_lots=True)
        simulator.faults.clear()
        await until_subscribed(simulator, "SPY")
        await watching.until_price("SPY", 102)
        await prints.happen(103)
        await until_tape(watching, *shown(99, 100, 101, 102, 97, 98, 103))

        last = await watching.last("SPY")
        assert last is not None
        assert (last[1]["price"], last[1]["conditions"]) == (103, REGULAR)
        assert gaps == []


async def test_a_cancelled_print_is_not_caught_up_with(source: RedisSource) -> None:
    async with relay(source) as (simulator, watching, _):
        prints = await begin(simulator, watching)
        await lose(prints, watching, BREAKS["reset"])
        await prints.happen(101, 102)
        await simulator.publish({"T": "x", "S": "SPY", "i": prints.ids, "x": "V", "z": "B"})
        simulator.faults.clear()
        await until_tape(watching, *shown(99, 100, 101))
        await watching.until_price("SPY", 101)


async def test_a_cancel_while_no_connection_is_open_withdraws_price_and_print(
    source: RedisSource,
) -> None:
    async with relay(source) as (simulator, watching, _):
        prints = await begin(simulator, watching)
        await lose(prints, watching, BREAKS["reset"])
        await simulator.publish({"T": "x", "S": "SPY", "i": prints.ids, "x": "V", "z": "B"})
        simulator.faults.clear()
        await until_tape(watching, *shown(99, 100), ("cancel", None))
        await watching.until_price("SPY", 99)


async def test_the_next_leader_applies_a_cancel_from_the_time_without_one(
    source: RedisSource,
) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
    ):
        async with running_ingest(source, simulator):
            await watching.until_state("live")
            prints = await begin(simulator, watching)
        await simulator.publish({"T": "x", "S": "SPY", "i": prints.ids, "x": "V", "z": "B"})
        async with running_ingest(source, simulator):
            await watching.until_price("SPY", 99)
            await until_tape(watching, *shown(99, 100), ("cancel", None))


async def test_what_a_mute_connection_has_not_brought_is_fetched(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SUSPECT_SECONDS", "FIRST_DATA_SECONDS", "PATIENCE_SECONDS"):
        monkeypatch.setattr(stream_silence, name, 0.3)
    monkeypatch.setattr(stream_silence, "MOST_PATIENCE_SECONDS", 0.6)
    monkeypatch.setattr(market_handler, "SILENCE_JUDGE_SECONDS", 0.05)
    monkeypatch.setattr(mute_stream, "CLOCKS_SECONDS", 0.1)
    async with relay(source) as (simulator, watching, _):
        prints = await begin(simulator, watching)
        assert simulator.faults.mute("iex") == 1
        published: list[float] = []

        async def trades_until_replaced() -> bool:
            published.append(101 + len(published))
            await prints.happen(published[-1])
            return bool(endpoint_state(simulator)["sessions_total"] >= 2)

        await until(trades_until_replaced)

        async def complete() -> bool:
            # live prints that arrive before REST's response stand before it
            return sorted(await tape(watching)) == shown(99, 100, *published)

        await until(complete)
        await watching.until_price("SPY", published[-1])


async def test_what_rest_does_not_give_is_a_gap_of_price_and_tape(source: RedisSource) -> None:
    async with relay(source) as (simulator, watching, _), gaps_of(watching, "price:SPY") as gaps:
        prints = await begin(simulator, watching)
        await lose(prints, watching, BREAKS["reset"])
        await prints.happen(101)
        simulator.faults.clear()
        simulator.faults.rest(status=403, path="/v2/stocks/trades", count=10_000)
        await until_tape(watching, *shown(99, 100), ("gap", None))
        await until(lambda: len(gaps) == 1)
        await watching.until_price("SPY", 101)

        [gap] = gaps
        assert (gap["topics"], gap["reason"]) == (["price:SPY"], "upstream_lost")
        assert gap["from"] < gap["to"]
        await prints.happen(102)
        await until_tape(watching, *shown(99, 100), ("gap", None), *shown(102))


async def test_a_truncated_answer_is_a_gap(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alpaca_rest, "ROWS_AT_ONCE", 1)
    async with relay(source) as (simulator, watching, _), gaps_of(watching, "price:SPY") as gaps:
        prints = await begin(simulator, watching)
        await lose(prints, watching, BREAKS["reset"])
        await prints.happen(101, 102, 103)
        simulator.faults.clear()
        await until_tape(watching, *shown(99, 100, 101), ("gap", None))
        await until(lambda: [gap["reason"] for gap in gaps] == ["upstream_lost"])
        await watching.until_price("SPY", 103)


async def test_a_new_leader_continues_where_the_old_one_ended(source: RedisSource) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
        gaps_of(watching, "price:SPY") as gaps,
    ):
        async with running_ingest(source, simulator):
            await watching.until_state("live")
            prints = await begin(simulator, watching)
            await prints.happen(96, 95, odd_lots=True)
            await until_tape(watching, *shown(99, 100, 96, 95))
        await prints.happen(101, 102)
        await prints.happen(97, odd_lots=True)
        simulator.faults.refuse_upgrade("iex", status=503, count=10_000)
        async with running_ingest(source, simulator):
            await watching.until_state("reconnecting")
            await prints.happen(103)
            await prints.happen(98, odd_lots=True)
            simulator.faults.clear()
            await watching.until_price("SPY", 103)
            await until_tape(watching, *shown(99, 100, 96, 95, 101, 102, 97, 103, 98))
        assert gaps == []


async def test_the_first_print_of_a_watched_tape_may_fall_between_two_leaders(
    source: RedisSource,
) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
    ):
        async with running_ingest(source, simulator):
            await watching.until_state("live")
            await watching.watch("SPY", kind="trade")
            await until_subscribed(simulator, "SPY")
        await Prints(simulator).happen(101)
        async with running_ingest(source, simulator):
            await until_tape(watching, *shown(101))


async def test_prints_that_were_shown_before_redis_was_emptied_are_not_shown_again(
    source: RedisSource,
) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
        source.client("test") as redis,
    ):
        async with running_ingest(source, simulator):
            await watching.until_state("live")
            prints = await begin(simulator, watching)
            await until_tape(watching, *shown(99, 100))
            await redis.delete(KEYSPACE.history("trade:SPY"), KEYSPACE.recorded_since)
            await until_noted(redis)
        await prints.happen(101)
        async with running_ingest(source, simulator):
            await until_tape(watching, *shown(101))
            await prints.happen(102)
            await until_tape(watching, *shown(101, 102))


async def until_noted(redis: Redis) -> None:
    """Wait until the leader has noted that Redis was empty."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while not await redis.exists(KEYSPACE.recorded_since):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("newest", "known_since", "until"),
    [(100.0, None, 55.0), (100.0, 70.0, 70.0), (100.0, 30.0, 55.0), (100.0, 101.0, 100.0)],
)
def test_a_recorded_tape_may_lack_prints_that_the_earlier_leader_was_fetching(
    newest: float, known_since: float | None, until: float
) -> None:
    known_since_ns = None if known_since is None else int(known_since * 1e9)
    assert history_gaps.repaired_until(newest, known_since_ns) == until


async def test_a_tape_that_is_watched_again_soon_is_completed(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wanted, "RECLAIM_SECONDS", 0.0)
    async with relay(source) as (simulator, watching, _):
        prints = await begin(simulator, watching)
        await watching.leave("SPY", kind="trade")
        await until(lambda: _unrecorded(prints, watching))
        await watching.watch("SPY", kind="trade")

        async def complete() -> bool:
            return await tape(watching) == shown(*range(99, 99 + prints.ids))

        await until(complete)


async def test_a_tape_that_was_watched_long_ago_has_a_gap(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_gaps, "RECENT_TAPE_SECONDS", 0.0)
    monkeypatch.setattr(wanted, "RECLAIM_SECONDS", 0.0)
    async with relay(source) as (simulator, watching, _):
        prints = await begin(simulator, watching)
        await watching.leave("SPY", kind="trade")
        await until(lambda: _unrecorded(prints, watching))
        await watching.watch("SPY", kind="trade")

        async def told() -> bool:
            history = await watching.history("trade:SPY")
            return [data["reason"] for event, data in history if event == GAP] == ["not_recorded"]

        await until(told)


async def _unrecorded(prints: Prints, watching: Watcher) -> bool:
    """Have a trade happen; return whether the tape does not show it while the price does."""
    price = 99 + prints.ids
    await prints.happen(price)
    await watching.until_price("SPY", price)
    return len(await tape(watching)) < prints.ids
