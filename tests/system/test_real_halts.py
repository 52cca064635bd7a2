"""Real halts from Alpaca's bytes to a client: each state, in order and in words."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest import market_data
from ingest.market import symbol_states
from shared.bus.redis_source import RedisSource
from simulator.service import Simulator, SimulatorSettings
from tests.event_stream import EventStream, open_stream
from tests.services import running_gateway, running_ingest, until
from tests.simulator.client import endpoint_state

RECORDED = Path(__file__).parent / "halts" / "real_halts.jsonl"
STATUSES: list[dict[str, Any]] = list(map(json.loads, RECORDED.read_text().splitlines()))

VOLATILITY = "volatility, by limit up-limit down"
HALTS: dict[str, list[tuple[Any, ...]]] = {
    "ABIL": [
        ("halted", f"Trading is paused: {VOLATILITY}.", None),
        ("halted", f"Quotes have resumed, trades not yet: {VOLATILITY}.", None),
        ("live", None, f"Trading has resumed: {VOLATILITY}."),
    ],
    "GME": [
        ("halted", f"Trading is halted: {VOLATILITY}.", None),
        ("live", None, f"Trading has resumed: {VOLATILITY}."),
    ],
    "MAGH": [("halted", "Trading is halted: Nasdaq has asked for information.", None)],
}
"""By symbol what a client sees: state, reason and notice."""


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market_data, "EVALUATE_SECONDS", 0.05)


@pytest.fixture(autouse=True)
def _never_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, the one trade is a recent one."""
    for limit in ("LEAST_QUIET_SECONDS", "MOST_QUIET_SECONDS"):
        monkeypatch.setattr(symbol_states, limit, 10_000.0)


def shown(stream: EventStream) -> list[tuple[Any, ...]]:
    """Return what the stream's ``status`` events have said so far."""
    return [(each["state"], each["reason"], each["notice"]) for each in stream.of("status")]


def recorded(symbol: str) -> Iterator[dict[str, Any]]:
    return (each for each in STATUSES if each["S"] == symbol)


@pytest.mark.parametrize("symbol", HALTS)
async def test_a_client_sees_each_state_of_a_real_halt_in_order(
    source: RedisSource, symbol: str
) -> None:
    tape = next(recorded(symbol))["z"]
    async with (
        Simulator(SimulatorSettings(tape=None, positions=())) as simulator,
        running_ingest(source, simulator),
        running_gateway(source) as url,
        open_stream(url, symbols=symbol) as stream,
    ):
        await until(lambda: endpoint_state(simulator)["statuses"] == [symbol])
        await simulator.publish({"T": "t", "S": symbol, "p": 10, "s": 100, "z": tape})
        await stream.until(lambda s: ("live", None, None) in shown(s))
        before = len(shown(stream))
        for count, status in enumerate(recorded(symbol), 1):
            await simulator.publish(status)
            await stream.until_kind("status", before + count)

        assert shown(stream)[before:] == HALTS[symbol]
        last_id = stream.of("status")[-1]["event_id"]
        async with open_stream(url, symbols=symbol) as later:
            await later.until_kind("status")
            assert [each["event_id"] for each in later.of("status")] == [last_id]
            assert shown(later) == HALTS[symbol][-1:]
