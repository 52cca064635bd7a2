"""Bars from Alpaca's streams and REST to Redis: whole, in order, through every loss."""

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgpack
import pytest
from redis.asyncio import Redis

from ingest import charts, market_data
from ingest.bars import need_schedule, observed_minutes
from ingest.demand import wanted
from ingest.market import symbol_states
from shared import rfc3339
from shared.bus.redis_source import RedisSource
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.watching import Watcher, relay, trade, until_subscribed, watcher
from tests.keyspace import KEYSPACE
from tests.services import running_ingest, until
from tests.simulator.client import endpoint_state

MINUTE = 60
NS = 1_000_000_000
Bar = dict[str, Any]


def minute(back: int = 1) -> int:
    """Return the start (unix s) of a minute that is over."""
    return int(time.time()) // MINUTE * MINUTE - back * MINUTE


async def trades_in(simulator: Simulator, start: int, *prices: float, symbol: str = "SPY") -> None:
    """Have trades happen in a minute."""
    for number, price in enumerate(prices):
        at = rfc3339.from_nanoseconds((start + 1 + number) * NS)
        await simulator.publish(
            {"T": "t", "S": symbol, "p": price, "s": 100, "z": "B", "c": [" "], "t": at}
        )


async def stored(client: Redis, symbol: str = "SPY", kind: str = "bar.1Min") -> dict[int, Bar]:
    """Return the stored bars by their starts (unix s)."""
    return await Watcher(client).bars(f"{kind}:{symbol}")


async def until_stored(
    client: Redis, start: int, true: Callable[[Bar], bool], **where: str
) -> dict[int, Bar]:
    """Wait until the stored bar of a minute is such; return all bars of its topic."""
    found: dict[int, Bar] = {}

    async def is_so() -> bool:
        nonlocal found
        found = await stored(client, **where)
        return start in found and true(found[start])

    await until(is_so)
    return found


def is_final(close: float) -> Callable[[Bar], bool]:
    return lambda bar: bar["final"] and bar["close"] == close


async def until_channel(simulator: Simulator, channel: str, *symbols: str) -> None:
    await until(lambda: endpoint_state(simulator)[channel] == sorted(symbols))


async def charted(simulator: Simulator, watching: Watcher, *symbols: str, kind: str) -> None:
    """Let a client chart symbols; return once their bars come."""
    await watching.watch(*symbols, kind=kind)
    await until_channel(simulator, "updatedBars", *symbols)


async def events(watching: Watcher, kind: str = "bar.1Min") -> list[tuple[str | None, Bar]]:
    return await watching.history(f"{kind}:SPY")


async def test_a_minute_runs_by_its_trades_ends_by_alpacas_bar_and_is_revised(
    source: RedisSource,
) -> None:
    async with relay(source) as (simulator, watching, _):
        await charted(simulator, watching, "SPY", kind="bar.1Min")
        await until_subscribed(simulator, "SPY")
        now, before = minute(0), minute(1)
        await simulator.publish({"T": "t", "S": "SPY", "p": 101, "s": 100, "z": "B", "c": [" "]})
        await until_stored(watching.client, now, lambda bar: not bar["final"], symbol="SPY")

        await trades_in(simulator, before, 99, 100)
        await simulator.send_bars(before * NS)
        await until_stored(watching.client, before, is_final(100))
        await trades_in(simulator, before, 99, 100, 98)
        await simulator.send_bars(before * NS, "u")
        bars = await until_stored(watching.client, before, is_final(98))

    assert (bars[before]["revision"], bars[before]["open"], bars[before]["high"]) == (1, 99, 100)
    history = [bar for name, bar in await _history(source) if name is None]
    versions = [bar for bar in history if bar["timestamp"] == rfc3339.from_nanoseconds(before * NS)]
    assert [each["revision"] for each in versions] == [0, 1]


async def _history(source: RedisSource) -> list[tuple[str | None, Bar]]:
    async with watcher(source) as watching:
        return await events(watching)


async def test_forty_charts_beside_thirty_live_symbols_work_on_the_free_plan(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market_data, "EVALUATE_SECONDS", 0.02)
    monkeypatch.setattr(symbol_states, "UNACKNOWLEDGED_SECONDS", 0.0)
    settings = SimulatorSettings(tape=None, positions=(), plan="basic")
    live, charts_ = [f"L{n:02}" for n in range(30)], [f"C{n:02}" for n in range(40)]
    async with relay(source, settings, alpaca_symbol_limit=30) as (simulator, watching, _):
        simulator.faults.rest(status=503, path="/v2/stocks/bars", seconds=3600)  # the stream alone
        await watching.watch(*live)
        await until_subscribed(simulator, *live)
        for kind in ("bar.1Min", "bar.1Day"):
            await watching.watch(*charts_, kind=kind)
        for channel in ("bars", "updatedBars", "dailyBars"):
            await until_channel(simulator, channel, *charts_)
        start = minute()
        for symbol in charts_:
            await trades_in(simulator, start, 50, 51, symbol=symbol)
        await simulator.send_bars(start * NS)
        for symbol in charts_:
            await until_stored(watching.client, start, is_final(51), symbol=symbol)
        for number, symbol in enumerate(live):
            await trade(simulator, symbol, 70 + number)
        for number, symbol in enumerate(live):
            await watching.until_price(symbol, 70 + number)
        state = endpoint_state(simulator)
        assert (state["refused"], state["subscriptions"]) == ({}, live)
        status = await watching.status()
        # They have no trades here, and that is no fault.
        assert await watching.client.keys("{status:C*}:last") == []

    assert status is not None
    assert (status.active_symbols, status.over_limit) == (live, [])


async def test_a_plan_that_counts_bars_keeps_its_slots_for_prices_and_rest_brings_the_charts(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charts, "MINUTE_NS", NS)
    monkeypatch.setattr(charts, "POLL_AFTER_NS", 0)
    settings = SimulatorSettings(tape=None, positions=(), plan="basic", symbol_limit=2)
    async with relay(source, settings, alpaca_symbol_limit=2) as (simulator, watching, _):
        simulator.faults.counted_bars("iex")
        await watching.watch("A", "B")
        await until_subscribed(simulator, "A", "B")
        await watching.watch("SPY", kind="bar.1Min")
        start = minute()
        await trades_in(simulator, start, 50, 51)
        await until_stored(watching.client, start, is_final(51))

        assert endpoint_state(simulator)["bars"] == []
        await until_subscribed(simulator, "A", "B")


async def test_a_history_is_filled_at_first_demand_and_clients_that_watch_read_it(
    source: RedisSource,
) -> None:
    start = minute(5)
    async with relay(source) as (simulator, watching, _):
        await trades_in(simulator, start, 50, 51)
        await trades_in(simulator, start + MINUTE, 52)
        for kind in ("bar.1Min", "bar.5Min"):
            await watching.watch("SPY", kind=kind)
        bars = await until_stored(watching.client, start, is_final(51))

        async def is_reloaded() -> bool:
            return "reload" in [name for name, _ in await events(watching)]

        await until(is_reloaded)
        whole = await watching.client.hkeys(KEYSPACE.whole_bars)

    assert [bars[start]["volume"], bars[start + MINUTE]["close"]] == [200, 52]
    assert b"bar.1Min:SPY" in whole


@asynccontextmanager
async def second_leader(source: RedisSource) -> AsyncIterator[tuple[Simulator, Watcher]]:
    """Run a leader after another one, which has stored a bar: each minute since then is known."""
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
    ):
        start = minute(3)
        async with running_ingest(source, simulator):
            await charted(simulator, watching, "SPY", kind="bar.1Min")
            await trades_in(simulator, start, 40)
            await simulator.send_bars(start * NS)
            await until_stored(watching.client, start, is_final(40))
        await until(lambda: not endpoint_state(simulator)["sessions"])
        async with running_ingest(source, simulator):
            await until_channel(simulator, "updatedBars", "SPY")
            await until_subscribed(simulator, "SPY")
            await until(lambda: _is_whole(watching.client, "bar.1Min:SPY"))
            yield simulator, watching


@pytest.fixture
def _minutes_are_long_unsure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss makes the minutes before it doubtful, at whichever second the test runs."""
    monkeypatch.setattr(observed_minutes, "FINAL_AFTER_NS", 600 * NS)


@pytest.mark.usefixtures("_minutes_are_long_unsure")
async def test_minutes_of_a_lost_connection_are_fetched_and_announced(source: RedisSource) -> None:
    async with second_leader(source) as (simulator, watching):
        await trades_in(simulator, start := minute(), 50)
        await simulator.send_bars(start * NS)
        await until_stored(watching.client, start, is_final(50))
        simulator.faults.lost_bars(symbol="SPY", kind="u", seconds=3600)
        # REST alone has this revision.
        await trades_in(simulator, start, 50, 47)
        simulator.faults.reset("iex")
        bars = await until_stored(watching.client, start, is_final(47))

        assert bars[start]["revision"] == 1
        assert [bar["close"] for name, bar in await events(watching) if name is None][-1] == 47


async def test_the_next_leader_goes_on_with_the_bars_of_the_one_before(source: RedisSource) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
    ):
        start = minute(2)
        async with running_ingest(source, simulator):
            await charted(simulator, watching, "SPY", kind="bar.1Min")
            await watching.watch("SPY", kind="bar.5Min")
            for closes in ([50.0], [50.0, 51.0]):
                await trades_in(simulator, start, *closes)
                await simulator.send_bars(start * NS, "u" if len(closes) > 1 else "b")
                await until_stored(watching.client, start, is_final(closes[-1]))
            before = await stored(watching.client)
        # While no ingest leads, a minute passes.
        await trades_in(simulator, start + MINUTE, 60)
        await simulator.send_bars((start + MINUTE) * NS)
        async with running_ingest(source, simulator):
            after = await until_stored(watching.client, start + MINUTE, is_final(60))

    assert before[start]["revision"] == 1
    assert after[start] == before[start], "it is the same version, and no event repeated it"
    history = [bar for name, bar in await _history(source) if name is None]
    assert [bar["close"] for bar in history if bar["final"]] == [50, 51, 60]


async def test_an_emptied_redis_gets_its_bars_again(source: RedisSource) -> None:
    async with relay(source) as (simulator, watching, _):
        await charted(simulator, watching, "SPY", kind="bar.1Min")
        await trades_in(simulator, start := minute(), 50)
        await simulator.send_bars(start * NS)
        await until_stored(watching.client, start, is_final(50))
        await watching.client.flushall()
        await watching.watch("SPY", kind="bar.1Min")
        await until_stored(watching.client, start, is_final(50))


async def test_a_bar_that_the_stream_does_not_send_is_asked_for(source: RedisSource) -> None:
    async with second_leader(source) as (simulator, watching):
        simulator.faults.lost_bars(symbol="SPY", seconds=3600)
        await trades_in(simulator, start := minute(), 50, 51)
        bars = await until_stored(watching.client, start, is_final(51))

    assert bars[start]["volume"] == 200


@pytest.mark.usefixtures("_minutes_are_long_unsure")
async def test_minutes_that_rest_cannot_return_become_a_gap(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(need_schedule, "FIRST_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(need_schedule, "LONGEST_RETRY_SECONDS", 0.05)
    async with second_leader(source) as (simulator, watching):
        simulator.faults.rest(status=403, path="/v2/stocks/", seconds=3600)
        simulator.faults.reset("iex")

        async def is_gap() -> bool:
            return "gap" in [name for name, _ in await events(watching)]

        await until(is_gap)


async def test_a_history_of_another_scale_is_replaced_and_clients_read_it_again(
    source: RedisSource,
) -> None:
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        watcher(source) as watching,
    ):
        yesterday = minute() - 24 * 3600
        await trades_in(simulator, yesterday, 50)
        async with running_ingest(source, simulator):
            await charted(simulator, watching, "SPY", kind="bar.1Min")
            bars = await until_stored(watching.client, yesterday, is_final(50))
        # As an earlier leader has stored it, before a split of ten new shares for one.
        event_id = bars[yesterday]["event_id"]
        body = json.dumps(bars[yesterday] | {"close": 500.0}, separators=(",", ":"))
        where = KEYSPACE.bars("bar.1Min:SPY")
        await watching.client.zremrangebyscore(where, yesterday, yesterday)
        await watching.client.zadd(where, {f"{event_id}\n{body}": yesterday})
        async with running_ingest(source, simulator):
            await until_stored(watching.client, yesterday, is_final(50))

            async def is_reloaded() -> bool:
                found = [each for name, each in await events(watching) if name == "reload"]
                return "split" in [each["reason"] for each in found]

            await until(is_reloaded)


async def test_bars_of_a_chart_that_was_closed_stay_for_the_linger_and_then_leave(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wanted, "LINGER_SECONDS", 0.5)
    async with relay(source) as (simulator, watching, _):
        await charted(simulator, watching, "SPY", kind="bar.15Min")
        await until(lambda: _is_whole(watching.client, "bar.15Min:SPY"))
        await watching.leave("SPY", kind="bar.15Min")
        for channel in ("bars", "updatedBars", "trades"):
            await until_channel(simulator, channel)
        # A later chart must not take them for whole: bars have been missed.
        await until(lambda: _is_forgotten(watching.client, "bar.15Min:SPY"))


async def _is_whole(client: Redis, topic: str) -> bool:
    return bool(await client.hexists(KEYSPACE.whole_bars, topic))


async def _is_forgotten(client: Redis, topic: str) -> bool:
    return not await _is_whole(client, topic)


async def test_one_malformed_bar_costs_no_other(source: RedisSource) -> None:
    async with relay(source) as (simulator, watching, _):
        await charted(simulator, watching, "SPY", kind="bar.1Min")
        await trades_in(simulator, start := minute(), 50)
        at = rfc3339.from_nanoseconds(start * NS)
        bad = {"T": "b", "S": "SPY", "t": at, "o": -1, "h": 1, "l": 1, "c": 1, "v": 1}
        simulator.faults.send("iex", msgpack.packb([bad]))
        await simulator.send_bars(start * NS)
        await until_stored(watching.client, start, is_final(50))

        async def is_counted() -> bool:
            status = await watching.status()
            return status is not None and status.malformed["stocks"] == 1

        await until(is_counted)


async def test_the_report_counts_how_own_bars_differ_from_alpacas(source: RedisSource) -> None:
    async with relay(source) as (simulator, watching, _):
        await charted(simulator, watching, "SPY", kind="bar.1Min")
        await until_subscribed(simulator, "SPY")

        async def charts_one() -> bool:
            status = await watching.status()
            return status is not None and status.bars is not None and status.bars.charted == 1

        await until(charts_one)
