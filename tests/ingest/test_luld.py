"""Price bands from Alpaca's bytes to Redis: while they are watched, and with no invented bound."""

from typing import Any

import pytest

from shared.bus.redis_source import RedisSource
from simulator.service import Simulator
from tests.ingest.watching import Watcher, relay, trade, until_subscribed
from tests.services import until
from tests.simulator.client import endpoint_state

BANDS = {"T": "l", "S": "SPY", "u": 168.2, "d": 152.2, "i": "B", "z": "B"}
AT = "2026-11-16T14:40:51.123456789Z"


@pytest.fixture
def source() -> RedisSource:
    return RedisSource("memory://")


async def watched(simulator: Simulator, watching: Watcher) -> None:
    await watching.watch("SPY", kind="luld")
    await until(lambda: endpoint_state(simulator)["lulds"] == ["SPY"])


async def bands(watching: Watcher) -> dict[str, Any]:
    """Return the bands once they are there."""
    found: dict[str, Any] = {}

    async def are_there() -> bool:
        last = await watching.last("SPY", "luld")
        found.update({} if last is None else last[1])
        return last is not None

    await until(are_there)
    return found


async def test_bands_come_while_a_client_watches_them(source: RedisSource) -> None:
    async with relay(source) as (simulator, watching, _):
        await watched(simulator, watching)
        await simulator.publish({**BANDS, "t": AT})
        found = await bands(watching)

    assert found.pop("received") > 0
    found.pop("event_id", None)
    assert found == {
        "symbol": "SPY",
        "limit_up": 168.2,
        "limit_down": 152.2,
        "indicator": "B",
        "tape": "B",
        "timestamp": AT,
    }


@pytest.mark.parametrize(("up", "down"), [(0, 0), (-1, 0), (168.2, 0)])
async def test_a_bound_that_is_not_in_force_is_null(
    source: RedisSource, up: float, down: float
) -> None:
    async with relay(source) as (simulator, watching, _):
        await watched(simulator, watching)
        await simulator.publish({**BANDS, "u": up, "d": down, "i": "D"})
        found = await bands(watching)

    assert (found["limit_up"], found["limit_down"]) == (up if up > 0 else None, None)


async def test_malformed_bands_are_counted_and_cost_no_price(source: RedisSource) -> None:
    async with relay(source) as (simulator, watching, _):
        await watching.watch("SPY")
        await watched(simulator, watching)
        await until_subscribed(simulator, "SPY")
        await simulator.publish({**BANDS, "u": "high"})
        await trade(simulator, "SPY", 160)
        await watching.until_price("SPY", 160)

        async def is_counted() -> bool:
            status = await watching.status()
            return status is not None and status.malformed["stocks"] == 1

        await until(is_counted)
