from dataclasses import replace

import pytest

from bench.fanout.connections import Idle
from bench.fanout.report import TITLES, disturbance, requirements, tables
from bench.fanout.requirements import ratio, verdicts
from bench.fanout.results import Results
from bench.fanout.servers import NCHAN, OURS, QUEUES
from bench.fanout.traffic import Latency, Traffic

OUR_TRAFFIC = Traffic(
    server=OURS,
    clients=1000,
    seconds=10.0,
    offered=4_000_000,
    delivered=4_000_000,
    lost=0,
    cpu=4.0,
    client_cpu=3.0,
    elsewhere=0.1,
    growth=4096,
    latency=Latency.of([float(each) for each in range(1000)]),
)
NCHANS = replace(OUR_TRAFFIC, server=NCHAN, delivered=500_000, cpu=10.0)


def met(results: Results) -> dict[str, bool]:
    return {each.required: each.met for each in verdicts(results)}


def test_cpu_is_told_by_event_that_arrived_and_by_second() -> None:
    assert OUR_TRAFFIC.cpu_per_event == pytest.approx(1.0)
    assert NCHANS.cpu_per_event == pytest.approx(20.0)
    assert (OUR_TRAFFIC.core, NCHANS.core) == (0.4, 1.0)
    assert NCHANS.share_delivered == 0.125


def test_latencies_are_told_by_the_share_that_lies_below() -> None:
    assert OUR_TRAFFIC.latency == Latency(p50=500, p99=990, p999=999, samples=1000)


def test_the_ratio_is_of_cpu_per_event() -> None:
    assert ratio([OUR_TRAFFIC, NCHANS], NCHAN) == pytest.approx(0.05)
    assert ratio([OUR_TRAFFIC], NCHAN) is None


def test_a_requirement_is_met_up_to_its_limit() -> None:
    good = met(Results(busy_1000=[OUR_TRAFFIC, NCHANS]))
    bad = met(
        Results(busy_1000=[replace(OUR_TRAFFIC, delivered=3_999_999, cpu=8.1), replace(NCHANS)])
    )

    cheaper, everything, half_a_core, p99 = good
    assert (good[cheaper], good[everything], good[half_a_core], good[p99]) == (
        True,
        True,
        True,
        False,
    )
    assert (bad[cheaper], bad[everything], bad[half_a_core]) == (False, False, False)
    assert met(Results(lone=[OUR_TRAFFIC, NCHANS])) == {"CPU per event ≤ 1.0 of nchan's": True}


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert verdicts(Results()) == []
    assert verdicts(Results(lone=[OUR_TRAFFIC])) == []


def test_memory_is_told_by_connection() -> None:
    idle = Idle(OURS, clients=1000, before=2_000_000, after=18_384_000, lost=0)

    assert idle.per_connection == 16_384
    assert met(Results(idle=[idle])) == {"RSS per connection ≤ 16 KB": True}


@pytest.mark.parametrize("scene", TITLES)
def test_every_row_of_a_table_has_as_many_cells_as_its_head(scene: str) -> None:
    results = Results(
        lone=[OUR_TRAFFIC, NCHANS],
        busy_250=[OUR_TRAFFIC],
        conflated=[replace(OUR_TRAFFIC, server=QUEUES)],
        several=[(2, OUR_TRAFFIC)],
    )

    for text in (tables(scene, results), requirements(verdicts(results))):
        for table in text.split("\n\n"):
            rows = [row for row in table.splitlines() if row.startswith("|")]
            assert len({row.count("|") for row in rows}) <= 1


def test_a_run_on_a_busy_machine_says_so() -> None:
    quiet, busy = OUR_TRAFFIC, replace(OUR_TRAFFIC, elsewhere=1.25)

    assert "0.10" in disturbance(Results(lone=[quiet]))
    assert "not idle" not in disturbance(Results(lone=[quiet]))
    assert "not idle:** other programs used up to 1.25 cores" in disturbance(
        Results(lone=[quiet], several=[(2, busy)])
    )
