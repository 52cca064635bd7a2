"""What faults of the connection must leave as it was, or bring back."""

from collections.abc import Callable
from typing import Any

from simulator.service import Simulator
from tests.ingest.watching import Watcher, trade, until_subscribed
from tests.simulator.client import endpoint_state


async def sessions(simulator: Simulator) -> int:
    total: int = endpoint_state(simulator)["sessions_total"]
    return total


async def ticks_again(simulator: Simulator, watching: Watcher, price: float) -> None:
    await until_subscribed(simulator, "SPY")
    await trade(simulator, "SPY", price)
    await watching.until_price("SPY", price)


async def is_status(watching: Watcher, true: Callable[[Any], bool]) -> bool:
    status = await watching.status()
    return status is not None and true(status)
