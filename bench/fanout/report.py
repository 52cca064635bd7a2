"""The figures as Markdown tables, for the terminal and for ``docs/benchmarks.md``. Pure."""

from collections.abc import Callable, Iterable, Sequence

from bench.fanout.requirements import Verdict, ratio
from bench.fanout.results import Results
from bench.fanout.servers import NCHAN, OURS
from bench.fanout.slow import Slow
from bench.fanout.traffic import Traffic

TITLES = {
    "a": "one topic to 1,000 clients",
    "b": "100 symbols, 2,000 ticks a second",
    "c": "the same to 1,000 clients with interval=0.25",
    "d": "10,000 idle clients",
    "e": "10,000 clients at once",
    "f": "one slow client among 1,000",
    "g": "one, two and four gateways on one Valkey",
}

QUIET_CORES = 0.25
"""The largest load of other programs at which the figures are considered reliable."""

Rows = Iterable[Sequence[str]]

TRAFFIC = (
    "offered/s",
    "delivered",
    "CPU µs/event",
    "cores",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "clients' cores",
    "elsewhere",
)


def table(head: Sequence[str], rows: Rows, texts: int = 1) -> str:
    """Return a table whose first ``texts`` columns are text; the others are figures."""
    lines = [head, [*["---"] * texts, *["---:"] * (len(head) - texts)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables(scene: str, results: Results) -> str:
    """Return the figures of one scene."""
    return _TABLES[scene](results)


def requirements(found: Sequence[Verdict]) -> str:
    """Return the table of the requirements."""
    rows = (
        (each.scene, each.required, each.measured, "yes" if each.met else "**no**")
        for each in found
    )
    return table(("scene", "required", "measured", "met"), rows, texts=4)


def disturbance(results: Results) -> str:
    """Return a sentence about the load of other programs during the traffic."""
    windows = [
        *(results.lone + results.busy_250 + results.busy_1000 + results.light),
        *results.conflated,
        *(
            each
            for found in (*results.slow, *results.slow_peers)
            for each in (found.without, found.beside)
        ),
        *(found for _, found in results.several),
    ]
    most = max((each.elsewhere for each in windows), default=0.0)
    if most <= QUIET_CORES:
        return f"Other programs used at most {most:.2f} of a core during the measurement."
    return (
        f"**The machine was not idle:** other programs used up to {most:.2f} cores. This increases "
        "latencies; a server that joins events into one write appears cheaper than it is, other "
        "servers appear more expensive. Run it again on an idle machine."
    )


def _traffic(results: Sequence[Traffic]) -> str:
    by_nchan = ratio(results, NCHAN)
    rows = (
        (
            each.server,
            *_figures(each),
            f"{by_nchan:.3f}" if by_nchan is not None and each.server == OURS else "",
        )
        for each in results
    )
    return table(("server", *TRAFFIC, "CPU/event of nchan's"), rows)


def _figures(found: Traffic) -> Sequence[str]:
    latency = found.latency
    return (
        f"{found.offered / found.seconds:,.0f}",
        f"{found.share_delivered:.1%}",
        f"{found.cpu_per_event:.2f}",
        f"{found.core:.2f}",
        *(_ms(each) for each in (latency.p50, latency.p99, latency.p999)),
        f"{found.client_cpu / found.seconds:.2f}",
        f"{found.elsewhere:.2f}",
    )


def _many(results: Results) -> str:
    parts = (
        ("250 clients", results.busy_250),
        ("1,000 clients", results.busy_1000),
        ("Light load", results.light),
    )
    return "\n\n".join(f"{name}:\n\n{_traffic(found)}" for name, found in parts)


def _idle(results: Results) -> str:
    return table(
        ("server", "clients", "before MB", "after MB", "KB/connection", "lost"),
        (
            (
                each.server,
                f"{each.clients:,}",
                f"{each.before / 2**20:.1f}",
                f"{each.after / 2**20:.1f}",
                f"{each.per_connection / 1024:.1f}",
                f"{each.lost}",
            )
            for each in results.idle
        ),
    )


def _storm(results: Results) -> str:
    return table(
        (
            "server",
            "clients",
            "half s",
            "99 % s",
            "all s",
            "tried again",
            "CPU s",
            "clients' CPU s",
        ),
        (
            (
                each.server,
                f"{each.clients:,}",
                *(f"{value:.1f}" for value in (each.half, each.most, each.all)),
                f"{each.again:,}",
                f"{each.cpu:.1f}",
                f"{each.client_cpu:.1f}",
            )
            for each in results.storm
        ),
    )


def _slow(results: Results) -> str:
    head = (
        "server",
        "ticks/s",
        "p99 ms, none slow",
        "p99 ms, one slow",
        "elsewhere",
        "RSS grown KB",
        "stale KB read first",
        "stale of the last half",
        "ends with the newest",
    )
    return table(head, (_slow_row(each) for each in (*results.slow, *results.slow_peers)))


def _slow_row(found: Slow) -> Sequence[str]:
    elsewhere = (found.without.elsewhere, found.beside.elsewhere)
    return (
        found.server,
        f"{found.rate:,.0f}",
        _ms(found.without.latency.p99),
        _ms(found.beside.latency.p99),
        " → ".join(f"{each:.2f}" for each in elsewhere),
        f"{found.beside.growth / 1024:,.0f}",
        f"{found.woken.stale_bytes / 1024:,.0f}",
        f"{found.woken.stale_late:,}",
        "yes" if found.woken.newest else "no",
    )


def _several(results: Results) -> str:
    rows = ((f"{count}", *_figures(each)) for count, each in results.several)
    return table(("gateways", *TRAFFIC), rows)


def _ms(value: float) -> str:
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


_TABLES: dict[str, Callable[[Results], str]] = {
    "a": lambda results: _traffic(results.lone),
    "b": _many,
    "c": lambda results: _traffic(results.conflated),
    "d": _idle,
    "e": _storm,
    "f": _slow,
    "g": _several,
}
