"""The figures of the bars as tables, and whether they meet the requirements. Pure."""

import platform
from collections.abc import Sequence
from statistics import median

from bench.bars.burst import Burst
from bench.bars.fill import Fill
from bench.bars.pipeline import CLIENTS, GATEWAY, INGEST, VALKEY
from bench.fanout.requirements import Verdict

WITHIN_SECONDS = 1.0
INGEST_MICROSECONDS = 25.0
STORED_BYTES = 1000.0


def burst_table(bursts: Sequence[Burst]) -> str:
    """Return a line per minute; times are from the last frame to the reading of a bar."""
    titles = ("ingest µs", "Valkey µs", "gateway µs", "client µs", "p50 s", "p99 s", "last s")
    machine = f"Python {platform.python_version()}, {platform.machine()}"
    lines = [
        (
            f"{bursts[0].bars:,} bars of a minute; CPU per bar, of the gateway and its clients per "
            f"delivered one; seconds from the last frame ({machine})"
        ),
        f"{'':<10}" + "".join(f"{each:>12}" for each in (*titles, "Redis B/bar", "elsewhere")),
    ]
    for number, each in enumerate(bursts, 1):
        costs = [each.cpu[name] / each.bars * 1e6 for name in (INGEST, VALKEY)]
        costs += [each.cpu[name] / each.delivered * 1e6 for name in (GATEWAY, CLIENTS)]
        lines.append(
            f"  minute {number}"
            + "".join(f"{cost:>12.1f}" for cost in costs)
            + "".join(f"{each.seconds(share):>12.3f}" for share in (0.5, 0.99, 1))
            + f"{each.memory / each.bars:>12,.0f}{each.elsewhere:>12.2f}"
        )
    resident = ", ".join(
        f"{name} {size / 2**20:.0f}" for name, size in bursts[-1].sizes.resident.items()
    )
    return "\n".join([*lines, f"  RSS MiB: {resident}"])


def fill_table(found: Fill) -> str:
    """Return the history's figures."""
    return (
        f"a history of {found.symbols} symbols, {found.bars:,} bars in all: {found.requests} "
        f"requests, {found.seconds:.1f} s; CPU per bar of the ingest "
        f"{found.ingest_cpu / found.bars * 1e6:.1f} µs, of Valkey "
        f"{found.valkey_cpu / found.bars * 1e6:.1f} µs; "
        f"{found.memory / found.bars:,.0f} bytes of Redis per bar; all of them in one answer of "
        f"the gateway: {found.read_seconds:.2f} s"
    )


def verdicts(bursts: Sequence[Burst], found: Fill | None) -> list[Verdict]:
    """Return whether the requirements are met: by the slowest minute, and by the median cost."""
    slowest = max(each.seconds(1) for each in bursts)
    cost = median(each.cpu[INGEST] / each.bars * 1e6 for each in bursts)
    judged = [
        ("a minute reaches the clients ≤ {} s after its last frame", WITHIN_SECONDS, slowest, "s"),
        ("the ingest's CPU per bar ≤ {} µs", INGEST_MICROSECONDS, cost, "µs"),
    ]
    if found is not None:
        size = found.memory / found.bars
        judged.append(("Redis per stored bar ≤ {} bytes", STORED_BYTES, size, "bytes"))
    return [
        Verdict("bars", required.format(f"{limit:g}"), f"{measured:.3g} {unit}", measured <= limit)
        for required, limit, measured, unit in judged
    ]
