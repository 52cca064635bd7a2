"""Symbols of which a living stream brings nothing: withheld, refused, unreadable, or unknown."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgpack
import pytest

from ingest import market_data
from ingest.demand import lookups, rejected_symbols
from ingest.market import symbol_states, withheld_trades
from ingest.upstream import catch_up, suspected_losses
from shared import message
from shared.bus.redis_source import RedisSource
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.hours import SwitchableHours
from simulator.tape.recording import DailyBar
from tests.ingest.pace import no_bars_streamed
from tests.ingest.watching import Watcher, relay, trade, until_subscribed
from tests.services import until
from tests.simulator.client import endpoint_state


@pytest.fixture(autouse=True)
def _short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market_data, "EVALUATE_SECONDS", 0.05)
    monkeypatch.setattr(lookups, "SYMBOL_POLL_SECONDS", 0.1)
    monkeypatch.setattr(lookups, "SILENT_SECONDS", 0.0)
    monkeypatch.setattr(symbol_states, "LEAST_QUIET_SECONDS", 0.5)
    monkeypatch.setattr(symbol_states, "ASK_AGAIN_SECONDS", 0.2)
    monkeypatch.setattr(symbol_states, "NEW_SYMBOL_SECONDS", 0.5)
    monkeypatch.setattr(withheld_trades, "CLOCKS_NS", 0)


@pytest.fixture
def source() -> RedisSource:
    return RedisSource("memory://")


@asynccontextmanager
async def states_of(watching: Watcher, symbol: str) -> AsyncIterator[list[str]]:
    """Collect the states of a symbol as they are published."""
    states: list[str] = []
    async with watching.client.pubsub() as channel:
        await channel.subscribe(f"status:{symbol}")

        async def listen() -> None:
            async for each in channel.listen():
                got = message.unpack(each["data"]) if each["type"] == "message" else None
                if got is not None:
                    states.append(json.loads(got.body)["state"])

        task = asyncio.create_task(listen())
        try:
            yield states
        finally:
            task.cancel()
            await asyncio.wait([task])


@asynccontextmanager
async def trading(simulator: Simulator, symbol: str = "SPY") -> AsyncIterator[None]:
    """Have a symbol trade all the time, so that the stream lives."""

    async def trade_on() -> None:
        while True:
            await trade(simulator, symbol, 500)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(trade_on())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def begin(simulator: Simulator, watching: Watcher) -> None:
    """Watch SPY and TFPM, and trade TFPM."""
    await watching.watch("SPY", "TFPM")
    await watching.watch("TFPM", kind="trade")
    await until_subscribed(simulator, "SPY", "TFPM")
    for number in range(3):
        await trade(simulator, "TFPM", 25 + number / 10, i=number, x="V")
    await watching.until_price("TFPM", 25.2)
    await watching.until_symbol("TFPM", "live")


async def prints(watching: Watcher, symbol: str = "TFPM") -> list[float]:
    return [data["price"] for event, data in await watching.history(f"trade:{symbol}")]


async def alarms(watching: Watcher) -> list[str]:
    status = await watching.status()
    return [] if status is None else [alarm.code for alarm in status.alarms]


async def until_alarm(watching: Watcher, code: str) -> None:
    async def is_so() -> bool:
        return code in await alarms(watching)

    await until(is_so)


@pytest.mark.parametrize("session", ["pre", "regular", "post"])
async def test_a_withheld_symbol_is_stale_and_polled_and_its_prints_are_fetched_until_it_returns(
    source: RedisSource, session: Any
) -> None:
    hours = SwitchableHours(session)
    settings = SimulatorSettings(tape=None, positions=(), hours=hours)
    async with (
        relay(source, settings, alpaca_feed="iex") as (simulator, watching, _),
        trading(simulator),
        states_of(watching, "TFPM") as states,
    ):
        await begin(simulator, watching)
        simulator.faults.withhold("iex", symbol="TFPM", is_lasting=True)
        await trade(simulator, "TFPM", 26.0, i=3, x="V")
        await trade(simulator, "TFPM", 26.1, i=4, x="V")
        await watching.until_symbol("TFPM", "stale")
        await watching.until_price("TFPM", 26.1)
        await until_alarm(watching, "withheld_symbols")
        for number, price in enumerate((26.2, 26.3, 26.4), 5):  # REST alone knows them
            await trade(simulator, "TFPM", price, i=number, x="V")
            await watching.until_price("TFPM", price)

        simulator.faults.clear("iex")
        await trade(simulator, "TFPM", 26.5, i=8, x="V")
        await watching.until_symbol("TFPM", "live")
        expected = [25.0, 25.1, 25.2, 26.0, 26.1, 26.2, 26.3, 26.4, 26.5]

        async def is_complete() -> bool:
            return sorted(await prints(watching)) == expected

        await until(is_complete)
        assert "quiet" not in states[states.index("live") :]
        assert endpoint_state(simulator)["sessions_total"] == 1


async def test_the_bar_of_the_day_has_the_withheld_prints_by_rest(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_bars_streamed(monkeypatch)
    # Another subscription is a reason to ask REST, too.
    monkeypatch.setattr(withheld_trades.WithheldTrades, "take_renewals", lambda *_: [])
    async with relay(source, alpaca_feed="iex") as (simulator, watching, _), trading(simulator):
        await begin(simulator, watching)
        await watching.watch("TFPM", kind="bar.1Day")
        await watching.until_day_high("TFPM", 25.2)
        simulator.faults.withhold("iex", symbol="TFPM", is_lasting=True)
        await trade(simulator, "TFPM", 31.0, i=3, x="V")
        await watching.until_day_high("TFPM", 31.0)


@pytest.mark.parametrize("how", ["the stream brings it again", "the connection is lost"])
async def test_prints_between_the_last_request_and_the_end_of_the_withholding_are_fetched(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(lookups, "SYMBOL_POLL_SECONDS", 100.0)
    monkeypatch.setattr(catch_up, "OVERLAP_SECONDS", 0.0)
    monkeypatch.setattr(market_data, "QUIET_NS", 0)
    async with relay(source, alpaca_feed="iex") as (simulator, watching, _), trading(simulator):
        await begin(simulator, watching)
        simulator.faults.withhold("iex", symbol="TFPM", is_lasting=True)
        await trade(simulator, "TFPM", 26.0, i=3, x="V")
        await watching.until_symbol("TFPM", "stale")
        await watching.until_price("TFPM", 26.0)
        for number, price in enumerate((26.1, 26.2), 4):
            await trade(simulator, "TFPM", price, i=number, x="V")
        await watching.until_price("TFPM", 26.2)  # by a snapshot, which shows one print alone
        assert 26.1 not in await prints(watching)

        simulator.faults.clear("iex")
        if how == "the connection is lost":
            simulator.faults.reset("iex")
            await until(lambda: endpoint_state(simulator)["sessions_total"] == 2)
            await until_subscribed(simulator, "SPY", "TFPM")
        else:
            await trade(simulator, "TFPM", 26.3, i=6, x="V")

        async def are_fetched() -> bool:
            return {26.1, 26.2} <= set(await prints(watching))

        await until(are_fetched)


async def test_prints_withheld_before_a_loss_are_fetched_even_if_no_look_has_noticed(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catch_up, "OVERLAP_SECONDS", 0.0)
    async with relay(source, alpaca_feed="iex") as (simulator, watching, _):
        await begin(simulator, watching)
        simulator.faults.rest(path="/v2/stocks/snapshots", status=500, count=1000)  # no comparison
        simulator.faults.withhold("iex", symbol="TFPM", is_lasting=True)
        await trade(simulator, "TFPM", 26.0, i=3, x="V")
        await trade(simulator, "SPY", 501)
        await watching.until_price("SPY", 501)  # the stream has brought a later trade
        simulator.faults.reset("iex")

        async def is_fetched() -> bool:
            return 26.0 in await prints(watching)

        await until(is_fetched)


async def test_a_lost_subscription_is_renewed(source: RedisSource) -> None:
    async with relay(source) as (simulator, watching, _), trading(simulator):
        await begin(simulator, watching)
        simulator.faults.withhold("iex", symbol="TFPM")  # until a new subscribe
        await trade(simulator, "TFPM", 26.0, i=3, x="V")
        await watching.until_price("TFPM", 26.0)
        await until(lambda: endpoint_state(simulator)["withheld"] == [])
        await until_subscribed(simulator, "SPY", "TFPM")
        await trade(simulator, "TFPM", 26.1, i=4, x="V")

        await watching.until_symbol("TFPM", "live")
        assert await watching.client.get("price:TFPM") is not None, "the stream brought it"


async def test_a_symbol_whose_trades_cannot_be_read_is_stale_and_not_quiet(
    source: RedisSource,
) -> None:
    async with (
        relay(source) as (simulator, watching, _),
        trading(simulator),
        states_of(watching, "TFPM") as states,
    ):
        await begin(simulator, watching)
        # The simulator's REST knows the trades, and the stream has them in another form.
        simulator.faults.withhold("iex", symbol="TFPM", is_lasting=True)
        for number in range(10):
            await trade(simulator, "TFPM", 26.0 + number, i=3 + number, x="V")
            now = msgpack.Timestamp.from_unix_nano(time.time_ns())
            odd = {"T": "t", "S": "TFPM", "i": 3 + number, "x": "V", "p": {"v": 26}, "s": 1}
            # As bytes: from other frames the simulator leaves out a symbol that it withholds.
            simulator.faults.send("iex", msgpack.packb([{**odd, "t": now}]))
        await watching.until_symbol("TFPM", "stale")
        await watching.until_price("TFPM", 35.0)

        assert "quiet" not in states[states.index("live") :]

        async def are_counted() -> bool:
            status = await watching.status()
            return status is not None and status.tape.malformed == 10

        await until(are_counted)


@pytest.mark.parametrize("how", ["REST has it", "REST fails", "the connection is lost"])
async def test_a_print_that_cannot_be_read_is_fetched_or_a_gap_although_its_symbol_trades_on(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    lost = how == "the connection is lost"
    monkeypatch.setattr(suspected_losses, "SETTLE_SECONDS", 3600.0 if lost else 0.3)
    monkeypatch.setattr(lookups, "FIRST_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(catch_up, "OVERLAP_SECONDS", 1.0)
    async with relay(source) as (simulator, watching, _):
        await begin(simulator, watching)
        simulator.faults.withhold("iex", symbol="TFPM", is_lasting=True)
        await trade(simulator, "TFPM", 26.0, i=3, x="V")  # REST has it
        odd = {"T": "t", "S": "TFPM", "i": 3, "x": "V", "p": {"v": 26}, "s": 1}
        simulator.faults.send("iex", msgpack.packb([{**odd, "t": msgpack.Timestamp(0)}]))
        simulator.faults.clear("iex")
        await trade(simulator, "TFPM", 26.1, i=4, x="V")
        await watching.until_price("TFPM", 26.1)
        if how == "REST fails":
            simulator.faults.rest(path="/v2/stocks/trades", status=500, count=1000)
        if lost:
            monkeypatch.setattr(catch_up, "OVERLAP_SECONDS", 0.0)
            await asyncio.sleep(0.1)
            simulator.faults.reset("iex")

        async def is_shown() -> bool:
            history = await watching.history("trade:TFPM")
            if how == "REST fails":
                return "gap" in [event for event, _ in history]
            return 26.0 in [data.get("price") for _, data in history]

        await until(is_shown)


async def test_a_symbol_that_the_stream_rejects_is_polled_while_rest_has_it(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejected_symbols, "FIRST_REJECTION_SECONDS", 0.2)
    async with relay(source) as (simulator, watching, _):
        await trade(simulator, "XYZ", 25.0)
        simulator.faults.refuse_subscribe("iex", code=400, count=1000)
        await watching.watch("XYZ")
        status = await watching.until_symbol("XYZ", "polled")
        assert status["reason"] == "Alpaca's stream does not take it: looked up every few seconds."
        await until_alarm(watching, "refused_symbols")
        for price in (26.0, 26.1, 26.2):
            await trade(simulator, "XYZ", price)
            await watching.until_price("XYZ", price)
        assert "rejected_symbols" not in await alarms(watching)

        simulator.faults.clear("iex")
        await until_subscribed(simulator, "XYZ")
        await trade(simulator, "XYZ", 26.3)
        await watching.until_symbol("XYZ", "live")


@pytest.mark.parametrize("bars", [{}, {"KUBTY": [DailyBar(o=70, h=70, l=70, c=70.0, v=1)]}])
async def test_a_listed_symbol_without_a_trade_on_the_feed_is_quiet_and_not_unknown(
    source: RedisSource, bars: Any
) -> None:
    settings = SimulatorSettings(
        tape=None, positions=(), assets=["KUBTY"], previous_daily_bars=bars
    )
    async with relay(source, settings) as (simulator, watching, _):
        await watching.watch("KUBTY", "NOSUCH")
        await watching.until_unknown("NOSUCH")
        assert (await watching.until_symbol("NOSUCH", "rejected"))["reason"]
        status = await watching.until_symbol("KUBTY", "quiet")
        assert status["reason"] == "No trade on the feed iex is known yet."
        await until_alarm(watching, "rejected_symbols")
        report = await watching.status()
        assert report is not None
        assert report.rejected == ["NOSUCH"]
        last = await watching.last("KUBTY")
        assert last is not None
        assert (last[1]["price"], last[1]["reason"]) == (None, "no_trade_seen")
        assert last[1]["previous_close"] == (70.0 if bars else None)

        await trade(simulator, "KUBTY", 71)
        await watching.until_symbol("KUBTY", "live")


async def test_if_alpacas_assets_cannot_be_asked_a_symbol_is_not_called_unknown(
    source: RedisSource,
) -> None:
    async with relay(source) as (simulator, watching, _):
        simulator.faults.rest(path="/v2/assets/NOSUCH", status=500, count=1000)
        await watching.watch("NOSUCH")
        await watching.until_symbol("NOSUCH", "quiet")

        assert "rejected_symbols" not in await alarms(watching)
