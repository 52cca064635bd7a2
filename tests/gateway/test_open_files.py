"""Each stream is an open file: the limit is raised to the maximum, and a shortage reported."""

import resource
import sys
from pathlib import Path

import pytest

from gateway.http.open_files import shortage
from tests.programs import program
from tests.services import until

pytestmark = pytest.mark.slow

NOWHERE = {"PORT": "0", "REDIS_URL": "redis://127.0.0.1:1"}


def test_a_shortage_names_both_ways_out() -> None:
    told = shortage(1024, 10_000)

    assert told is not None
    assert "from 1024 to 10100" in told
    assert "MAX_CLIENTS=924" in told


@pytest.mark.parametrize("limit", [10_100, sys.maxsize])
def test_what_suffices_is_not_spoken_of(limit: int) -> None:
    assert shortage(limit, 10_000) is None


def _limits(pid: int) -> list[str]:
    """Return the soft and the hard limit of open files of a process."""
    [line] = [
        line
        for line in Path(f"/proc/{pid}/limits").read_text().splitlines()
        if line.startswith("Max open files")
    ]
    return line.split()[3:5]


async def test_a_gateway_raises_its_limit_at_the_start() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))  # a child starts with it
    try:
        async with program("gateway", MAX_CLIENTS="100", **NOWHERE) as gateway:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await until(lambda: "gateway_listening" in gateway.output)

            now, most = _limits(gateway.process.pid)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert now == most
    assert "too_few_open_files" not in gateway.output


async def test_a_gateway_says_so_where_the_limit_is_too_low_for_its_clients() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with program("gateway", MAX_CLIENTS=str(hard), **NOWHERE) as gateway:
        await until(lambda: "gateway_listening" in gateway.output)

    assert '"event": "too_few_open_files"' in gateway.output
    assert f"from {hard} to {hard + 100}" in gateway.output
