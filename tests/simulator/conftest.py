from collections.abc import AsyncIterator

import pytest

from simulator.service import Simulator, SimulatorSettings


@pytest.fixture
async def quiet() -> AsyncIterator[Simulator]:
    """Return a simulator that replays nothing: what is sent, the test sends."""
    async with Simulator(SimulatorSettings(tape=None)) as simulator:
        yield simulator
