from collections.abc import AsyncIterator

import pytest

from simulator.service import Simulator, SimulatorSettings


@pytest.fixture
async def quiet() -> AsyncIterator[Simulator]:
    """Return a simulator that replays nothing: only the test sends messages."""
    async with Simulator(SimulatorSettings(tape=None)) as simulator:
        yield simulator
