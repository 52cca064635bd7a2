"""The events of a symbol: before its first print, through halts, limits and hours."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from ingest import market_data
from ingest.demand import lookups
from ingest.market import symbol_states
from shared import message
from shared.bus.redis_source import RedisSource
from simulator.account.ledger import Holding
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.hours import SwitchableHours
from simulator.tape.recording import DailyBar
from tests.ingest.watching import (
    Watcher,
    relay,
    subscribed,
    trade,
    until_subscribed,
    watcher,
)
from tests.keyspace import KEYSPACE
from tests.services import running_ingest, until
from tests.simulator.client import endpoint_state

YESTERDAY = DailyBar(o=90, h=110, l=85, c=100, v=1_000_000)


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market_data, "EVALUATE_SECONDS", 0.05)


@pytest.fixture
def source() -> RedisSource:
    return RedisSource("memory://")


@pytest.fixture
async def upstream(source: RedisSource) -> AsyncIterator[tuple[Simulator, Watcher]]:
    async with relay(source) as (simulator, watching, _):
        yield simulator, watching


def simulated(**settings: Any) -> SimulatorSettings:
    return SimulatorSettings(tape=None, **{"positions": (), **settings})


async def test_price_quote_and_day_are_there_before_the_first_print(
    upstream: tuple[Simulator, Watcher],
) -> None:
    simulator, watching = upstream
    await trade(simulator, "SPY", 101)
    quote = {"bp": 100.9, "bs": 3, "bx": "V", "ap": 101.1, "as": 0, "ax": "V"}
    await simulator.publish({"T": "q", "S": "SPY", "z": "B", **quote})
    for kind in ("price", "bar.1Day"):
        await watching.watch("SPY", kind=kind)
    await watching.until_price("SPY", 101)

    best = await watching.last("SPY", "quote")
    assert best is not None
    assert (best[1]["bid"], best[1]["ask"]) == (100.9, None), "a side without size is none"

    async def has_day() -> bool:
        days: Any = await watching.client.zrange(KEYSPACE.bars("bar.1Day:SPY"), -1, -1)
        day = json.loads(message.unpack(days[0]).body) if days else {}
        return (day.get("close"), day.get("final")) == (101, False)

    await until(has_day)


@pytest.mark.parametrize(
    ("session", "splits", "previous_close", "price", "change_percent"),
    [
        ("regular", {}, 100, 101, 0.01),
        ("pre", {}, 100, 101, 0.01),
        ("regular", {"SPY": 4.0}, 25, 26, 0.04),
        ("pre", {"SPY": 4.0}, 25, 26, 0.04),
        ("regular", {"SPY": 0.1}, 1000, 990, -0.01),
    ],
)
async def test_the_change_is_against_the_previous_close_as_the_splits_have_made_it(
    source: RedisSource,
    session: Any,
    splits: dict[str, float],
    previous_close: float,
    price: float,
    change_percent: float,
) -> None:
    settings = simulated(
        hours=SwitchableHours(session),
        splits=splits,
        previous_daily_bars={"SPY": [YESTERDAY]},
    )
    async with relay(source, settings) as (simulator, watching, _):
        await watching.watch("SPY")
        await until_subscribed(simulator, "SPY")
        for _ in range(5):  # on a split morning the first prints are far off the last price
            await trade(simulator, "SPY", price)

        async def told() -> bool:
            last = await watching.last("SPY")
            return last is not None and last[1]["change_percent"] == change_percent

        await until(told)
        last = await watching.last("SPY")
        assert last is not None
        assert last[1]["previous_close"] == previous_close
        assert last[1]["change"] == price - previous_close


async def test_a_false_split_in_the_adjusted_bars_moves_neither_the_change_nor_the_position(
    source: RedisSource,
) -> None:
    settings = simulated(
        hours=SwitchableHours("regular"),
        previous_daily_bars={"SPY": [YESTERDAY]},
        positions=(Holding("SPY", Decimal(10), Decimal(90)),),
    )
    async with Simulator(settings) as simulator, watcher(source) as watching:
        simulator.faults.adjustment("SPY", ratio=2.0, count=100)
        with capture_logs() as lines:
            async with running_ingest(source, simulator):
                await watching.watch("SPY")
                await until_subscribed(simulator, "SPY")
                await trade(simulator, "SPY", 101)
                await watching.until_price("SPY", 101)
                await until(lambda: "split_unconfirmed" in {line["event"] for line in lines})
                last = await watching.last("SPY")

                async def priced_by_tape() -> bool:
                    position = await watching.last("SPY", "position")
                    return position is not None and position[1]["price_source"] == "trade"

                await until(priced_by_tape)

    assert last is not None
    assert (last[1]["previous_close"], last[1]["change"]) == (100, 1)
    [line] = [line for line in lines if line["event"] == "split_unconfirmed"]
    assert (line["symbol"], line["raw_close"], line["adjusted_close"]) == ("SPY", 100, 50)


async def test_a_symbol_is_live_while_it_trades_and_quiet_when_nobody_does(
    upstream: tuple[Simulator, Watcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(symbol_states, "LEAST_QUIET_SECONDS", 0.3)
    simulator, watching = upstream
    await trade(simulator, "SPY", 100)
    await watching.watch("SPY")
    await until_subscribed(simulator, "SPY")
    await watching.until_symbol("SPY", "quiet")
    await trade(simulator, "SPY", 101)
    await watching.until_symbol("SPY", "live")
    await watching.until_symbol("SPY", "quiet")


async def test_a_halt_is_told_with_its_reason_until_trading_resumes(
    upstream: tuple[Simulator, Watcher],
) -> None:
    simulator, watching = upstream
    await trade(simulator, "AAPL", 100, z="C")
    await watching.watch("AAPL")
    await until_subscribed(simulator, "AAPL")
    await until(lambda: endpoint_state(simulator)["statuses"] == ["AAPL"])
    halt = {"T": "s", "S": "AAPL", "sc": "H", "sm": "Trading Halt", "rc": "T12", "z": "C"}
    await simulator.publish({**halt, "rm": "Trading Halted; For information requested by NASDAQ"})
    status = await watching.until_symbol("AAPL", "halted")
    assert status["reason"]
    await simulator.publish({**halt, "sc": "T", "sm": "Trading Resumption", "rc": "", "rm": ""})
    await trade(simulator, "AAPL", 101, z="C")

    await watching.until_symbol("AAPL", "live")


async def test_a_halt_outlives_the_ingest_that_heard_of_it(source: RedisSource) -> None:
    halt = {"T": "s", "S": "AAPL", "sc": "H", "sm": "Trading Halt", "rc": "T12", "z": "C"}
    async with Simulator(simulated()) as simulator, watcher(source) as watching:
        await trade(simulator, "AAPL", 100, z="C")
        await watching.watch("AAPL")
        async with running_ingest(source, simulator):
            await until(lambda: endpoint_state(simulator)["statuses"] == ["AAPL"])
            await simulator.publish({**halt, "rm": "News pending"})
            told = await watching.until_symbol("AAPL", "halted")
        async with running_ingest(source, simulator):
            await until_subscribed(simulator, "AAPL")

            async def told_anew() -> bool:
                last = await watching.last("AAPL", "status")
                return last is not None and last[1]["event_id"] != told["event_id"]

            await until(told_anew)
            assert (await watching.until_symbol("AAPL", "halted"))["reason"] == told["reason"]


async def test_a_closed_market_is_told_and_its_opening(source: RedisSource) -> None:
    hours = SwitchableHours("closed")
    async with relay(source, simulated(hours=hours)) as (simulator, watching, _):
        await trade(simulator, "SPY", 100)
        await watching.watch("SPY")
        status = await watching.until_symbol("SPY", "closed")

        assert status["reason"] == "The market is closed."


async def test_a_symbol_that_alpaca_does_not_know_is_rejected(
    upstream: tuple[Simulator, Watcher],
) -> None:
    _, watching = upstream
    await watching.watch("NOSUCH")

    await watching.until_symbol("NOSUCH", "rejected")


async def test_a_lost_connection_makes_its_symbols_stale_after_a_while(
    upstream: tuple[Simulator, Watcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(symbol_states, "STREAM_LOST_SECONDS", 0.2)
    simulator, watching = upstream
    await trade(simulator, "SPY", 100)
    await watching.watch("SPY")
    await until_subscribed(simulator, "SPY")
    simulator.faults.refuse_upgrade("iex", status=503, seconds=600)
    simulator.faults.reset("iex")
    status = await watching.until_symbol("SPY", "stale")
    assert "stream is disconnected" in status["reason"]
    simulator.faults.clear()
    await until_subscribed(simulator, "SPY")
    await trade(simulator, "SPY", 101)

    await watching.until_symbol("SPY", "live")


async def test_the_overflow_is_polled_and_moves_up_when_a_slot_is_free(
    source: RedisSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "SYMBOL_POLL_SECONDS", 0.3)
    monkeypatch.setattr("ingest.demand.wanted.LINGER_SECONDS", 0.0)
    async with relay(source, simulated(symbol_limit=2), alpaca_symbol_limit=2) as (
        simulator,
        watching,
        _,
    ):
        await watching.watch("SPY", "IBM", viewers=3)
        await until_subscribed(simulator, "IBM", "SPY")
        await trade(simulator, "BAC", 10)  # or REST would not know it
        await watching.watch("BAC")
        await watching.until_symbol("BAC", "polled")
        for price in (11.0, 12.0):  # the stream does not bring them
            await trade(simulator, "BAC", price)
            await watching.until_price("BAC", price)

        await watching.leave("IBM")
        await until_subscribed(simulator, "BAC", "SPY")
        await trade(simulator, "BAC", 13)
        await watching.until_symbol("BAC", "live")
        assert endpoint_state(simulator)["refused"] == {}


async def test_open_positions_come_first_whoever_watches(source: RedisSource) -> None:
    held = simulated(
        symbol_limit=2, positions=[Holding("BAC", Decimal(5)), Holding("AIG", Decimal(-1))]
    )
    async with relay(source, held, alpaca_symbol_limit=2) as (simulator, watching, _):
        await trade(simulator, "SPY", 100)
        await watching.watch("SPY", "IBM", viewers=1000)

        await until_subscribed(simulator, "AIG", "BAC")
        await watching.until_symbol("SPY", "polled")


async def test_a_thousand_symbols_at_once_are_subscribed_with_ten_requests(
    source: RedisSource,
) -> None:
    symbols = [f"S{number:03}" for number in range(1000)]
    async with relay(source, simulated(plan="plus"), alpaca_feed="sip") as (simulator, watching, _):
        await watching.watch(*symbols)

        await until(lambda: endpoint_state(simulator, "sip")["subscriptions"] == symbols)
        assert endpoint_state(simulator, "sip")["refused"] == {}


async def test_a_symbol_that_flaps_stays_subscribed(upstream: tuple[Simulator, Watcher]) -> None:
    simulator, watching = upstream
    await watching.watch("SPY")
    await until_subscribed(simulator, "SPY")
    for _ in range(20):
        await watching.leave("SPY")
        await watching.watch("SPY")

    assert subscribed(simulator) == ["SPY"]
