"""The requirements of the gateway, and whether a run meets them. Pure."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

from bench.fanout.connections import Idle, Storm
from bench.fanout.results import Results
from bench.fanout.servers import NCHAN, OURS
from bench.fanout.slow import Slow
from bench.fanout.traffic import Traffic

UNCHANGED = 1.25
"""The difference that two windows of the same traffic show by chance."""

BOUNDED_BYTES = 1024 * 1024


class Verdict(NamedTuple):
    """A requirement of a scene, the measured value, and whether it meets the requirement."""

    scene: str
    required: str
    measured: str
    met: bool


def verdicts(results: Results) -> list[Verdict]:
    """Return the verdicts of the scenes that were played, each with all its servers."""
    return [
        *_lone(results.lone),
        *_busy_250(results.busy_250),
        *_busy_1000(results.busy_1000),
        *_light(results.light),
        *_idle(results.idle),
        *_storm(results.storm),
        *_slow(results.slow),
    ]


def ratio(results: Sequence[Traffic], peer: str) -> float | None:
    """Return our CPU per event divided by a peer's; None if one of them is missing."""
    ours, theirs = _of(OURS, results), _of(peer, results)
    return ours.cpu_per_event / theirs.cpu_per_event if ours and theirs else None


def _lone(results: Sequence[Traffic]) -> Iterator[Verdict]:
    found = ratio(results, NCHAN)
    if found is not None:
        yield Verdict("a", "CPU per event ≤ 1.0 of nchan's", f"{found:.2f}", found <= 1)


def _busy_1000(results: Sequence[Traffic]) -> Iterator[Verdict]:
    found, ours = ratio(results, NCHAN), _of(OURS, results)
    if found is not None:
        required = "1,000 clients: CPU per event ≤ 0.10 of nchan's"
        yield Verdict("b", required, f"{found:.3f}", found <= 0.1)
    if ours is not None:
        share = ours.share_delivered
        yield Verdict("b", "1,000 clients: everything delivered", f"{share:.2%}", share == 1)
        core = ours.core
        yield Verdict("b", "1,000 clients: at most half a core", f"{core:.2f}", core <= 0.5)
        yield _within("b", "1,000 clients: p99 ≤ {} ms", 100, ours.latency.p99)


def _busy_250(results: Sequence[Traffic]) -> Iterator[Verdict]:
    ours = _of(OURS, results)
    if ours is not None:
        yield _within("b", "250 clients: p99 ≤ {} ms", 30, ours.latency.p99)


def _light(results: Sequence[Traffic]) -> Iterator[Verdict]:
    ours = _of(OURS, results)
    if ours is not None:
        yield _within("b", "light load: p50 ≤ {} ms", 2, ours.latency.p50)
        yield _within("b", "light load: p99 ≤ {} ms", 10, ours.latency.p99)


def _idle(results: Sequence[Idle]) -> Iterator[Verdict]:
    ours = _of(OURS, results)
    if ours is not None:
        yield _within("d", "RSS per connection ≤ {} KB", 16, ours.per_connection / 1024)


def _storm(results: Sequence[Storm]) -> Iterator[Verdict]:
    ours = _of(OURS, results)
    if ours is not None:
        yield _within("e", "all live after ≤ {} s", 6, ours.all)


def _slow(results: Sequence[Slow]) -> Iterator[Verdict]:
    for found in results:
        before, beside = found.without.latency.p99, found.beside.latency.p99
        required = f"other clients' p99 unchanged (≤ {UNCHANGED:g} times)"
        measured = f"{before:.1f} → {beside:.1f} ms"
        yield Verdict("f", required, measured, beside <= before * UNCHANGED)
        growth, woken = found.beside.growth, found.woken
        required = "memory for the slow client bounded (RSS grows by ≤ 1 MB)"
        yield Verdict("f", required, f"{growth / 1024:,.0f} KB", growth <= BOUNDED_BYTES)
        required = "its first value after TCP's buffers is the newest"
        measured = f"{woken.stale_late} stale"
        yield Verdict("f", required, measured, woken.newest and not woken.stale_late)


def _within(scene: str, required: str, limit: float, measured: float) -> Verdict:
    return Verdict(scene, required.format(limit), f"{measured:.1f}", measured <= limit)


Measured = TypeVar("Measured", Traffic, Idle, Storm)


def _of(server: str, results: Sequence[Measured]) -> Measured | None:
    return next((each for each in results if each.server == server), None)
