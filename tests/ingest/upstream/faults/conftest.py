"""An ingest with a client, and attempts to connect that follow at once."""

from collections.abc import AsyncIterator

import pytest

from shared.bus.redis_source import RedisSource
from simulator.service import Simulator
from tests.ingest.pace import at_once
from tests.ingest.watching import Watcher, relay, trade, until_subscribed


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests wait for the next attempt, not for its delay."""
    at_once(monkeypatch)


@pytest.fixture
def source() -> RedisSource:
    return RedisSource("memory://")


@pytest.fixture
async def upstream(source: RedisSource) -> AsyncIterator[tuple[Simulator, Watcher]]:
    """A simulator, a connected ingest, and a client that watches SPY and has its price."""
    async with relay(source) as (simulator, watching, _):
        await watching.watch("SPY")
        await until_subscribed(simulator, "SPY")
        await trade(simulator, "SPY", 100)
        await watching.until_price("SPY", 100)
        yield simulator, watching
