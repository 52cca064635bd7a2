"""The official JavaScript SDK, `@alpacahq/alpaca-trade-api`, against the simulator."""

import asyncio
import json
from typing import Any

from simulator import DEFAULT_KEY, DEFAULT_SECRET
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.recording import SHIPPED, read_tape
from tests.foreign.conftest import JAVASCRIPT
from tests.limits import LIMIT_SECONDS


async def run_client(node: str, simulator: Simulator, secret: str) -> list[dict[str, Any]]:
    command = [node, "stock_stream.mjs", f"{simulator.stream_url}/v2/iex", DEFAULT_KEY, secret]
    running = await asyncio.create_subprocess_exec(
        *command, "SPY", "20", cwd=JAVASCRIPT, stdout=-1, stderr=-1
    )
    output, errors = await asyncio.wait_for(running.communicate(), LIMIT_SECONDS)
    assert errors == b""
    return [json.loads(line) for line in output.splitlines()]


async def test_the_javascript_sdk_receives_the_trades_of_the_tape(node: str) -> None:
    rows = read_tape(SHIPPED).rows
    async with Simulator(SimulatorSettings(speed=5)) as simulator:
        trades = await run_client(node, simulator, DEFAULT_SECRET)

    assert len(trades) == 20
    for trade in trades:
        recorded = rows[trade["id"] - 1].fields
        assert trade["symbol"] == recorded["S"] == "SPY"
        assert trade["price"] == recorded["p"]
        assert trade["size"] == recorded["s"]
        assert trade["exchange"] == recorded["x"]
        assert trade["conditions"] == recorded["c"]
        assert trade["tape"] == "B"
    times = [trade["timestamp"] for trade in trades]
    assert all(time.endswith("Z") and time > "2026" for time in times)


async def test_the_javascript_sdk_hears_of_wrong_keys(node: str) -> None:
    async with Simulator(SimulatorSettings(tape=None, positions=())) as simulator:
        [event] = await run_client(node, simulator, "wrong")

    assert (event["event"], event["message"]) == ("error", "auth failed")
