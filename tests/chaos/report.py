"""What a run has found, in numbers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tests.chaos.plan import Step
from tests.chaos.programs import Service

MIB = 2**20


P50_SECONDS, P99_SECONDS = 1.0, 3.0
GHOST_SECONDS = 1.0
"""The requirements: for all faults, and after the slot is free where a dead session held it."""
ENOUGH_FAULTS = 100
"""A percentile of fewer faults says little."""


class Recovery(NamedTuple):
    """A step and how long the system took to come back from it, in seconds.

    ``quiet_seconds``: until every client was right again about the symbols that seldom trade;
    ``others_seconds``: until every client had news of a pair, of its order book and of a contract
    again.
    ``whole_seconds``: until tapes, news and orders were complete up to the recovery, and the
    account right.
    ``ghost_seconds``: the recovery since Alpaca's slot was free, where 406 was answered until then;
    None if no dead session was waited for.
    ``stale_seconds``: how long some client had no fresh price, from the beginning of the step on,
    thus also while a fault lasted. ``others_stale_seconds``: the same of a pair or a contract.
    """

    step: Step
    seconds: float
    quiet_seconds: float
    whole_seconds: float
    ghost_seconds: float | None = None
    stale_seconds: float = 0.0
    others_seconds: float = 0.0
    others_stale_seconds: float = 0.0

    def __str__(self) -> str:
        times = (
            self.seconds,
            self.stale_seconds,
            self.quiet_seconds,
            self.others_seconds,
            self.whole_seconds,
        )
        ghost = "" if self.ghost_seconds is None else f"  406, then {self.ghost_seconds:.3f} s"
        shown = " ".join(f"{each:7.3f} s" for each in times)
        return f"{shown}  {'+'.join(map(str, self.step))}{ghost}"


def of_faults(found: Sequence[Recovery], *, ghosts: bool) -> dict[str, list[float]]:
    """Return the seconds by kind; a step's recovery counts for each of its faults.

    ``ghosts``: those that waited for Alpaca's slot, since it was free, and no others.
    """
    by_kind: dict[str, list[float]] = {}
    for recovery in found:
        seconds = recovery.ghost_seconds if ghosts else recovery.seconds
        if seconds is not None and (recovery.ghost_seconds is not None) is ghosts:
            for fault in recovery.step:
                by_kind.setdefault(fault.kind, []).append(seconds)
    return by_kind


def percentile(times: Sequence[float], share: float) -> float:
    """Return the time within which a share of all is."""
    return sorted(times)[min(int(len(times) * share), len(times) - 1)]


def _row(name: str, times: Sequence[float]) -> str:
    figures = (*(percentile(times, share) for share in (0.5, 0.9, 0.99)), max(times))
    return f"{name:24}{len(times):8}{''.join(f'{each:10.3f}' for each in figures)}"


def recoveries(found: Sequence[Recovery]) -> list[str]:
    """Return the distribution by kind, of the faults that waited for a dead session apart."""
    head = f"{'number':>8}{'p50 s':>10}{'p90 s':>10}{'p99 s':>10}{'max s':>10}"
    lines = []
    for title, ghosts in (("fault", False), ("after 406, slot free", True)):
        by_kind = of_faults(found, ghosts=ghosts)
        if by_kind:
            lines.append(f"{title:24}{head}")
            lines += [_row(kind, times) for kind, times in sorted(by_kind.items())]
            lines.append(_row("all", [each for times in by_kind.values() for each in times]))
    for name, times in (
        ("no fresh price", [each.stale_seconds for each in found]),
        ("no fresh pair, contract", [each.others_stale_seconds for each in found]),
        ("quiet symbols right", [each.quiet_seconds for each in found]),
        ("pairs, contracts here", [each.others_seconds for each in found]),
        ("events and account whole", [each.whole_seconds for each in found]),
    ):
        if times:
            lines.append(f"{_row(name, times)}  (steps)")
    return lines


def too_slow(found: Sequence[Recovery]) -> list[str]:
    """Return the requirements that the recoveries do not meet; none if they are few."""
    faults = [each for times in of_faults(found, ghosts=False).values() for each in times]
    ghosts = [each for times in of_faults(found, ghosts=True).values() for each in times]
    if len(faults) + len(ghosts) < ENOUGH_FAULTS:
        return []
    return [
        f"recovery: {name} is {measured:.3f} s, required {required:g} s"
        for name, measured, required in (
            ("p50", percentile(faults or [0.0], 0.5), P50_SECONDS),
            ("p99", percentile(faults or [0.0], 0.99), P99_SECONDS),
            ("p99 after the slot is free", percentile(ghosts or [0.0], 0.99), GHOST_SECONDS),
        )
        if measured > required
    ]


def upstream(feed: str, state: Mapping[str, Any]) -> str:
    """Return what the simulator has counted of a stream."""
    refused: Counter[str] = Counter(state["refused"])
    shown = ", ".join(f"{code} x {count}" for code, count in sorted(refused.items())) or "none"
    return (
        f"simulator, {feed}: {state['sessions_total']} sessions, at most {state['sessions_peak']} "
        f"at once; {state['connections_total']} connections, those refused included, at most "
        f"{state['connections_peak']} at once; refused: {shown}"
    )


def memory(services: Sequence[Service]) -> list[str]:
    """Return what each program has taken: the present process, and the most of all of them."""
    return [
        f"{service.name}: started {service.starts} times; MiB of memory: "
        f"{service.first_memory // MIB} after its last start, {service.memory[-1] // MIB} at the "
        f"end, {service.peak_memory // MIB} at most"
        for service in services
        if service.memory
    ]
