"""What a run has found, in numbers."""

from collections import Counter
from collections.abc import Sequence
from statistics import median_high
from typing import Any, NamedTuple

from tests.chaos.plan import Step
from tests.chaos.programs import Service

MIB = 2**20


class Recovery(NamedTuple):
    """A step and how long the system took to come back from it, in seconds.

    ``quiet_seconds``: until every client was right again about the symbols that seldom trade;
    ``whole_seconds``: until the tapes were complete up to the recovery, and the account right.
    """

    step: Step
    seconds: float
    quiet_seconds: float
    whole_seconds: float

    def __str__(self) -> str:
        times = (self.seconds, self.quiet_seconds, self.whole_seconds)
        return f"{' '.join(f'{each:7.3f} s' for each in times)}  {'+'.join(map(str, self.step))}"


def recoveries(found: Sequence[Recovery]) -> list[str]:
    """Return the table of the faults by kind; a step's recovery counts for each of its faults."""
    by_kind: dict[str, list[float]] = {}
    for recovery in found:
        for fault in recovery.step:
            by_kind.setdefault(fault.kind, []).append(recovery.seconds)
    lines = [f"{'fault':24}{'number':>8}{'p50 s':>10}{'max s':>10}"]
    lines += [
        f"{kind:24}{len(times):8}{median_high(times):10.3f}{max(times):10.3f}"
        for kind, times in sorted(by_kind.items())
    ]
    for name, times in (
        ("recovery", [each.seconds for each in found]),
        ("quiet symbols right", [each.quiet_seconds for each in found]),
        ("tapes and account whole", [each.whole_seconds for each in found]),
    ):
        if times:
            p99 = sorted(times)[int(len(times) * 0.99)]
            lines.append(
                f"{name}: p50 {median_high(times):.3f} s  p99 {p99:.3f} s"
                f"  max {max(times):.3f} s  (of {len(times)} steps)"
            )
    return lines


def upstream(state: dict[str, Any]) -> str:
    """Return what the simulator has counted."""
    refused: Counter[str] = Counter(state["refused"])
    shown = ", ".join(f"{code} x {count}" for code, count in sorted(refused.items())) or "none"
    return (
        f"simulator: {state['sessions_total']} sessions, at most {state['sessions_peak']} "
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
