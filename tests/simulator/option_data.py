"""The recorded options on a fixed Monday, by a clock that a test moves."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from simulator.options.recording import SHIPPED_OPTION_CHAINS
from simulator.protocol.rfc3339 import SECOND, parse
from simulator.service import Simulator, SimulatorSettings
from simulator.tape.hours import NyseHours
from tests.simulator.client import KEYS

MONDAY = parse("2026-11-23T15:00:00Z")
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE

SPY_CHAIN, GOOG_CHAIN = SHIPPED_OPTION_CHAINS

CALL = "SPY261127C00330000"
"""Of the recorded chain; recorded as SPY240105C00330000."""

OTHER = "SPY261127C00331000"


def trade(symbol: str, price: float, size: float = 1, **fields: Any) -> dict[str, Any]:
    return {"T": "t", "S": symbol, "p": price, "s": size, "x": "N", "c": "S", **fields}


def quote(symbol: str, bid: float, ask: float, **fields: Any) -> dict[str, Any]:
    sides = {"bx": "C", "bp": bid, "bs": 20, "ax": "C", "ap": ask, "as": 66}
    return {"T": "q", "S": symbol, **sides, "c": "A", **fields}


class Clock:
    """Unix nanoseconds."""

    def __init__(self) -> None:
        self.now = MONDAY

    def __call__(self) -> int:
        return self.now


class Market:
    """A simulator that has recorded chains, and what asks its REST."""

    def __init__(self, simulator: Simulator, clock: Clock, http: httpx.AsyncClient) -> None:
        self.simulator = simulator
        self.clock = clock
        self.http = http

    async def get(self, path: str, **query: Any) -> httpx.Response:
        """Ask the data host for a path below `/v1beta1/options/`."""
        return await self.http.get(f"/v1beta1/options/{path}", params=query)

    async def body(self, path: str, **query: Any) -> Any:
        answer = await self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def contracts(self, **query: Any) -> Any:
        """Ask the trading host for contracts."""
        answer = await self.http.get("/v2/options/contracts", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


@asynccontextmanager
async def option_market(
    chains: Sequence[Path] = (SPY_CHAIN,), **settings: Any
) -> AsyncIterator[Market]:
    clock = Clock()
    given = {"tape": None, "hours": NyseHours(), "option_chains": chains, **settings}
    async with (
        Simulator(SimulatorSettings(**given), clock=clock) as simulator,
        httpx.AsyncClient(base_url=simulator.rest_url, headers=KEYS) as http,
    ):
        yield Market(simulator, clock, http)
