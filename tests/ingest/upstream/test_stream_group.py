"""Which failures of a stream end the program."""

import pytest

from ingest.upstream.stream_group import ends_program
from ingest.upstream.upstream_error import UpstreamError


def test_a_permanent_failure_lets_the_other_market_data_continue() -> None:
    assert not ends_program(UpstreamError("no news in this plan", 409), market_data_left=True)


def test_the_failure_of_the_last_market_data_ends_the_program() -> None:
    assert ends_program(UpstreamError("wrong keys", 402), market_data_left=False)


@pytest.mark.parametrize("left", [True, False])
def test_a_defect_ends_the_program_although_other_streams_work(left: bool) -> None:
    assert ends_program(ZeroDivisionError(), market_data_left=left)
