"""The history of charts that are opened at once: REST's bars in Redis."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from bench.bars.pipeline import INGEST, VALKEY, pipeline
from bench.bars.vendor_bars import BarPages, symbols_of

CLIENTS = 2


@dataclass(frozen=True)
class Fill:
    """From the first client to the last stored bar; CPU in seconds, Redis' ``memory`` in bytes.

    ``read_seconds``: for all of these bars in one answer of the gateway.
    """

    symbols: int
    bars: int
    requests: int
    seconds: float
    ingest_cpu: float
    valkey_cpu: float
    memory: int
    read_seconds: float


async def fill(symbols: int, minutes: int) -> Fill:
    """Let clients chart symbols, and wait until all their minutes are stored.

    Raises:
        AssertionError: they are not.
    """
    names: Sequence[str] = symbols_of(symbols)
    pages = BarPages(names, minutes)
    async with pipeline(pages, BAR_HISTORY=str(minutes)) as run:
        memory, before, began = await run.used_memory(), run.sizes(), time.perf_counter()
        await run.chart(names, CLIENTS)
        await run.subscribed(names)
        seconds, cpu = time.perf_counter() - began, run.sizes().since(before)
        stored = await run.stored(names)
        # The newest minute may still run: it is no history.
        assert stored in (symbols * minutes, symbols * (minutes - 1)), (
            f"{stored} bars are stored, {symbols * minutes} awaited"
        )
        memory = await run.used_memory() - memory
        return Fill(
            symbols=symbols,
            bars=stored,
            requests=pages.requests,
            seconds=seconds,
            ingest_cpu=cpu[INGEST],
            valkey_cpu=cpu[VALKEY],
            memory=memory,
            read_seconds=await _read(run.port, names, stored // symbols),
        )


async def _read(port: int, names: Sequence[str], minutes: int) -> float:
    """Return the seconds of one request for the newest bars of all symbols.

    Raises:
        AssertionError: some are not in the answer.
    """
    path = f"/api/bars?symbols={','.join(names)}&timeframe=1Min&limit={minutes}"
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
        began = time.perf_counter()
        answer = (await http.get(path)).raise_for_status()
        seconds = time.perf_counter() - began
    found = {symbol: len(bars) for symbol, bars in answer.json()["bars"].items()}
    assert found == dict.fromkeys(names, minutes), found
    return seconds
