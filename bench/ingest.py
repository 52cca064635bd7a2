"""CPU per tick of the whole ingest, beside alpaca-py with a handler that does nothing.

Each reads the same frames of real trades, with 1, 10 and 100 to a frame, in turns, at full speed.
Each is a process; its CPU time is user plus system between the first tick and the last one.
``--symbols 5 988 4500`` spreads the trades over so many symbols, all numbers in one run with 100
to a frame: how much more does a tick of a wide market cost?
``--kinds`` compares a message of each kind with a trade, of order books a level
(``bench/kinds``); the exit status is 1 if one costs more than 1.5 trades.
``--flat`` sends ten million ticks to the ingest alone and fails if its memory grows.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

from bench.ingest_figures import SPANS, WIDE_FRAME, Width, table, width_table
from bench.ingest_readers import Bench, ingest, peer
from bench.kinds import command as kinds
from bench.tape_frames import BLOCK_TRADES
from ingest.market.regular_trades import DEPTH, TRIMMED_AT_ONCE
from shared.bus.valkey_server import ValkeyServer

WARM_UP_TICKS = 20 * BLOCK_TRADES
SETTLE_SECONDS = 2.0

HISTORY = DEPTH + TRIMMED_AT_ONCE
"""The ticks of each symbol after which its tape is full, and its memory grows no more."""

LEAST_SYMBOLS = 5
"""The four symbols of the tape, and the one of the last tick."""

FLAT_TICKS, FLAT_FROM, FLAT_GROWTH = 10_000_000, 1_000_000, 0.1


async def compare(ticks: int, rounds: int) -> str:
    """Measure all readers in turns and return the figures as a table."""
    async with AsyncExitStack() as parts:
        bench = await _bench(parts)
        readers = [
            await parts.enter_async_context(each)
            for each in (peer(bench, "raw"), peer(bench, "parsed"), ingest(bench))
        ]
        for reader in readers:
            await bench.subscribed(reader)
        await asyncio.sleep(SETTLE_SECONDS)  # first look-ups by REST
        for reader in readers:
            await bench.span(reader, 100, WARM_UP_TICKS)
        for _ in range(rounds):
            for size, times in SPANS.items():
                for reader in readers:
                    spans = reader.spans.setdefault(size, [])
                    spans.append(await bench.span(reader, size, times * ticks))
        checked = await bench.check(readers[-1])
        return table({reader.name: reader.spans for reader in readers}, checked)


async def widths(symbols: Sequence[int], ticks: int, rounds: int) -> str:
    """Measure alpaca-py and the ingest at several numbers of symbols; return a table.

    Each number has its own Valkey and its own processes. All of them stay for the whole run and
    take turns, so that a busier minute of the machine does not count for one number alone.
    """
    async with AsyncExitStack() as parts:
        benches = [await _bench(parts, count, [WIDE_FRAME]) for count in symbols]
        readers = [
            [await parts.enter_async_context(each) for each in (peer(bench, "raw"), ingest(bench))]
            for bench in benches
        ]
        for bench, (raw, ours) in zip(benches, readers, strict=True):
            await bench.subscribed(raw)
            await bench.subscribed(ours)
            await bench.span(raw, WIDE_FRAME, WARM_UP_TICKS)
            full = HISTORY * len(bench.symbols)
            full += -full % BLOCK_TRADES
            await bench.span(ours, WIDE_FRAME, max(full, WARM_UP_TICKS))
        for _ in range(rounds):
            for bench, both in zip(benches, readers, strict=True):
                for reader in both:
                    spans = reader.spans.setdefault(WIDE_FRAME, [])
                    spans.append(await bench.span(reader, WIDE_FRAME, ticks))
        return width_table(
            [
                Width(
                    len(bench.symbols),
                    raw.spans[WIDE_FRAME],
                    ours.spans[WIDE_FRAME],
                    ours.resident,
                    await bench.check(ours),
                )
                for bench, (raw, ours) in zip(benches, readers, strict=True)
            ]
        )


async def flat(ticks: int, start: int) -> int:
    """Send ticks, print the ingest's memory during the run, and return 1 if it grew."""
    async with AsyncExitStack() as parts:
        bench = await _bench(parts)
        ours = await parts.enter_async_context(ingest(bench))
        await bench.subscribed(ours)
        await asyncio.sleep(SETTLE_SECONDS)
        sizes: list[int] = []
        while ours.feeder.sent < ticks:
            await bench.span(ours, 100, start, volley_blocks=start)
            sizes.append(ours.resident)
            print(f"  {ours.feeder.sent:>12,} ticks  RSS {sizes[-1] / 2**20:7.1f} MiB", flush=True)
        growth = sizes[-1] / sizes[0] - 1
        print(f"  grown by {growth:.1%}; {await bench.check(ours)}")
        return int(growth > FLAT_GROWTH)


async def _bench(
    parts: AsyncExitStack, symbols: int | None = None, sizes: Sequence[int] = tuple(SPANS)
) -> Bench:
    """Return a bench with a Valkey of its own; both end with ``parts``."""
    bench = Bench(await parts.enter_async_context(ValkeyServer()), symbols, sizes)
    parts.push_async_callback(bench.redis.aclose)
    return bench


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench ingest", description=__doc__)
    parser.add_argument("--ticks", type=int, default=100_000, help="of the shortest span")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--symbols", type=int, nargs="+", help="several numbers, at least 5 each")
    parser.add_argument("--flat", action="store_true", help="memory over ten million ticks")
    parser.add_argument("--kinds", action="store_true", help="a message of each kind, and a trade")
    given = parser.parse_args(arguments)
    for symbols in given.symbols or ():
        if symbols < LEAST_SYMBOLS:
            parser.error(f"--symbols {symbols}: at least {LEAST_SYMBOLS}, as many as the tape has")
    if given.kinds:
        return kinds.main(given.rounds)
    if given.flat:
        return asyncio.run(flat(FLAT_TICKS, FLAT_FROM))
    if given.symbols:
        print(asyncio.run(widths(given.symbols, given.ticks, given.rounds)))
    else:
        print(asyncio.run(compare(given.ticks, given.rounds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
