"""The simulator with its tape and an ingest that reads it, each a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from simulator import DEFAULT_KEY, DEFAULT_SECRET
from tests.ports import free_port
from tests.programs import Program, program, ready


class TapeIngest(NamedTuple):
    """Both processes; ``port`` is the simulator's."""

    port: int
    simulator: Program
    ingest: Program


@asynccontextmanager
async def tape_ingest(redis_url: str, speed: float, **settings: str) -> AsyncIterator[TapeIngest]:
    """Run both; ``speed`` divides the tape's pauses, ``settings`` are more of the ingest's."""
    port = free_port()
    options = ("--port", str(port), "--speed", str(speed), "--plan", "plus")
    async with program("simulator", *options) as simulator:
        rest = f"http://127.0.0.1:{port}"
        await ready(rest, "/simulator/state")
        addresses = {
            "REDIS_URL": redis_url,
            "ALPACA_PAPER_API_KEY": DEFAULT_KEY,
            "ALPACA_PAPER_SECRET_KEY": DEFAULT_SECRET,
            "ALPACA_STREAM_URL": f"ws://127.0.0.1:{port}",
            "ALPACA_DATA_URL": rest,
            "ALPACA_TRADING_URL": rest,
        }
        async with program("ingest", **addresses, **settings) as ingest:
            yield TapeIngest(port, simulator, ingest)
