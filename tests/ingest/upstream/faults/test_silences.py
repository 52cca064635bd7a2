"""Streams that fall silent: replaced, left alone, or asked about at REST."""

import asyncio
from collections.abc import Callable

import pytest

from ingest.market import rest_lead, stream_silence
from ingest.upstream import market_handler, mute_stream, suspected_losses
from shared.bus.redis_source import RedisSource
from simulator.faults.catalogue import Faults
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.hours import SwitchableHours
from tests.ingest.pace import no_bars_streamed
from tests.ingest.upstream.faults.ticks import is_status, sessions
from tests.ingest.watching import Watcher, relay, trade, until_subscribed
from tests.services import until
from tests.simulator.client import endpoint_state


@pytest.fixture
def _no_bars_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    no_bars_streamed(monkeypatch)


@pytest.fixture
def _impatient_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {
        "SUSPECT_SECONDS": 0.3,
        "FIRST_DATA_SECONDS": 0.3,
        "PATIENCE_SECONDS": 0.3,
        "MOST_PATIENCE_SECONDS": 0.6,
    }.items():
        monkeypatch.setattr(stream_silence, name, seconds)
    monkeypatch.setattr(market_handler, "SILENCE_JUDGE_SECONDS", 0.05)
    for name in ("CLOCKS_SECONDS", "ON_ITS_WAY_SECONDS"):
        monkeypatch.setattr(mute_stream, name, 0.1)
    monkeypatch.setattr(mute_stream, "PONG_SECONDS", 0.5)


@pytest.mark.usefixtures("_impatient_judge")
@pytest.mark.parametrize("fault", [Faults.mute, Faults.half_open])
async def test_a_mute_connection_in_an_open_session_is_replaced(
    upstream: tuple[Simulator, Watcher], fault: Callable[..., int]
) -> None:
    simulator, watching = upstream
    assert fault(simulator.faults, "iex") == 1

    async def trades_until_replaced() -> bool:
        await trade(simulator, "SPY", 105)
        return endpoint_state(simulator)["sessions_total"] >= 2 and (
            await watching.price("SPY") == 105
        )

    await until(trades_until_replaced)


@pytest.fixture
def _silence_is_soon_odd(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine's own pauses are odd, too; that costs a question to REST."""
    monkeypatch.setattr(stream_silence, "ENOUGH_SECONDS", 0.2)
    monkeypatch.setattr(stream_silence, "ODD_SECONDS", 0.2)
    monkeypatch.setattr(stream_silence, "ODD_GAPS", 1)
    monkeypatch.setattr(market_handler, "SILENCE_JUDGE_SECONDS", 0.02)
    monkeypatch.setattr(suspected_losses, "SETTLE_SECONDS", 1.0)
    monkeypatch.setattr(rest_lead, "PASSED_NS", 500_000_000)


async def trades_come_steadily(simulator: Simulator, watching: Watcher) -> None:
    """Let the ingest learn SPY's pace while a client watches IBM, too."""
    await watching.watch("SPY", "IBM")
    await until_subscribed(simulator, "IBM", "SPY")
    for _ in range(60):
        await trade(simulator, "SPY", 100)
        await asyncio.sleep(0.01)


async def trades_until(
    simulator: Simulator, watching: Watcher, price: float, **traded: float
) -> None:
    """Have symbols trade until IBM has a price."""

    async def has_it() -> bool:
        for symbol, at in traded.items():
            await trade(simulator, symbol, at)
        return await watching.price("IBM") == price

    await until(has_it)


async def mute_trade_is_fetched(
    simulator: Simulator, watching: Watcher, price: float, *, seconds: float
) -> None:
    simulator.faults.mute("iex", seconds=seconds)
    await trade(simulator, "IBM", price)
    await trades_until(simulator, watching, price, SPY=100)


@pytest.mark.usefixtures("_silence_is_soon_odd")
async def test_what_a_short_silence_has_swallowed_is_fetched(
    upstream: tuple[Simulator, Watcher],
) -> None:
    simulator, watching = upstream
    await trades_come_steadily(simulator, watching)
    await mute_trade_is_fetched(simulator, watching, 200, seconds=0.5)
    assert await sessions(simulator) == 1


@pytest.mark.usefixtures("_silence_is_soon_odd")
async def test_a_tape_is_complete_after_a_short_silence_although_its_symbol_trades_on(
    upstream: tuple[Simulator, Watcher],
) -> None:
    simulator, watching = upstream
    await watching.watch("SPY", kind="trade")
    await trades_come_steadily(simulator, watching)
    simulator.faults.mute("iex", seconds=0.5)
    await trade(simulator, "SPY", 100.25)

    async def is_complete() -> bool:
        await trade(simulator, "SPY", 100)
        return 100.25 in [data.get("price") for _, data in await watching.history("trade:SPY")]

    await until(is_complete)


@pytest.mark.usefixtures("_silence_is_soon_odd", "_no_bars_streamed")
async def test_the_bar_of_the_day_has_what_a_short_silence_has_swallowed(
    upstream: tuple[Simulator, Watcher],
) -> None:
    simulator, watching = upstream
    await watching.watch("SPY", kind="bar.1Day")
    await watching.until_day_high("SPY", 100)
    await trades_come_steadily(simulator, watching)
    simulator.faults.mute("iex", seconds=0.5)
    await trade(simulator, "SPY", 101)
    await trades_until(simulator, watching, 200, SPY=100, IBM=200)
    await watching.until_day_high("SPY", 101)
    assert await sessions(simulator) == 1


@pytest.mark.usefixtures("_silence_is_soon_odd")
async def test_what_a_second_silence_soon_after_has_swallowed_is_fetched_too(
    upstream: tuple[Simulator, Watcher],
) -> None:
    simulator, watching = upstream
    await trades_come_steadily(simulator, watching)
    simulator.faults.mute("iex", seconds=0.5)
    await trades_until(simulator, watching, 150, SPY=100, IBM=150)
    await mute_trade_is_fetched(simulator, watching, 151, seconds=0.4)
    assert await sessions(simulator) == 1


@pytest.mark.usefixtures("_impatient_judge")
async def test_a_closed_market_never_causes_a_reconnect(source: RedisSource) -> None:
    hours = SwitchableHours()
    hours.session = "closed"
    async with relay(source, SimulatorSettings(tape=None, positions=(), hours=hours)) as (
        simulator,
        watching,
        _,
    ):
        await watching.watch("SPY")
        await until_subscribed(simulator, "SPY")
        await until(lambda: is_status(watching, lambda status: status.session == "closed"))
        simulator.faults.mute("iex")
        for price in range(10):  # REST knows them, the stream does not bring them
            await trade(simulator, "SPY", 100 + price)
            await asyncio.sleep(0.1)

        assert await sessions(simulator) == 1
