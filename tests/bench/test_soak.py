"""The soak: it judges growth, and it still runs against the programs as they are."""

import pytest

from bench import soak
from bench.flatness import Allowance, growth, is_flat
from bench.soak import ALLOWANCES

NOISE = [100.0, 103.0, 98.0, 101.0]


def test_a_figure_that_only_varies_is_flat() -> None:
    assert growth(NOISE * 4) == 0
    assert is_flat(NOISE * 4, Allowance(0, 0.0))


def test_a_figure_that_has_stopped_growing_is_flat() -> None:
    filled = [*range(20), *[20.0] * 20]

    assert is_flat(filled, Allowance(0, 0.0))


@pytest.mark.parametrize("samples", [16, 60])
def test_growth_is_that_of_the_second_half(samples: int) -> None:
    grown = growth([2.0 * number for number in range(samples)])

    assert grown == samples  # two for each of the samples of a half


def test_a_figure_that_grows_by_more_than_is_allowed_is_not_flat() -> None:
    slow = [1000.0 + number for number in range(20)]

    assert is_flat(slow, Allowance(10, 0.0))
    assert is_flat(slow, Allowance(0, 0.01))
    assert not is_flat(slow, Allowance(9, 0.0))


def test_too_few_samples_prove_nothing() -> None:
    assert not is_flat([1.0] * 7, Allowance(1000, 0.0))


@pytest.mark.slow
async def test_clients_come_and_go_and_every_process_is_measured() -> None:
    measured = await soak.measure(2, speed=20, per_second=20, gateways=1, samples=8)

    assert measured.visits.failures == {}
    assert measured.visits.answers["GET 200"] > 0
    names = {process: set(figures) for process, figures in measured.samples[-1].items()}
    assert names == {
        "simulator": {"MiB", "files"},
        "ingest": {"MiB", "files", "tasks"},
        "gateway 1": {"MiB", "files", "tasks"},
        "valkey": {"MiB", "files", "keys", "clients"},
    }
    assert {name for figures in names.values() for name in figures} == set(ALLOWANCES)
    assert all(value > 0 for value in measured.samples[-1]["gateway 1"].values())
    assert "gateway 1 tasks" in soak.report(measured)
