"""A small part of ``python -m tests.fuzz``, which tries a million inputs for each decoder."""

import pytest
from structlog.testing import capture_logs

from tests.fuzz.run import fuzz
from tests.fuzz.targets import TARGETS

INPUTS = 500


@pytest.mark.parametrize("name", TARGETS)
def test_no_mutated_input_ends_the_process_or_costs_a_good_message(name: str) -> None:
    with capture_logs():
        figures = fuzz(name, INPUTS, seed=1)

    assert figures.inputs == INPUTS
