"""Watched tapes beyond the plan's limit: REST brings their prints, all of them and each once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ingest import market_data
from ingest.demand import lookups, polled_tapes
from shared.bus.redis_source import RedisSource
from simulator.service import Simulator, SimulatorSettings
from tests.ingest.watching import Watcher, relay, trade, until_subscribed
from tests.services import until


@pytest.fixture(autouse=True)
def _short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market_data, "EVALUATE_SECONDS", 0.05)
    monkeypatch.setattr(lookups, "SYMBOL_POLL_SECONDS", 0.1)
    monkeypatch.setattr(polled_tapes, "LATE_SECONDS", 1.0)
    monkeypatch.setattr("ingest.demand.wanted.LINGER_SECONDS", 0.0)


@pytest.fixture
def source() -> RedisSource:
    return RedisSource("memory://")


class Tape:
    """BAC's prints, with rising numbers; SPY trades beside it, so that the stream lives."""

    def __init__(self, simulator: Simulator, watching: Watcher) -> None:
        self.last = 0
        self._simulator = simulator
        self._watching = watching

    @asynccontextmanager
    async def trading(self) -> AsyncIterator[None]:
        async def trade_on() -> None:
            while True:
                await self.trade()
                await asyncio.sleep(0.02)

        await self.trade()
        task = asyncio.create_task(trade_on())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def trade(self) -> None:
        self.last += 1
        await trade(self._simulator, "BAC", 10.0, i=self.last, x="V")
        await trade(self._simulator, "SPY", 500.0, i=self.last, x="V")

    async def numbers(self) -> list[int]:
        """Return the numbers in the history; a gap would raise."""
        events = await self._watching.history("trade:BAC")
        assert [name for name, _ in events if name is not None] == []
        return [int(data["id"]) for _, data in events]

    async def shows(self, number: int) -> None:
        """Wait until a print is shown."""

        async def is_shown() -> bool:
            return number in await self.numbers()

        await until(is_shown)

    async def assert_whole(self) -> None:
        """Every print since the first is shown, once; REST may bring one after a newer one."""
        found = await self.numbers()
        assert sorted(found) == list(range(min(found), self.last + 1))


async def test_a_tape_without_a_slot_is_whole_also_when_it_gets_one(source: RedisSource) -> None:
    limited = SimulatorSettings(tape=None, positions=(), symbol_limit=1)
    async with relay(source, limited, alpaca_symbol_limit=1) as (simulator, watching, _):
        tape = Tape(simulator, watching)
        await watching.watch("SPY", kind="trade", viewers=3)
        await until_subscribed(simulator, "SPY")
        async with tape.trading():
            await watching.watch("BAC", kind="trade")
            await watching.until_symbol("BAC", "polled")
            for _ in range(3):
                await tape.shows(tape.last)
            await watching.leave("SPY", kind="trade")
            await until_subscribed(simulator, "BAC")
            await tape.shows(tape.last)
        await tape.shows(tape.last)
        await tape.assert_whole()


async def test_a_tape_that_loses_its_slot_stays_whole(source: RedisSource) -> None:
    async with relay(source) as (simulator, watching, _):
        tape = Tape(simulator, watching)
        await watching.watch("SPY", kind="trade", viewers=3)
        await watching.watch("BAC", kind="trade")
        await until_subscribed(simulator, "BAC", "SPY")
        async with tape.trading():
            await tape.shows(tape.last)
            # One symbol fewer is accepted than before.
            simulator.faults.refuse_subscribe("iex", code=405, count=1)
            simulator.faults.reset("iex")
            await watching.until_symbol("BAC", "polled")
            for _ in range(3):
                await tape.shows(tape.last)
        await tape.shows(tape.last)
        await tape.assert_whole()
